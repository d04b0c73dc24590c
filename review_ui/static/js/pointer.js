/**
 * Mouse and pen on one view (fingers: touch.js): paint, move the picture, scroll slices, zoom, set the crosshair
 * and the window.
 *
 * @typedef {import("./corrections.js").Tool} Tool
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./slice_view.js").SliceView} SliceView
 *
 * @typedef {object} PointerActions  what the page does about it
 * @property {() => boolean} canPaint
 * @property {(view: SliceView, at: PlanePoint, withinPx: number) => boolean} grabBox  whether a side of the box is there
 * @property {(view: SliceView, at: PlanePoint) => void} dragBox
 * @property {() => void} dropBox
 * @property {(view: SliceView, tool: Tool, at: PlanePoint) => boolean} startStroke  false while another hand draws
 * @property {(view: SliceView, from: PlanePoint, to: PlanePoint) => void} continueStroke
 * @property {() => void} endStroke
 * @property {() => void} breakStroke  the hand was interrupted
 * @property {(view: SliceView, steps: number) => void} scroll
 * @property {(direction: 1 | -1) => void} resizeBrush
 * @property {(view: SliceView) => void} moved  zoomed or shifted
 * @property {(view: SliceView, at: PlanePoint) => void} cross
 * @property {(dx: number, dy: number) => void} dragWindow  CSS pixels
 * @property {() => void} windowSet  the drag is over
 * @property {(view: SliceView, at: PlanePoint | null, tool: Tool) => void} hover
 * @property {() => Tool} tool
 * @property {() => boolean} isSpaceHeld
 */
import { OPPOSITE } from "./corrections.js";
import { Fingers } from "./touch.js";

/** The other end of a pen, in `button` and in `buttons`. */
const ERASER = 5;
const ERASER_HELD = 32;
const ZOOM_STEP = 1.15;
/** So near a mouse takes a side of the box. */
export const SIDE_PX = 5;
/** Wheel travel of one slice; a notch of a mouse wheel is more, a trackpad's event less. */
const WHEEL_STEP = 50;

