/**
 * How far the mean dose can still move by changes near the contour, and where. No DOM.
 *
 * The bound is that of dose/sensitivity.py, proven in ADR 0039: each voxel whose centre lies within
 * so many mm of the boundary is in or out as it moves the mean furthest.
 *
 * @typedef {import("./boxed.js").Boxed} Boxed
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./live_dose.js").LiveDose} LiveDose
 *
 * @typedef {object} StopHere
 * @property {number} lowestGy  no change within reach has a lower mean
 * @property {number} highestGy
 * @property {number} largestGy  the most the mean can move
 * @property {Float64Array} bySlice  what each slice can contribute, both directions together
 * @property {number} leadingSlice  with most of the larger move
 * @property {number} uncovered  voxels near the boundary that have no dose
 * @property {Boxed} leverage  of each voxel near the boundary: 1 to 255, relative to the highest
 */
import { nearBoundary } from "./near_boundary.js";
import { boxOf } from "./shape.js";

/**
 * @param {CorrectionLayer} layer
 * @param {LiveDose} live  as the layer stands
 * @param {number} withinMm
 * @returns {StopHere | null} null where there is no mean
 */
export function stopHere(layer, live, withinMm) {
  const { meanGy, gyCc, coveredCc } = live.correction;
  const box = boxOf(layer);
  if (meanGy === null || !box) return null;
  const band = nearBoundary(layer, box, withinMm);
  const { gy, cc, inside } = dosesOf(band.voxels, layer, live);
  // Voxels that are always in.
  const fixed = { gyCc, cc: coveredCc };
  let uncovered = 0;
  let most = 0;
  for (let i = 0; i < gy.length; i++) {
    if (Number.isNaN(gy[i])) uncovered++;
    else {
      most = Math.max(most, cc[i] * Math.abs(gy[i] - meanGy));
      if (!inside[i]) continue;
      fixed.gyCc -= gy[i] * cc[i];
      fixed.cc -= cc[i];
    }
  }
  const highestGy = extremeGy(fixed, gy, cc, meanGy, 1);
  const lowestGy = extremeGy(fixed, gy, cc, meanGy, -1);
  const up = new Float64Array(layer.grid.dims[2]);
  const down = new Float64Array(layer.grid.dims[2]);
  for (let i = 0; i < gy.length; i++) {
    if (Number.isNaN(gy[i])) continue;
    const share = (inside[i] ? -cc[i] : cc[i]) / coveredCc;
    const z = Math.floor(band.voxels[i] / layer.grid.sliceCount);
    up[z] += Math.max(0, share * (gy[i] - highestGy));
    down[z] += Math.max(0, share * (lowestGy - gy[i]));
    band.boxed.values[band.places[i]] = 1 + Math.round((254 * cc[i] * Math.abs(gy[i] - meanGy)) / (most || 1));
  }
  const larger = highestGy - meanGy >= meanGy - lowestGy ? up : down;
  return {
    lowestGy,
    highestGy,
    largestGy: Math.max(highestGy - meanGy, meanGy - lowestGy),
    bySlice: up.map((gray, z) => gray + down[z]),
    leadingSlice: larger.indexOf(Math.max(...larger)),
    uncovered,
    leverage: band.boxed,
  };
}

/** Slices that can move the mean, the most first. @param {Float64Array} bySlice */
export function ranking(bySlice) {
  const slices = Array.from(bySlice.keys()).filter((slice) => bySlice[slice] > 0);
  return slices.sort((a, b) => bySlice[b] - bySlice[a] || a - b);
}

/**
 * The slice after `current` in a ranking, the first where it is not in it.
 * @param {readonly number[]} slices
 * @param {number} current
 * @returns {number | undefined}
 */
export function nextRanked(slices, current) {
  return slices[(slices.indexOf(current) + 1) % slices.length];
}

/**
 * The highest (`sign` 1) or lowest mean of what is fixed and any choice of the others.
 *
 * Each step takes those beyond the mean so far; it moves one way only and ends at the extreme.
 * @param {{gyCc: number, cc: number}} fixed
 * @param {Float64Array} gy  NaN: in no mean
 * @param {Float64Array} cc
 * @param {number} startGy  a mean that one of the choices has
 * @param {1 | -1} sign
 */
function extremeGy(fixed, gy, cc, startGy, sign) {
  for (let mean = startGy; ; ) {
    let sum = fixed.gyCc;
    let volume = fixed.cc;
    for (let i = 0; i < gy.length; i++) {
      if (sign * (gy[i] - mean) > 0) {
        sum += gy[i] * cc[i];
        volume += cc[i];
      }
    }
    const next = sum / volume;
    // Not a number where nothing is left.
    if (!(volume > 1e-12) || !(sign * (next - mean) > 1e-12)) return mean;
    mean = next;
  }
}

/**
 * @param {Uint32Array} voxels
 * @param {CorrectionLayer} layer
 * @param {LiveDose} live
 */
function dosesOf(voxels, layer, live) {
  const gy = new Float64Array(voxels.length);
  const cc = new Float64Array(voxels.length);
  const inside = new Uint8Array(voxels.length);
  for (let i = 0; i < voxels.length; i++) {
    gy[i] = live.gyAt(voxels[i]);
    cc[i] = layer.grid.voxelCc[Math.floor(voxels[i] / layer.grid.sliceCount)];
    inside[i] = Number(layer.contains(voxels[i]));
  }
  return { gy, cc, inside };
}
