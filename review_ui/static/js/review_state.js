/**
 * What the reviewer has set on the page: tool, brush, window, layers, where the three planes cross.
 *
 * @typedef {import("./corrections.js").Tool} Tool
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {object} Settings
 * @property {Tool} tool
 * @property {import("./strokes.js").Shape} shape
 * @property {number} radiusMm
 * @property {number} toleranceHu  of the smart brush
 * @property {boolean} propagates  a correction is proposed for neighbouring slices
 * @property {import("./window_level.js").HuWindow} window
 * @property {boolean} showPrediction
 * @property {boolean} showCorrections
 * @property {boolean} showOutline
 * @property {boolean} showDose  as a colour wash
 * @property {boolean} showIsodose
 * @property {boolean} showUncertainty
 * @property {boolean} showReference  the contour of the TPS
 * @property {boolean} showBox  that painting keeps to
 * @property {boolean} showLeverage  how much voxels near the contour move the mean dose
 * @property {Vector3} position  the voxel where the three slices cross
 */
import { WINDOWS } from "./window_level.js";

export class ReviewState {
  /** @param {Vector3} position */
  constructor(position) {
    /** @type {Settings} */
    this.settings = {
      tool: "add",
      shape: "brush",
      radiusMm: 8,
      toleranceHu: 50,
      propagates: true,
      window: WINDOWS[0],
      showPrediction: true,
      showCorrections: true,
      showOutline: true,
      showDose: false,
      showIsodose: false,
      showUncertainty: false,
      showReference: false,
      showLeverage: false,
      showBox: false,
      position,
    };
    /** @type {((changed: Partial<Settings>) => void)[]} */
    this.listeners = [];
  }

  /** @param {Partial<Settings>} changed */
  update(changed) {
    Object.assign(this.settings, changed);
    for (const listener of this.listeners) listener(changed);
  }

  /** @param {(changed: Partial<Settings>) => void} listener */
  onUpdate(listener) {
    this.listeners.push(listener);
  }
}