export class PointerInput {
  /**
   * @param {SliceView} view
   * @param {PointerActions} actions
   * @param {import("./touch.js").Pen} pen
   */
  constructor(view, actions, pen) {
    this.view = view;
    this.pen = pen;
    this.fingers = new Fingers(view, actions, pen);
    this.actions = actions;
    /** @type {number | null} */
    this.pointer = null;
    /** @type {"paint" | "pan" | "cross" | "window" | "box" | null} */
    this.mode = null;
    /** @type {PlanePoint} */
    this.last = [0, 0];
    /** Where the pointer was on the page, CSS pixels. */
    this.lastClient = { x: 0, y: 0 };
    this.wheelTravel = 0;
    const { canvas } = view;
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event));
    // Comes after the two above, and alone where the browser loses a release, as to another window.
    canvas.addEventListener("lostpointercapture", (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** @param {PointerEvent} event @returns {PlanePoint} */
  #pointOf(event) {
    const frame = this.view.canvas.getBoundingClientRect();
    return this.view.viewport.toVoxel(event.clientX - frame.left, event.clientY - frame.top);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.pointerType === "touch") return this.fingers.down(event);
    if (event.pointerType === "pen") this.pen.note(event);
    if (this.pointer !== null) return;
    const point = this.#pointOf(event);
    this.mode = this.#modeOf(event, point);
    if (this.mode === null) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    this.view.canvas.setPointerCapture(event.pointerId);
    this.last = point;
    this.lastClient = { x: event.clientX, y: event.clientY };
    if (this.mode === "cross") this.actions.cross(this.view, point);
    if (this.mode !== "paint") return;
    if (this.actions.startStroke(this.view, this.#toolOf(event), point)) {
      this.actions.continueStroke(this.view, point, point);
    } else this.mode = null;
  }

  /**
   * @param {PointerEvent} event
   * @param {PlanePoint} point
   * @returns {"paint" | "pan" | "cross" | "window" | "box" | null}
   */
  #modeOf(event, point) {
    if (event.button === 1 || (event.button === 0 && this.actions.isSpaceHeld())) return "pan";
    if (event.button === 0 && event.altKey) return "cross";
    if (event.button === 0 && (event.ctrlKey || event.metaKey)) return "window";
    if (event.button === 0 && this.actions.grabBox(this.view, point, SIDE_PX)) return "box";
    const paints = [0, 2, ERASER].includes(event.button);
    return paints && this.actions.canPaint() ? "paint" : null;
  }

  /** @param {PointerEvent} event @returns {Tool} */
  #toolOf(event) {
    if (event.buttons & ERASER_HELD) return "remove";
    const tool = this.actions.tool();
    return event.buttons & 2 ? /** @type {Tool} */ (OPPOSITE[tool]) : tool;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerType === "touch") return this.fingers.move(event);
    if (event.pointerType === "pen") this.pen.note(event);
    if (this.pointer !== null && event.pointerId !== this.pointer) return;
    if (this.pointer !== null && event.buttons === 0) this.#up(event);
    if (this.mode === "pan" || this.mode === "window") {
      const dx = event.clientX - this.lastClient.x;
      const dy = event.clientY - this.lastClient.y;
      this.lastClient = { x: event.clientX, y: event.clientY };
      if (this.mode === "window") {
        this.actions.dragWindow(dx, dy);
        return;
      }
      this.view.viewport.panBy(dx, dy);
      this.actions.moved(this.view);
      return;
    }
    if (this.mode === "cross") this.actions.cross(this.view, this.#pointOf(event));
    if (this.mode === "box") this.actions.dragBox(this.view, this.#pointOf(event));
    if (this.mode === "paint") this.#paintAlong(event);
    this.actions.hover(this.view, this.#pointOf(event), this.#toolOf(event));
  }

  /** @param {PointerEvent} event */
  #paintAlong(event) {
    // The browser bundles moves between two screen refreshes; all of them belong to the stroke.
    const bundled = event.getCoalescedEvents?.() ?? [];
    for (const step of bundled.length ? bundled : [event]) {
      const point = this.#pointOf(step);
      this.actions.continueStroke(this.view, this.last, point);
      this.last = point;
    }
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerType === "touch") return this.fingers.up(event);
    if (event.pointerId !== this.pointer) return;
    if (this.mode === "paint") {
      if (event.type === "pointerup") this.actions.endStroke();
      else this.actions.breakStroke();
    }
    if (this.mode === "window") this.actions.windowSet();
    if (this.mode === "box") this.actions.dropBox();
    this.mode = null;
    this.pointer = null;
  }

  #leave() {
    if (this.pointer === null) this.actions.hover(this.view, null, this.actions.tool());
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    // Shift turns the wheel sideways in some browsers.
    const travel = event.deltaY || event.deltaX;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : WHEEL_STEP;
    this.wheelTravel += travel * lines;
    if (Math.abs(this.wheelTravel) < WHEEL_STEP) return;
    const upwards = this.wheelTravel < 0;
    this.wheelTravel = 0;
    if (event.shiftKey) this.actions.resizeBrush(upwards ? 1 : -1);
    else if (event.ctrlKey || event.metaKey) this.#zoom(event, upwards);
    else this.actions.scroll(this.view, upwards ? 1 : -1);
  }

  /**
   * @param {WheelEvent} event
   * @param {boolean} closer
   */
  #zoom(event, closer) {
    const frame = this.view.canvas.getBoundingClientRect();
    const factor = closer ? ZOOM_STEP : 1 / ZOOM_STEP;
    this.view.viewport.zoomAt(event.clientX - frame.left, event.clientY - frame.top, factor);
    this.actions.moved(this.view);
  }
}
