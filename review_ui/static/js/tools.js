/**
 * Joins mouse, keys and buttons to what they do in a review.
 *
 * @typedef {import("./review_session.js").ReviewSession} ReviewSession
 * @typedef {import("./slice_view.js").SliceView} SliceView
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./geometry.js").Vector3} Vector3
 * @typedef {import("./corrections.js").Tool} Tool
 */
import { Boxing } from "./boxing.js";
import { nextRadius } from "./brush.js";
import { brushAt, connectEditing, EDIT_BUTTONS } from "./editing.js";
import { connectKeySheet } from "./key_sheet.js";
import { listenToKeys } from "./keyboard.js";
import { bindingsNow, printKeys } from "./own_keys.js";
import { button, byId, dialog } from "./page.js";
import { contouredSlices, showHover } from "./panel.js";
import { PointerInput, SIDE_PX } from "./pointer.js";
import { Pen } from "./touch.js";
import { dragWindow, noteWindow, valuesAt, VIEW_BUTTONS, viewActions } from "./viewer.js";

/** @param {ReviewSession} session */
export function connectInput(session) {
  const input = new ReviewInput(session);
  const actions = input.keyActions();
  listenToKeys(bindingsNow, actions, (held) => input.holdSpace(held));
  const pen = new Pen();
  for (const view of session.stage.all) new PointerInput(view, input.pointerActions(), pen);
  for (const [id, action] of Object.entries(BUTTONS)) {
    button(id).addEventListener("click", () => actions[action]());
  }
  connectKeySheet(() => printKeys(PRINTED));
  printKeys(PRINTED);
}

/** Buttons that do what a key does. @type {Readonly<Record<string, string>>} */
const BUTTONS = Object.freeze({
  "tool-add": "toolAdd",
  "tool-remove": "toolRemove",
  "tool-erase": "toolErase",
  "brush-smaller": "brushSmaller",
  "brush-larger": "brushLarger",
  "reset-views": "resetViews",
  undo: "undo",
  redo: "redo",
  help: "help",
  ...VIEW_BUTTONS,
  ...EDIT_BUTTONS,
});

/** Buttons that have a key on them. */
const PRINTED = Object.freeze({
  ...BUTTONS,
  "take-proposal": "takeProposal",
  "dismiss-proposal": "dismissProposal",
});

class ReviewInput {
  /** @param {ReviewSession} session */
  constructor(session) {
    this.session = session;
    this.boxing = new Boxing(session);
    this.isSpaceHeld = false;
    /** Where the pointer is. @type {{view: SliceView, point: PlanePoint} | null} */
    this.pointer = null;
  }

  /** @returns {Record<string, () => void>} */
  keyActions() {
    const { session } = this;
    return {
      ...connectEditing(session, () => this.pointer, (view) => this.boxing.draw(view)),
      toolAdd: () => this.#pick("add"),
      toolRemove: () => this.#pick("remove"),
      toolErase: () => this.#pick("erase"),
      brushSmaller: () => this.resizeBrush(-1),
      brushLarger: () => this.resizeBrush(1),
      undo: () => session.undo(),
      redo: () => session.redo(),
      sliceUp: () => this.scroll(session.stage.views.axial, 1),
      sliceDown: () => this.scroll(session.stage.views.axial, -1),
      firstContoured: () => this.#goToContoured(0),
      lastContoured: () => this.#goToContoured(-1),
      ...viewActions(session),
      crossAtPointer: () => this.pointer && this.cross(this.pointer.view, this.pointer.point),
      resetViews: () => this.#resetViews(),
      help: () => dialog("keys-dialog").showModal(),
    };
  }

