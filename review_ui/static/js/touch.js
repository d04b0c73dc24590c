/**
 * Fingers on one view: one paints, or turns slices where a pen does the painting; two move and zoom the
 * picture. Nothing a hand touches while a pen is near counts.
 *
 * @typedef {import("./pointer.js").PointerActions} PointerActions
 * @typedef {import("./slice_view.js").SliceView} SliceView
 * @typedef {{x: number, y: number}} Spot  CSS pixels on the page
 */

/** A finger that moves less has not begun a stroke: another may still come. */
const RESTS_PX = 6;
/** So near a finger takes a side of the box. */
const SIDE_PX = 14;
/** Travel of a finger for one slice. */
const SLICE_PX = 14;
/** So long after a pen was seen the hand that holds it may rest on the screen. */
const PEN_NEAR_MS = 500;

/** What is known of a pen, one for all views. */
export class Pen {
  constructor() {
    this.seenAt = -Infinity;
    /** It has touched this page: from then on it is the pen that paints. */
    this.paints = false;
    /** Called when it comes down. @type {(() => void)[]} */
    this.onDown = [];
  }

  /** @param {PointerEvent} event  of a pen */
  note({ timeStamp, type }) {
    this.seenAt = timeStamp;
    if (type !== "pointerdown") return;
    this.paints = true;
    for (const listener of this.onDown) listener();
  }

  /** @param {PointerEvent} event */
  isNear({ timeStamp }) {
    return timeStamp - this.seenAt < PEN_NEAR_MS;
  }
}

export class Fingers {
  /**
   * @param {SliceView} view
   * @param {PointerActions} actions
   * @param {Pen} pen
   */
  constructor(view, actions, pen) {
    this.view = view;
    this.actions = actions;
    this.pen = pen;
    /** Where each finger is, in the order they came. @type {Map<number, Spot>} */
    this.spots = new Map();
    /** @type {"rest" | "paint" | "box" | "slices" | "two" | "done"} */
    this.mode = "done";
    /** Where the finger came down, and where its stroke has come to. @type {Spot} */
    this.from = { x: 0, y: 0 };
    pen.onDown.push(() => this.#end());
  }

  /** @param {PointerEvent} event */
  down(event) {
    event.preventDefault();
    if (this.pen.isNear(event)) return;
    const spot = spotOf(event);
    this.spots.set(event.pointerId, spot);
    if (this.spots.size === 1) {
      this.mode = "rest";
      this.from = spot;
    } else {
      if (this.mode === "paint") this.actions.breakStroke();
      this.mode = this.spots.size === 2 ? "two" : "done";
    }
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.spots.has(event.pointerId)) return;
    const bundled = event.getCoalescedEvents?.() ?? [];
    const spots = (bundled.length ? bundled : [event]).map(spotOf);
    if (this.mode === "two") this.#pinch(event.pointerId, spots[spots.length - 1]);
    for (const spot of spots) this.#one(spot);
    this.spots.set(event.pointerId, spots[spots.length - 1]);
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (!this.spots.delete(event.pointerId)) return;
    // A tap is a dab.
    if (this.mode === "rest" && event.type === "pointerup" && !this.pen.paints) this.#startPainting();
    if (this.mode === "paint") {
      if (event.type === "pointerup") this.actions.endStroke();
      else this.actions.breakStroke();
    }
    if (this.mode === "box") this.actions.dropBox();
    // The finger that stays after two does not begin to paint.
    this.mode = "done";
  }

  /** @param {Spot} spot  of the only finger */
  #one(spot) {
    const [dx, dy] = [spot.x - this.from.x, spot.y - this.from.y];
    if (this.mode === "rest" && Math.hypot(dx, dy) >= RESTS_PX) {
      if (this.actions.grabBox(this.view, this.#pointAt(this.from), SIDE_PX)) this.mode = "box";
      else if (this.pen.paints) this.mode = "slices";
      else this.#startPainting();
    }
    if (this.mode === "box") this.actions.dragBox(this.view, this.#pointAt(spot));
    if (this.mode === "paint") {
      this.actions.continueStroke(this.view, this.#pointAt(this.from), this.#pointAt(spot));
      this.from = spot;
    }
    const slices = Math.trunc(dy / SLICE_PX);
    if (this.mode === "slices" && slices !== 0) {
      this.actions.scroll(this.view, -slices);
      this.from = { x: spot.x, y: this.from.y + slices * SLICE_PX };
    }
  }

  #startPainting() {
    this.mode = this.actions.canPaint() ? "paint" : "done";
    if (this.mode !== "paint") return;
    const at = this.#pointAt(this.from);
    if (this.actions.startStroke(this.view, this.actions.tool(), at)) this.actions.continueStroke(this.view, at, at);
    else this.mode = "done";
  }

  /**
   * One of two fingers moves: what is between them stays between them.
   * @param {number} id
   * @param {Spot} spot
   */
  #pinch(id, spot) {
    const before = [...this.spots.values()];
    const after = [...this.spots].map(([each, was]) => (each === id ? spot : was));
    const [from, to] = [middleOf(before), middleOf(after)];
    const { viewport, canvas } = this.view;
    const frame = canvas.getBoundingClientRect();
    viewport.panBy(to.x - from.x, to.y - from.y);
    viewport.zoomAt(to.x - frame.left, to.y - frame.top, spanOf(after) / spanOf(before));
    this.actions.moved(this.view);
  }

  #end() {
    if (this.mode === "paint") this.actions.breakStroke();
    this.mode = "done";
    this.spots.clear();
  }

  /** @param {Spot} spot */
  #pointAt({ x, y }) {
    const frame = this.view.canvas.getBoundingClientRect();
    return this.view.viewport.toVoxel(x - frame.left, y - frame.top);
  }
}

/** @param {PointerEvent} event @returns {Spot} */
function spotOf({ clientX, clientY }) {
  return { x: clientX, y: clientY };
}

/** @param {Spot[]} spots  two */
function middleOf([one, other]) {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}

/** @param {Spot[]} spots  two */
function spanOf([one, other]) {
  return Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
}
