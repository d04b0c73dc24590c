/**
 * Mean dose and DVH on the page: what the server told, kept up while painting.
 *
 * For scripts and tests #mean-dose says the mean with all its digits in data-gy.
 *
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./dose_grid.js").DoseGrid} DoseGrid
 * @typedef {import("./live_dose.js").DoseTally} DoseTally
 * @typedef {import("./panel.js").Figures} Figures
 */
import { showDvh } from "./dvh_plot.js";
import { LiveDose } from "./live_dose.js";
import { byId } from "./page.js";
import { showFigures } from "./panel.js";

export class LiveFigures {
  /** @param {CorrectionLayer} layer */
  constructor(layer) {
    this.layer = layer;
    /** Null while there is no dose, and where the server means another one. @type {LiveDose | null} */
    this.live = null;
    /** What the server said last. @type {Figures | null} */
    this.told = null;
    this.frame = 0;
    layer.onVoxel = (index, inside) => this.live?.flip(index, inside);
  }

  /** The figures of the structure as it stands; null where only the server can tell. @returns {Figures | null} */
  get current() {
    if (!this.told || !this.live?.dose.isExact) return null;
    const [prediction, correction] = [this.live.prediction, this.live.correction].map(figureOf);
    const means = [prediction?.mean_gy, correction?.mean_gy];
    const difference_gy = means.every((gy) => typeof gy === "number")
      ? /** @type {number} */ (means[1]) - /** @type {number} */ (means[0])
      : null;
    return { ...this.told, prediction, correction, difference_gy };
  }

  /** @param {DoseGrid} dose */
  takeDose(dose) {
    this.live = new LiveDose(this.layer, dose);
    this.#keepToOneDose();
    this.changed();
  }

  /** @param {Figures} figures */
  takeTold(figures) {
    this.told = figures;
    this.#keepToOneDose();
    this.#show(figures);
  }

  /** The structure changed: its figures are on the screen with the next picture. */
  changed() {
    if (!this.current) byId("mean-dose").classList.add("stale");
    if (this.live && !this.frame) this.frame = requestAnimationFrame(() => this.#show(null));
  }

  /** A dose that came after the page was opened is known to the server alone. */
  #keepToOneDose() {
    if (this.live && this.told && this.told.dose_id !== this.live.dose.id) this.live = null;
  }

  /** @param {Figures | null} told  shown where the page cannot tell by itself */
  #show(told) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const figures = this.current ?? told;
    if (figures) {
      showFigures(figures);
      byId("mean-dose").dataset.gy = String(figures.correction?.mean_gy ?? "");
    }
    showDvh(this.live);
  }
}

/** @param {DoseTally} tally @returns {import("./panel.js").Figure | null} */
function figureOf({ volumeCc, voxels, meanGy, coverage }) {
  return volumeCc > 1e-9 || voxels > 0 ? { volume_cc: volumeCc, mean_gy: meanGy, coverage } : null;
}