  /** @returns {import("./pointer.js").PointerActions} */
  pointerActions() {
    const { session } = this;
    return {
      canPaint: () => session.isEditable,
      grabBox: (view, at, withinPx) => this.boxing.grab(view, at, withinPx),
      dragBox: (view, at) => this.boxing.drag(view, at),
      dropBox: () => this.boxing.drop(),
      startStroke: (view, tool, at) => session.startStroke(view, tool, at),
      continueStroke: (_, from, to) => session.continueStroke(from, to),
      endStroke: () => session.endStroke(),
      breakStroke: () => session.breakStroke(),
      scroll: (view, steps) => this.scroll(view, steps),
      resizeBrush: (direction) => this.resizeBrush(direction),
      moved: (view) => this.#moved(view),
      cross: (view, at) => this.cross(view, at),
      dragWindow: (dx, dy) => dragWindow(session, dx, dy),
      windowSet: () => noteWindow(session),
      hover: (view, at, tool) => this.#hover(view, at, tool),
      tool: () => session.state.settings.tool,
      isSpaceHeld: () => this.isSpaceHeld,
    };
  }

  /** @param {boolean} held */
  holdSpace(held) {
    this.isSpaceHeld = held;
    byId("views").classList.toggle("grabbing", held);
  }

  /**
   * @param {SliceView} view
   * @param {number} steps
   */
  scroll(view, steps) {
    const { normal } = view.plane;
    this.#goTo(normal, this.session.state.settings.position[normal] + steps);
    if (this.pointer?.view === view) this.#hover(view, this.pointer.point);
  }

  /** @param {1 | -1} direction */
  resizeBrush(direction) {
    if (this.session.stroke) return;
    const radiusMm = nextRadius(this.session.state.settings.radiusMm, direction);
    this.session.state.update({ radiusMm });
    this.session.log.note("brush", { radius_mm: radiusMm });
    if (this.pointer) this.#hover(this.pointer.view, this.pointer.point);
  }

  /**
   * Let all planes cross at a point of one of them.
   * @param {SliceView} view
   * @param {PlanePoint} point
   */
  cross(view, point) {
    const { grid, plane } = view;
    const position = /** @type {Vector3} */ ([...this.session.state.settings.position]);
    position[plane.across] = grid.clamp(plane.across, point[0]);
    position[plane.down] = grid.clamp(plane.down, point[1]);
    this.session.goTo(position);
  }

  /**
   * @param {import("./geometry.js").Axis} axis
   * @param {number} index
   */
  #goTo(axis, index) {
    const position = /** @type {Vector3} */ ([...this.session.state.settings.position]);
    position[axis] = this.session.layer.grid.clamp(axis, index);
    this.session.goTo(position);
  }

  /** @param {number} which  0 the lowest, -1 the highest */
  #goToContoured(which) {
    const slice = contouredSlices(this.session.layer).at(which);
    if (slice !== undefined) this.#goTo(2, slice);
  }

  /** @param {Tool} tool */
  #pick(tool) {
    this.session.state.update({ tool });
    this.session.log.note("tool", { tool });
    if (this.pointer) this.#hover(this.pointer.view, this.pointer.point);
  }

  /** @param {SliceView} view */
  #moved(view) {
    this.session.stage.redraw(view);
    this.session.log.note("zoom", { plane: view.plane.name, scale: view.viewport.scale });
  }

  #resetViews() {
    for (const view of this.session.stage.all) view.viewport.fit();
    this.session.stage.redraw();
    this.session.log.note("zoom", { whole: true });
  }

  /**
   * Brush circle and HU under the pointer.
   * @param {SliceView} view
   * @param {PlanePoint | null} point
   * @param {Tool} [tool]
   */
  #hover(view, point, tool = this.session.state.settings.tool) {
    const { state, stage, isEditable } = this.session;
    this.pointer = point && { view, point };
    const { position } = state.settings;
    this.boxing.hover(view, point, SIDE_PX);
    view.brush = point && isEditable ? brushAt(this.session, view, point, tool) : null;
    const voxel = point && view.grid.voxelAt(view.plane, position[view.plane.normal], point);
    showHover(view.plane.name, voxel ? valuesAt(view, voxel) : "");
    stage.redraw(view);
  }
}
