/**
 * Where to look next. No DOM.
 *
 * @typedef {import("./boxed.js").Boxed} Boxed
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./dose_grid.js").DoseGrid} DoseGrid
 * @typedef {import("./geometry.js").Vector3} Vector3
 */
import { PLANES } from "./geometry.js";

/** Two contours of a slice agree from this Dice on. */
const AGREEING_DICE = 0.9;

/**
 * The quarter of the slices in which a prediction is undecided that are the most so.
 * @param {ArrayLike<number>} sums  how undecided each slice is, 0 where nothing is
 * @returns {number[]} ascending
 */
export function doubtfulSlices(sums) {
  const slices = Array.from(sums, (_, slice) => slice).filter((slice) => sums[slice] > 0);
  slices.sort((a, b) => sums[b] - sums[a]);
  return slices.slice(0, Math.ceil(slices.length / 4)).sort((a, b) => a - b);
}

/**
 * Slices in which the corrected structure and a reference differ.
 * @param {CorrectionLayer} layer
 * @param {Boxed} reference
 * @returns {number[]} ascending
 */
export function differingSlices(layer, reference) {
  const { dims, sliceCount } = layer.grid;
  const theirs = reference.sums(dims[2]);
  const shared = new Float64Array(dims[2]);
  const [x0, y0, z0] = reference.start;
  const [columns, rows, slices] = reference.size;
  for (let z = 0, i = 0; z < slices; z++) {
    for (let y = 0; y < rows; y++) {
      let index = (z0 + z) * sliceCount + (y0 + y) * dims[0] + x0;
      for (let x = 0; x < columns; x++, i++, index++) {
        if (reference.values[i] && layer.contains(index)) shared[z0 + z]++;
      }
    }
  }
  /** @type {number[]} */
  const found = [];
  layer.voxelsPerSlice.forEach((ours, z) => {
    const all = ours + theirs[z];
    if (all > 0 && (2 * shared[z]) / all < AGREEING_DICE) found.push(z);
  });
  return found;
}

/**
 * The next of some slices from `current` on, in turn.
 * @param {readonly number[]} slices  ascending
 * @param {number} current
 * @param {1 | -1} direction  1 towards the head
 * @returns {number | undefined}
 */
export function nextOf(slices, current, direction) {
  if (direction > 0) return slices.find((slice) => slice > current) ?? slices[0];
  return [...slices].reverse().find((slice) => slice < current) ?? slices.at(-1);
}

/**
 * The voxel of the corrected structure that gets most dose.
 * @param {CorrectionLayer} layer
 * @param {DoseGrid} dose
 * @returns {Vector3 | null}
 */
export function hottestVoxel(layer, dose) {
  const { dims, sliceCount } = layer.grid;
  const field = new Float32Array(sliceCount);
  let most = -1;
  let found = -1;
  layer.voxelsPerSlice.forEach((count, z) => {
    if (count === 0) return;
    dose.slice(PLANES.axial, z, field);
    for (let i = 0; i < sliceCount; i++) {
      if (field[i] > most && layer.contains(z * sliceCount + i)) {
        most = field[i];
        found = z * sliceCount + i;
      }
    }
  });
  if (found < 0) return null;
  return [found % dims[0], Math.floor(found / dims[0]) % dims[1], Math.floor(found / sliceCount)];
}

/** The slice whose sum is the highest; undefined where all are 0. @param {ArrayLike<number>} sums */
export function highestSlice(sums) {
  let best = -1;
  for (let slice = 0; slice < sums.length; slice++) {
    if (sums[slice] > (best < 0 ? 0 : sums[best])) best = slice;
  }
  return best < 0 ? undefined : best;
}
