/**
 * Mean dose and DVH of prediction and correction, kept up voxel by voxel while painting. No DOM.
 *
 * What the server computes of the whole mask, in time that grows with what changed alone.
 *
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./dose_grid.js").DoseGrid} DoseGrid
 */

/** Of the DVH: finer than a pixel of any plot. */
const BINS = 1024;

/** Sums over the voxels of one structure. */
export class DoseTally {
  /** @param {number} binGy */
  constructor(binGy) {
    this.binGy = binGy;
    this.volumeCc = 0;
    /** Of the part the dose grid covers: its volume, and the sum of dose times volume. */
    this.coveredCc = 0;
    this.gyCc = 0;
    this.voxels = 0;
    /** Covered volume in cc by dose. */
    this.bins = new Float64Array(BINS + 1);
  }

  /**
   * A voxel comes in, or goes out.
   * @param {number} gy  NaN where it is not covered
   * @param {number} cc
   * @param {1 | -1} sign
   */
  take(gy, cc, sign) {
    this.volumeCc += sign * cc;
    if (Number.isNaN(gy)) return;
    this.voxels += sign;
    this.coveredCc += sign * cc;
    this.gyCc += sign * gy * cc;
    this.bins[Math.max(0, Math.min(BINS, Math.floor(gy / this.binGy)))] += sign * cc;
  }

  /** Of the covered part; null where there is none. */
  get meanGy() {
    return this.voxels > 0 ? this.gyCc / this.coveredCc : null;
  }

  get coverage() {
    return this.volumeCc > 0 && this.voxels > 0 ? this.coveredCc / this.volumeCc : 0;
  }

  /** Covered volume in cc that gets at least so many bins of dose. */
  atLeastCc() {
    const cc = this.bins.slice();
    for (let bin = BINS - 1; bin >= 0; bin--) cc[bin] += cc[bin + 1];
    return cc;
  }

  /** The dose of the highest bin in use. */
  get highestGy() {
    let bin = BINS;
    // What came in and went out leaves the last digits of a sum.
    while (bin >= 0 && this.bins[bin] < 1e-9) bin--;
    return (bin + 1) * this.binGy;
  }
}

export class LiveDose {
  /**
   * @param {CorrectionLayer} layer  as it stands; later changes come through `flip`
   * @param {DoseGrid} dose
   */
  constructor(layer, dose) {
    this.grid = layer.grid;
    this.dose = dose;
    const binGy = Math.max(dose.maxGy, 1e-6) / BINS;
    this.prediction = new DoseTally(binGy);
    this.correction = new DoseTally(binGy);
    const { sliceCount } = this.grid;
    layer.voxelsPerSlice.forEach((count, z) => {
      if (count === 0 && layer.predictedPerSlice[z] === 0) return;
      for (let index = z * sliceCount; index < (z + 1) * sliceCount; index++) {
        const predicted = layer.prediction[index] !== 0;
        const corrected = layer.contains(index);
        if (!predicted && !corrected) continue;
        const gy = this.gyAt(index);
        if (predicted) this.prediction.take(gy, this.grid.voxelCc[z], 1);
        if (corrected) this.correction.take(gy, this.grid.voxelCc[z], 1);
      }
    });
  }

  /**
   * A voxel of the corrected structure came in or went out.
   * @param {number} index
   * @param {boolean} inside
   */
  flip(index, inside) {
    const cc = this.grid.voxelCc[Math.floor(index / this.grid.sliceCount)];
    this.correction.take(this.gyAt(index), cc, inside ? 1 : -1);
  }

  /** The dose at a voxel in Gy, NaN where it is not covered. @param {number} index */
  gyAt(index) {
    const { dims, sliceCount } = this.grid;
    const within = index % sliceCount;
    return this.dose.gyAt(within % dims[0], Math.floor(within / dims[0]), Math.floor(index / sliceCount));
  }
}
