/**
 * The contouring tools as the page offers them: keys and buttons to what is changed or proposed.
 *
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./review_session.js").ReviewSession} ReviewSession
 * @typedef {import("./slice_view.js").SliceView} SliceView
 * @typedef {import("./strokes.js").Shape} Shape
 */
import { interpolated } from "./interpolate.js";
import { withMargin } from "./margins.js";
import { byId, setText } from "./page.js";
import { propagatedEdit } from "./propagate.js";
import { Proposals } from "./proposals.js";
import { filledSlice, largestPiece, withoutHoles, withoutIslands } from "./regions.js";
import { pushAt } from "./shapes.js";
import { drawnSlices } from "./step_names.js";
import { drawLasso, drawProposal } from "./tool_marks.js";

/** Pieces below this go as islands. */
const ISLAND_CC = 1;
const MARGIN_STEP_MM = 1;
const TOLERANCE_STEP_HU = 10;
const LARGEST_TOLERANCE_HU = 300;

/** Buttons that do what a key does. @type {Readonly<Record<string, string>>} */
export const EDIT_BUTTONS = Object.freeze({
  "shape-brush": "shapeBrush",
  "shape-ball": "shapeBall",
  "shape-smart": "shapeSmart",
  "shape-push": "shapePush",
  "shape-lasso": "shapeLasso",
  "fill-slice": "fillSlice",
  interpolate: "interpolate",
  propagate: "propagate",
  grow: "grow",
  shrink: "shrink",
  "largest-piece": "largestPiece",
  "remove-islands": "removeIslands",
  "fill-holes": "fillHoles",
});

/** @type {Readonly<Record<string, string>>} */
const BRUSH_WORDS = Object.freeze({ brush: "Brush", ball: "Ball", smart: "Smart brush", push: "Push" });
/** What a proposal follows, for the person. @type {Readonly<Record<import("./propagate.js").Guide, string>>} */
const GUIDE_WORDS = Object.freeze({
  tissue: "",
  contour: ", as the contour beside runs: no border in the CT",
  fading: ", fading: no border in the CT",
});

/**
 * @param {ReviewSession} session
 * @param {() => {view: SliceView, point: PlanePoint} | null} pointer  where the pointer is
 * @param {(view: SliceView) => void} drawUnder  below what tools draw
 * @returns {Record<string, () => void>} by the names of keyboard.js
 */
export function connectEditing(session, pointer, drawUnder) {
  const editing = new Editing(session, pointer, drawUnder);
  return editing.actions();
}

class Editing {
  /**
   * @param {ReviewSession} session
   * @param {() => {view: SliceView, point: PlanePoint} | null} pointer
   * @param {(view: SliceView) => void} drawUnder
   */
  constructor(session, pointer, drawUnder) {
    this.session = session;
    this.pointer = pointer;
    this.drawUnder = drawUnder;
    this.proposals = new Proposals(session);
    session.afterStroke = () => this.#propose();
    session.state.onUpdate(() => this.#show());
    for (const view of session.stage.all) view.paintOver = () => this.#draw(view);
    this.#show();
  }

  /** @returns {Record<string, () => void>} */
  actions() {
    const { layer } = this.session;
    const contains = (/** @type {number} */ index) => layer.contains(index);
    return {
      shapeBrush: () => this.#pick("brush"),
      shapeBall: () => this.#pick("ball"),
      shapeSmart: () => this.#pick("smart"),
      shapePush: () => this.#pick("push"),
      shapeLasso: () => this.#pick("lasso"),
      lessTolerance: () => this.#tolerate(-TOLERANCE_STEP_HU),
      moreTolerance: () => this.#tolerate(TOLERANCE_STEP_HU),
      fillSlice: () => {
        const { plane, slice } = this.#here();
        this.#change("fill-slice", "Fill slice", filledSlice(layer.grid, contains, plane, slice));
      },
      interpolate: () => this.#interpolate(),
      propagate: () => this.#togglePropagation(),
      grow: () => this.#margin(MARGIN_STEP_MM),
      shrink: () => this.#margin(-MARGIN_STEP_MM),
      largestPiece: () => this.#change("largest-piece", "Largest piece only", largestPiece(layer.grid, contains, layer.contouredBounds)),
      removeIslands: () =>
        this.#change("remove-islands", `Islands below ${ISLAND_CC} ml`, withoutIslands(layer.grid, contains, ISLAND_CC, layer.contouredBounds)),
      fillHoles: () => this.#change("fill-holes", "Holes", withoutHoles(layer.grid, contains, layer.contouredBounds)),
      takeProposal: () => this.proposals.take(),
      dismissProposal: () => this.proposals.dismiss(),
    };
  }

  /** @param {Shape} shape */
  #pick(shape) {
    this.session.state.update({ shape });
    this.session.log.note("shape", { shape });
  }

