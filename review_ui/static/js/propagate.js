/**
 * What was corrected on one slice, proposed for its neighbours. No DOM.
 *
 * From slice to slice the corrected region is followed outwards. On each it may move by a little: voxels
 * near the region found on the slice before are taken where their tissue is that of the correction
 * rather than the tissue the correction stopped at. Where the CT shows no difference between the two,
 * the region itself is taken, smaller with every millimetre. What hangs together with nothing on the
 * slice before is left out, and the way ends where nothing is left.
 *
 * @typedef {import("./blocks.js").Bounds} Bounds
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./blocks.js").Contains} Contains
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {object} Edit  what one stroke changed on its slice
 * @property {Plane} plane
 * @property {number} slice
 * @property {Uint32Array} changed  voxels that went in or out, all the same way
 * @property {boolean} added  the way
 * @property {readonly number[]} [drawn]  slices the hand drew on: what is there stays
 */
import { Block, widened } from "./blocks.js";
import { signedDistances, squaredDistances } from "./distance.js";
import { PLANES } from "./geometry.js";
import { joined } from "./interpolate.js";
import { pieces } from "./regions.js";
import { median } from "./shapes.js";
import { drawnSlices, lastEdit } from "./step_names.js";

/** How far from the edited slice a correction is proposed. */
export const REACH_MM = 20;
/** By how much the region may move or widen from one slice to the next where the CT guides it. */
const SLACK_MM = 3;
/** How far around the correction the other tissue is looked at. */
const RING_MM = 5;
/** The two tissues differ where their medians do by this many times their spread ... */
const CLEAR_SPREADS = 1.5;
/** ... and by this much. */
const CLEAR_HU = 25;
/** What the region loses at its rim for each mm away where the CT does not guide it. */
const FADE = 0.5;

/** Median and spread (scaled median deviation). @typedef {{hu: number, spreadHu: number}} Tissue */

/**
 * @param {Grid} grid
 * @param {Int16Array} ct
 * @param {Contains} contains  the structure with the edit in it
 * @param {Edit} edit
 * @returns {Change & {slices: number, guided: boolean}} guided: the CT tells the two tissues apart
 */
export function propagated(grid, ct, contains, edit) {
  const { plane, slice, changed, added, drawn = [] } = edit;
  const isChanged = new Set(changed);
  const area = widened(grid, boxOf(grid, changed), voxelsIn(grid, plane, RING_MM + SLACK_MM));
  const start = onSlice(grid, area, plane, slice, (index) => isChanged.has(index));
  const [edited, other] = tissues(start, ct, contains, added);
  const guided = areClear(edited, other);
  /** @type {Uint32Array[]} */
  const found = [];
  for (const direction of [-1, 1]) {
    let before = start;
    for (let next = slice + direction; ; next += direction) {
      const awayMm = Math.abs(grid.centresMm[plane.normal][next] - grid.centresMm[plane.normal][slice]);
      if (!(awayMm <= REACH_MM) || drawn.includes(next)) break;
      const here = onSlice(grid, area, plane, next, (index) => contains(index) !== added);
      const region = guided ? followed(before, here, ct, edited, other) : faded(start, here, awayMm);
      const connected = hangingOn(before, region);
      const indices = /** @type {number[]} */ ([]);
      here.forEach((index, at) => connected[at] && indices.push(index));
      if (indices.length === 0) break;
      found.push(Uint32Array.from(indices));
      here.inside.set(connected);
      before = here;
    }
  }
  const voxels = joined(found);
  const none = new Uint32Array();
  return { added: added ? voxels : none, removed: added ? none : voxels, slices: found.length, guided };
}

/**
 * What the hand changed last, stroke after stroke on one slice, for the neighbours of that slice.
 * @param {import("./corrections.js").CorrectionLayer} layer
 * @param {Int16Array} ct
 * @returns {{plane: import("./geometry.js").PlaneName, slice: number, change: Change, slices: number, guided: boolean} | null}
 *   null where there is nothing to propose
 */
export function propagatedEdit(layer, ct) {
  const edit = lastEdit(layer);
  if (!edit) return null;
  const { label, added, removed } = edit;
  const plane = PLANES[label.plane];
  const drawn = drawnSlices(layer.undoSteps, label.plane);
  const contains = (/** @type {number} */ index) => layer.contains(index);
  const ways = [{ changed: added, added: true }, { changed: removed, added: false }];
  const found = ways
    .filter(({ changed }) => changed.length > 0)
    .map((way) => propagated(layer.grid, ct, contains, { plane, slice: label.slice, drawn, ...way }));
  const change = {
    added: joined(found.map((each) => each.added)),
    removed: joined(found.map((each) => each.removed)),
  };
  if (change.added.length + change.removed.length === 0) return null;
  const slices = Math.max(...found.map((each) => each.slices));
  return { plane: label.plane, slice: label.slice, change, slices, guided: found.every((each) => each.guided) };
}

