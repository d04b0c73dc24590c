/**
 * Whether one may stop: how far further corrections can move the mean dose, said when the hand rests.
 *
 * For scripts and tests #stop-here says the most the mean can move in data-gy.
 *
 * @typedef {import("./leverage.js").StopHere} StopHere
 *
 * @typedef {object} Tolerance  review.stop_within_mm and review.stop_tolerance_gy
 * @property {number} within_mm
 * @property {number} tolerance_gy
 */
import { stopHere } from "./leverage.js";
import { showLayerRow } from "./layer_panel.js";
import { byId, setText } from "./page.js";

/** The bound costs a tenth of a second for a heart: not while the hand is at work. */
const PAUSE_MS = 600;

export class StopHereWatch {
  /**
   * @param {object} parts
   * @param {import("./corrections.js").CorrectionLayer} parts.layer
   * @param {import("./live_figures.js").LiveFigures} parts.figures
   * @param {import("./stage.js").Stage} parts.stage
   * @param {{roi_words: string, stop_here: Tolerance}} parts.facts
   */
  constructor({ layer, figures, stage, facts }) {
    this.layer = layer;
    this.figures = figures;
    this.stage = stage;
    this.facts = facts;
    this.timer = 0;
    this.isStale = true;
    /** @type {StopHere | null} */
    this.bound = null;
  }

  /** The structure changed, or a dose came. */
  changed() {
    this.isStale = true;
    byId("stop-here").classList.add("stale");
    window.clearTimeout(this.timer);
    if (this.figures.live) this.timer = window.setTimeout(() => this.#rested(), PAUSE_MS);
  }

  /** Of the structure as it stands; null without a dose. */
  now() {
    if (this.isStale) this.#recompute();
    return this.bound;
  }

  /** The dose it was about counts no more. */
  forget() {
    if (!this.bound) return;
    this.changed();
    this.now();
  }

  #rested() {
    if (this.layer.isPainting) this.changed();
    else this.now();
  }

  #recompute() {
    this.isStale = false;
    const { live } = this.figures;
    this.bound = live && stopHere(this.layer, live, this.facts.stop_here.within_mm);
    this.stage.views.axial.extras.leverage = this.bound?.leverage ?? null;
    this.stage.refreshExtras();
    if (this.bound) showLayerRow("layer-leverage");
    setText("stop-here", this.bound && live ? sentence(this.bound, live.dose.isExact, this.facts) : "");
    byId("stop-here").classList.remove("stale");
    byId("stop-here").dataset.gy = String(this.bound?.largestGy ?? "");
  }
}

/**
 * @param {StopHere} bound
 * @param {boolean} isExact  whether the page has the very dose that figures are made from
 * @param {{roi_words: string, stop_here: Tolerance}} facts
 */
export function sentence({ largestGy, leadingSlice, uncovered }, isExact, { roi_words, stop_here }) {
  const { within_mm, tolerance_gy } = stop_here;
  const mean = `the mean ${roi_words} dose`;
  if (isExact && uncovered === 0 && largestGy <= tolerance_gy) {
    return `No further correction within ${within_mm} mm moves ${mean} by more than ${tolerance_gy} Gy.`;
  }
  // Rounded up: it must not be passed.
  const most = (Math.ceil(largestGy * 100 - 1e-9) / 100).toFixed(2);
  const about = isExact ? "" : "about ";
  const rest = uncovered ? " Part of the surroundings has no dose and is not counted." : "";
  return (
    `Corrections within ${within_mm} mm can move ${mean} by up to ${about}${most} Gy, ` +
    `the largest part on slice ${leadingSlice + 1}.${rest}`
  );
}
