/**
 * The box that painting keeps to, on the page: switched on and off, drawn, dragged by its sides.
 *
 * For scripts and tests <body> says in data-box its first and last voxel (x y z x y z), empty while it is off.
 *
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./review_session.js").ReviewSession} ReviewSession
 * @typedef {import("./slice_view.js").SliceView} SliceView
 */
import { EditBox } from "./edit_box.js";
import { byId, setText } from "./page.js";
import { drawBox } from "./tool_marks.js";

export class Boxing {
  /** @param {ReviewSession} session */
  constructor(session) {
    this.session = session;
    /** Made when first asked for; what was dragged stays. @type {EditBox | null} */
    this.box = null;
    /** The sides under the hand. @type {import("./edit_box.js").Side[]} */
    this.held = [];
    session.state.onUpdate(({ showBox }) => showBox !== undefined && this.#turn(showBox));
    session.onRest = () => this.#showTouching();
    document.body.dataset.box = "";
  }

  /** Null while it is off. */
  get current() {
    return this.session.state.settings.showBox ? this.box : null;
  }

  /** @param {SliceView} view */
  draw(view) {
    if (this.current) drawBox(view, this.#slice(view), this.current);
  }

  /**
   * Take the sides under a point into the hand.
   * @param {SliceView} view
   * @param {PlanePoint} at
   * @param {number} withinPx
   * @returns {boolean} whether there are any
   */
  grab(view, at, withinPx) {
    if (!this.session.isEditable || this.session.stroke) return false;
    this.held = this.#sidesAt(view, at, withinPx);
    return this.held.length > 0;
  }

  /**
   * @param {SliceView} view
   * @param {PlanePoint} at
   */
  drag(view, at) {
    this.current?.move(this.held, view.plane, at);
    this.#tell();
  }

  drop() {
    this.session.log.note("box", { box: document.body.dataset.box ?? "" });
  }

  /**
   * Let the pointer show what it would do.
   * @param {SliceView} view
   * @param {PlanePoint | null} at
   * @param {number} withinPx
   */
  hover(view, at, withinPx) {
    const { current } = this;
    const voxel = at && view.grid.voxelAt(view.plane, this.#slice(view), at);
    const isOutside = current !== null && voxel !== null && !current.has(view.grid.indexOf(voxel));
    const isOnSide = at !== null && this.#sidesAt(view, at, withinPx).length > 0;
    view.canvas.classList.toggle("outside", isOutside && !isOnSide);
    view.canvas.classList.toggle("on-side", isOnSide);
  }

  /** @param {boolean} isOn */
  #turn(isOn) {
    const { layer, stage } = this.session;
    if (isOn) this.box ??= EditBox.around(layer);
    // Proposed before the box was there.
    this.session.beforeEdit();
    layer.permits = (index) => this.current?.has(index) ?? true;
    for (const view of stage.all) this.hover(view, null, 0);
    this.#tell();
  }

  #tell() {
    const { current } = this;
    document.body.dataset.box = current ? [...current.low, ...current.high].join(" ") : "";
    this.#showTouching();
    this.session.stage.redraw();
  }

  #showTouching() {
    const touches = this.current?.isTouchedBy(this.session.layer) ?? false;
    byId("touches-box-row").hidden = this.current === null;
    setText("touches-box", touches ? "yes" : "no");
    byId("touches-box").classList.toggle("attention", touches);
  }

  /**
   * @param {SliceView} view
   * @param {PlanePoint} at
   * @param {number} withinPx
   */
  #sidesAt(view, at, withinPx) {
    return this.current?.sidesAt(view.plane, this.#slice(view), at, withinPx / view.viewport.scale) ?? [];
  }

  /** @param {SliceView} view */
  #slice({ plane }) {
    return this.session.state.settings.position[plane.normal];
  }
}