/**
 * Voxels near the region of the slice before that show the tissue of the correction.
 * @param {Block} before
 * @param {Block} here  what could change
 * @param {Int16Array} ct
 * @param {Tissue} edited
 * @param {Tissue} other
 */
function followed(before, here, ct, edited, other) {
  const squared = squaredDistances(before.inside, before.centresMm);
  const region = new Uint8Array(here.inside.length);
  const hu = smoothed(here, ct);
  here.forEach((_, at) => {
    const near = squared[at] <= SLACK_MM * SLACK_MM;
    region[at] = Number(near && here.inside[at] !== 0 && isLike(hu[at], edited, other));
  });
  return region;
}

/**
 * The region of the edited slice without its rim.
 * @param {Block} start
 * @param {Block} here  what could change
 * @param {number} awayMm
 */
function faded(start, here, awayMm) {
  const depthMm = signedDistances(start.inside, start.centresMm);
  return here.inside.map((possible, at) => Number(possible !== 0 && depthMm[at] > FADE * awayMm));
}

/**
 * The pieces of `region` that overlap with the region before.
 * @param {Block} before
 * @param {Uint8Array} region
 */
function hangingOn(before, region) {
  const { labels } = pieces(region, before.dims);
  const kept = new Set();
  labels.forEach((label, at) => {
    if (label && before.inside[at]) kept.add(label);
  });
  return region.map((_, at) => Number(kept.has(labels[at])));
}

/**
 * The tissue that was corrected, and the one the correction stopped at: for what was added that around
 * it outside the structure, for what was removed that around it inside.
 * @param {Block} start
 * @param {Int16Array} ct
 * @param {Contains} contains
 * @param {boolean} added
 * @returns {[Tissue, Tissue]}
 */
function tissues(start, ct, contains, added) {
  const squared = squaredDistances(start.inside, start.centresMm);
  /** @type {number[]} */
  const edited = [];
  /** @type {number[]} */
  const other = [];
  start.forEach((index, at) => {
    if (start.inside[at]) edited.push(ct[index]);
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
function areClear(edited, other) {
  const apart = Math.abs(edited.hu - other.hu);
  return apart >= Math.max(CLEAR_HU, CLEAR_SPREADS * (edited.spreadHu + other.spreadHu));
}

/** @param {number} hu @param {Tissue} edited @param {Tissue} other */
function isLike(hu, edited, other) {
  return Math.abs(hu - edited.hu) < Math.abs(hu - other.hu);
}

/**
 * The mean of each voxel and its neighbours on the slice: less noise.
 * @param {Block} block  one slice
 * @param {Int16Array} ct
 */
function smoothed({ grid, dims, inside, low }, ct) {
  const hu = new Float64Array(inside.length);
  const block = new Block(grid, { low, high: /** @type {Vector3} */ (low.map((first, a) => first + dims[a] - 1)) }, () => false);
  block.forEach((index, at) => {
    let sum = 0;
    let count = 0;
    for (const [axis, stride] of grid.strides.entries()) {
      if (dims[axis] === 1) continue;
      const place = Math.floor(index / stride) % grid.dims[axis];
      if (place > 0) (sum += ct[index - stride]), count++;
      if (place < grid.dims[axis] - 1) (sum += ct[index + stride]), count++;
    }
    hu[at] = (sum + ct[index]) / (count + 1);
  });
  return hu;
}

/**
 * The part of `area` on one slice.
 * @param {Grid} grid
 * @param {Bounds} area
 * @param {Plane} plane
 * @param {number} slice
 * @param {Contains} contains
 */
function onSlice(grid, area, plane, slice, contains) {
  const bounds = { low: /** @type {Vector3} */ ([...area.low]), high: /** @type {Vector3} */ ([...area.high]) };
  bounds.low[plane.normal] = slice;
  bounds.high[plane.normal] = slice;
  return new Block(grid, bounds, contains);
}

/**
 * The smallest box around voxels.
 * @param {Grid} grid
 * @param {Uint32Array} indices  at least one
 * @returns {Bounds}
 */
function boxOf({ strides, dims }, indices) {
  /** @type {Vector3} */
  const low = [Infinity, Infinity, Infinity];
  /** @type {Vector3} */
  const high = [-1, -1, -1];
  for (const index of indices) {
    for (let axis = 0; axis < 3; axis++) {
      const place = Math.floor(index / strides[axis]) % dims[axis];
      low[axis] = Math.min(low[axis], place);
      high[axis] = Math.max(high[axis], place);
    }
  }
  return { low, high };
}

/**
 * At least as many voxels as reach `mm` within a plane.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} mm
 * @returns {Vector3}
 */
function voxelsIn({ spacingMm }, plane, mm) {
  /** @type {Vector3} */
  const voxels = [0, 0, 0];
  for (const axis of [plane.across, plane.down]) voxels[axis] = Math.ceil(mm / spacingMm[axis]);
  return voxels;
}