  /** @param {number} hu */
  #tolerate(hu) {
    const { toleranceHu } = this.session.state.settings;
    const next = Math.max(TOLERANCE_STEP_HU, Math.min(LARGEST_TOLERANCE_HU, toleranceHu + hu));
    this.session.state.update({ toleranceHu: next });
  }

  /** The slice under the pointer; the axial one where there is none. */
  #here() {
    const { stage, state } = this.session;
    const { plane } = this.pointer()?.view ?? stage.views.axial;
    return { plane, slice: state.settings.position[plane.normal] };
  }

  /**
   * Done at once: one key brings it back.
   * @param {string} name
   * @param {string} words
   * @param {Change} change
   */
  #change(name, words, change) {
    if (!this.#isFree()) return;
    const { plane, slice } = this.#here();
    const voxels = this.session.applyChange(change, { name, plane: plane.name, slice });
    this.proposals.say(voxels > 0 ? `${words}: ${voxels} voxels changed.` : `${words}: nothing to change.`);
  }

  #interpolate() {
    if (!this.#isFree()) return;
    const { layer } = this.session;
    const { plane, slice } = this.#here();
    const drawn = drawnSlices(layer.undoSteps, plane.name);
    const change = interpolated(layer.grid, plane, (index) => layer.contains(index), drawn);
    const words = `Interpolate ${change.slices} ${plane.name} slices between drawn ones`;
    this.proposals.show({ label: { name: "interpolate", plane: plane.name, slice }, change, words });
  }

  /** @param {number} stepMm */
  #margin(stepMm) {
    if (!this.#isFree()) return;
    const { layer } = this.session;
    const marginMm = this.proposals.marginMm + stepMm;
    if (marginMm === 0) return this.proposals.dismiss();
    const { plane, slice } = this.#here();
    const change = withMargin(layer.grid, (index) => layer.contains(index), marginMm, layer.contouredBounds);
    const grows = marginMm > 0;
    const words = `${grows ? "Grow" : "Shrink"} by ${Math.abs(marginMm)} mm`;
    const label = { name: grows ? "grow" : "shrink", plane: plane.name, slice };
    this.proposals.show({ label, change, words, marginMm });
  }

  #togglePropagation() {
    const propagates = !this.session.state.settings.propagates;
    this.session.state.update({ propagates });
    if (propagates) this.#propose();
    else if (this.proposals.current?.label.name === "propagate") this.proposals.dismiss();
  }

  /** What was drawn last, for the neighbouring slices. */
  #propose() {
    const { layer, state, stage } = this.session;
    if (!state.settings.propagates || !this.#isFree()) return;
    const found = propagatedEdit(layer, stage.views.axial.ct);
    if (!found) return;
    const { plane, slice, change, slices, guides } = found;
    const how = guides.map((guide) => GUIDE_WORDS[guide]).find((said) => said !== "") ?? "";
    const words = `Same on ${slices} more ${plane} ${slices === 1 ? "slice" : "slices"}${how}`;
    this.proposals.show({ label: { name: "propagate", plane, slice }, change, words });
  }

  #isFree() {
    return this.session.isEditable && !this.session.stroke;
  }

  /** Which tool is in the hand. */
  #show() {
    const { shape, radiusMm, toleranceHu, propagates } = this.session.state.settings;
    for (const each of ["brush", "ball", "smart", "push", "lasso"]) {
      byId(`shape-${each}`).setAttribute("aria-pressed", String(each === shape));
    }
    byId("propagate").setAttribute("aria-pressed", String(propagates));
    const size = `${BRUSH_WORDS[shape]} radius ${radiusMm} mm`;
    const smart = shape === "smart" ? ` · ±${toleranceHu} HU` : "";
    setText("brush-label", shape === "lasso" ? "Lasso" : size + smart);
    document.body.dataset.shape = shape;
  }

  /** @param {SliceView} view */
  #draw(view) {
    const { stroke, state } = this.session;
    const { current } = this.proposals;
    this.drawUnder(view);
    if (current) drawProposal(view, state.settings.position[view.plane.normal], current.change);
    if (stroke?.shape === "lasso" && stroke.plane === view.plane) drawLasso(view, stroke.points);
  }
}

/**
 * The circle under the pointer.
 * @param {ReviewSession} session
 * @param {SliceView} view
 * @param {PlanePoint} point
 * @param {import("./corrections.js").Tool} tool
 */
export function brushAt({ layer, state, stroke }, view, point, tool) {
  const { shape, radiusMm, position } = state.settings;
  if (stroke) return { point, radiusMm: stroke.shape === "lasso" ? 0 : stroke.radiusMm, tool: stroke.tool };
  if (shape === "lasso") return { point, radiusMm: 0, tool };
  if (shape !== "push") return { point, radiusMm, tool };
  const slice = position[view.plane.normal];
  const push = pushAt(view.grid, view.plane, slice, (index) => layer.contains(index), point, radiusMm);
  /** @type {import("./corrections.js").Tool} */
  const way = push.outwards ? "add" : "remove";
  return { point, radiusMm: push.radiusMm, tool: way };
}
