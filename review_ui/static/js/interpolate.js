/**
 * Shapes between drawn slices, by signed distance in millimetres. No DOM.
 *
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./blocks.js").Contains} Contains
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 */
import { around, Block, boundsOf, sliceOf, widened } from "./blocks.js";
import { signedDistances } from "./distance.js";

/** Over a longer way a shape in between is a guess. */
export const LONGEST_GAP_MM = 25;
/** Rounding's worth: half way between a voxel and its mirror image is outside. */
const TIE_MM = 1e-9;

/**
 * What lies between each two neighbouring drawn slices, in place of what is there.
 *
 * Between them the border is where the two signed distances, weighted by how near each slice is, cancel.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {Contains} contains
 * @param {readonly number[]} drawn  slices of this plane, in any order
 * @returns {Change & {slices: number}} with the number of slices in between
 */
export function interpolated(grid, plane, contains, drawn) {
  const ordered = [...new Set(drawn)].sort((a, b) => a - b);
  const centres = grid.centresMm[plane.normal];
  /** @type {Change[]} */
  const changes = [];
  for (let i = 1; i < ordered.length; i++) {
    const [first, last] = [ordered[i - 1], ordered[i]];
    if (centres[last] - centres[first] > LONGEST_GAP_MM) continue;
    changes.push(...between(grid, plane, contains, first, last));
  }
  return {
    added: joined(changes.map(({ added }) => added)),
    removed: joined(changes.map(({ removed }) => removed)),
    slices: changes.length,
  };
}

/**
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {Contains} contains
 * @param {number} first
 * @param {number} last
 * @returns {Change[]} one for each slice in between; none where one of the two is empty
 */
function between(grid, plane, contains, first, last) {
  const boundsAt = (/** @type {number} */ slice) => boundsOf(grid, contains, sliceOf(grid, plane, slice));
  const low = boundsAt(first);
  const high = boundsAt(last);
  if (!low || !high) return [];
  // The weighted distance is positive only where one of both is, so nothing lies outside both boxes.
  let box = around(low, high);
  for (let slice = first + 1; slice < last; slice++) {
    const here = boundsAt(slice);
    if (here) box = around(box, here);
  }
  box = widened(grid, box, [1, 1, 1]);
  const blockAt = (/** @type {number} */ slice) => {
    const bounds = { low: /** @type {typeof box.low} */ ([...box.low]), high: /** @type {typeof box.low} */ ([...box.high]) };
    bounds.low[plane.normal] = slice;
    bounds.high[plane.normal] = slice;
    return new Block(grid, bounds, contains);
  };
  const [before, after] = [blockAt(first), blockAt(last)].map(({ inside, centresMm }) => signedDistances(inside, centresMm));
  const centres = grid.centresMm[plane.normal];
  /** @type {Change[]} */
  const changes = [];
  for (let slice = first + 1; slice < last; slice++) {
    const share = (centres[slice] - centres[first]) / (centres[last] - centres[first]);
    changes.push(blockAt(slice).changeTo((at) => (1 - share) * before[at] + share * after[at] > TIE_MM));
  }
  return changes;
}

/** All of them, ascending. @param {Uint32Array[]} parts */
export function joined(parts) {
  return Uint32Array.from(parts.flatMap((part) => [...part])).sort();
}
