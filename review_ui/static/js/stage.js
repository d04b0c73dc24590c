/**
 * The three linked views: which of them must be painted anew, and one picture per screen refresh.
 *
 * @typedef {import("./geometry.js").PlaneName} PlaneName
 * @typedef {import("./geometry.js").Vector3} Vector3
 * @typedef {import("./review_state.js").ReviewState} ReviewState
 * @typedef {import("./slice_view.js").SliceView} SliceView
 */
import { greyTable } from "./window_level.js";

/** Which layers are stale; drawing itself is always done. */
const CT = 1;
const LAYERS = 2;
const EXTRAS = 4;
const EVERYTHING = CT | LAYERS | EXTRAS;
/** Settings that are only about extras. */
const EXTRA_SETTINGS = /** @type {const} */ ([
  "showDose",
  "showIsodose",
  "showUncertainty",
  "showReference",
  "showLeverage",
]);

export class Stage {
  /**
   * @param {Record<PlaneName, SliceView>} views
   * @param {ReviewState} state
   */
  constructor(views, state) {
    this.views = views;
    this.state = state;
    this.table = greyTable(state.settings.window);
    /** @type {Map<SliceView, number>} */
    this.stale = new Map();
    this.frame = 0;
    /** Called after each picture. @type {() => void} */
    this.onDrawn = () => {};
    state.onUpdate((changed) => this.#follow(changed));
    new ResizeObserver(() => this.resize()).observe(views.axial.canvas);
    this.#followScreen();
  }

  get all() {
    return Object.values(this.views);
  }

  resize() {
    for (const view of this.all) view.resize();
    this.redraw();
  }

  /** A window that goes to a screen with other dots keeps its size, and nobody else tells. */
  #followScreen() {
    const same = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    const moved = () => {
      this.resize();
      this.#followScreen();
    };
    same.addEventListener("change", moved, { once: true });
  }

  /** What is corrected has come. @param {import("./corrections.js").CorrectionLayer} layer */
  takeLayer(layer) {
    for (const view of this.all) view.layer = layer;
    this.refreshLayers();
  }

  /** Painted voxels changed. */
  refreshLayers() {
    for (const view of this.all) this.#want(view, LAYERS);
  }

  /** Dose, undecided voxels or the contour of the TPS have come, or are shown or hidden. */
  refreshExtras() {
    for (const view of this.all) this.#want(view, EXTRAS);
  }

  /** CT voxels changed, as while loading. */
  refreshCt() {
    for (const view of this.all) this.#want(view, CT | LAYERS);
  }

  /** Only the position of things on the screen changed. @param {SliceView} [only] */
  redraw(only) {
    for (const view of only ? [only] : this.all) this.#want(view, 0);
  }

  /** @param {Partial<import("./review_state.js").Settings>} changed */
  #follow(changed) {
    if (changed.window) {
      this.table = greyTable(changed.window);
      for (const view of this.all) this.#want(view, CT);
    }
    if (changed.position) {
      for (const view of this.all) {
        const moved = Number(view.canvas.dataset.slice) !== changed.position[view.plane.normal];
        this.#want(view, moved ? EVERYTHING : 0);
      }
    }
    const layers = [changed.showPrediction, changed.showCorrections, changed.showOutline];
    if (layers.some((shown) => shown !== undefined)) this.refreshLayers();
    if (EXTRA_SETTINGS.some((name) => changed[name] !== undefined)) this.refreshExtras();
  }

  /**
   * @param {SliceView} view
   * @param {number} what
   */
  #want(view, what) {
    this.stale.set(view, (this.stale.get(view) ?? 0) | what);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.frame = 0;
    const { settings } = this.state;
    for (const [view, what] of this.stale) {
      const slice = settings.position[view.plane.normal];
      if (what & CT) view.updateCt(slice, this.table);
      if (what & LAYERS) view.updateLayers(slice, settings);
      if (what & EXTRAS) view.updateExtras(slice, settings);
      view.draw(settings.position);
    }
    this.stale.clear();
    this.onDrawn();
  }
}
