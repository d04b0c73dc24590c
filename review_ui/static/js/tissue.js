/**
 * What the CT says of a correction: the tissue that was corrected, and the one it stopped at. No DOM.
 *
 * @typedef {import("./blocks.js").Contains} Contains
 *
 * @typedef {{hu: number, spreadHu: number}} Tissue  median and spread (scaled median deviation)
 */
import { squaredDistances } from "./distance.js";
import { median } from "./shapes.js";

/** How far around the correction the other tissue is looked at. */
const RING_MM = 5;
/** The two tissues differ where their medians do by this many times their spread ... */
const CLEAR_SPREADS = 1.5;
/** ... and by this much. */
const CLEAR_HU = 25;

/**
 * The tissue that was corrected, and the one the correction stopped at: for what was added that around
 * it outside the structure, for what was removed that around it inside.
 * @param {import("./blocks.js").Block} region
 * @param {Int16Array} ct
 * @param {Contains} contains
 * @param {boolean} added
 * @returns {[Tissue, Tissue]}
 */
export function tissues(region, ct, contains, added) {
  const squared = squaredDistances(region.inside, region.centresMm);
  /** @type {number[]} */
  const edited = [];
  /** @type {number[]} */
  const other = [];
  region.forEach((index, at) => {
    if (region.inside[at]) edited.push(ct[index]);
    else if (squared[at] <= RING_MM * RING_MM && contains(index) !== added) other.push(ct[index]);
  });
  return [tissueOf(edited), tissueOf(other)];
}

/** @param {number[]} values @returns {Tissue} */
function tissueOf(values) {
  if (values.length === 0) return { hu: NaN, spreadHu: NaN };
  const hu = median(values);
  return { hu, spreadHu: 1.4826 * median(values.map((value) => Math.abs(value - hu))) };
}

/** Whether the CT tells them apart. @param {Tissue} edited @param {Tissue} other */
export function areClear(edited, other) {
  const apart = Math.abs(edited.hu - other.hu);
  return apart >= Math.max(CLEAR_HU, CLEAR_SPREADS * (edited.spreadHu + other.spreadHu));
}

/**
 * Voxels that show the tissue of the correction rather than the other.
 * @param {import("./blocks.js").Block} slice
 * @param {Int16Array} ct
 * @param {Tissue} edited
 * @param {Tissue} other
 * @returns {Uint8Array}
 */
export function likeEdited(slice, ct, edited, other) {
  const like = new Uint8Array(slice.inside.length);
  const { grid, dims } = slice;
  slice.forEach((index, at) => {
    // The mean with its neighbours on the slice: less noise.
    let sum = ct[index];
    let count = 1;
    for (const [axis, stride] of grid.strides.entries()) {
      if (dims[axis] === 1) continue;
      const place = Math.floor(index / stride) % grid.dims[axis];
      if (place > 0) (sum += ct[index - stride]), count++;
      if (place < grid.dims[axis] - 1) (sum += ct[index + stride]), count++;
    }
    const hu = sum / count;
    like[at] = Number(Math.abs(hu - edited.hu) < Math.abs(hu - other.hu));
  });
  return like;
}
