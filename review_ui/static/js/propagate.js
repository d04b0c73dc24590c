/**
 * What was corrected on one slice, proposed for its neighbours. No DOM.
 *
 * From slice to slice the corrected region is followed outwards; on each it may move by a little.
 * Where the CT tells the corrected tissue from the one the correction stopped at, its voxels are
 * taken (tissue.js). Where it does not, the corrected contour runs on as the contour beside it does
 * (carried.js); where there is none, the region itself is taken, smaller with every millimetre. What
 * hangs together with nothing on the slice before is left out, and the way ends where nothing is left.
 *
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./blocks.js").Contains} Contains
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {"tissue" | "contour" | "fading"} Guide  what the proposal follows
 *
 * @typedef {object} Edit  what one stroke changed on its slice
 * @property {Plane} plane
 * @property {number} slice
 * @property {Uint32Array} changed  voxels that went in or out, all the same way
 * @property {boolean} added  the way
 * @property {readonly number[]} [drawn]  slices the hand drew on: what is there stays
 */
import { Block, boxAround, onSlice, widened } from "./blocks.js";
import { BESIDE_MM, CarriedContour, continues } from "./carried.js";
import { signedDistances, squaredDistances } from "./distance.js";
import { PLANES } from "./geometry.js";
import { joined } from "./interpolate.js";
import { pieces } from "./regions.js";
import { drawnSlices, lastEdit } from "./step_names.js";
import { areClear, likeEdited, tissues } from "./tissue.js";

/** How far from the edited slice a correction is proposed. */
export const REACH_MM = 20;
/** By how much the region may move or widen from one slice to the next. */
const SLACK_MM = 3;
/** What the region loses at its rim for each mm away where nothing guides it. */
const FADE = 0.5;

/**
 * @param {Grid} grid
 * @param {Int16Array} ct
 * @param {Contains} contains  the structure with the edit in it
 * @param {Edit} edit
 * @returns {Change & {slices: number, guide: Guide}}
 */
export function propagated(grid, ct, contains, edit) {
  const { plane, slice, added, drawn = [] } = edit;
  const { start, area, guide, regionOn } = prepared(grid, ct, contains, edit);
  /** @type {Uint32Array[]} */
  const found = [];
  for (const direction of [-1, 1]) {
    let before = start;
    for (let next = slice + direction; ; next += direction) {
      const awayMm = Math.abs(grid.centresMm[plane.normal][next] - grid.centresMm[plane.normal][slice]);
      if (!(awayMm <= REACH_MM) || drawn.includes(next)) break;
      const here = onSlice(grid, area, plane, next, (index) => contains(index) !== added);
      const connected = hangingOn(before, regionOn(before, here, awayMm));
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
  return { added: added ? voxels : none, removed: added ? none : voxels, slices: found.length, guide };
}

/**
 * What the hand changed last, stroke after stroke on one slice, for the neighbours of that slice.
 * @param {import("./corrections.js").CorrectionLayer} layer
 * @param {Int16Array} ct
 * @returns {{plane: import("./geometry.js").PlaneName, slice: number, change: Change, slices: number, guides: Guide[]} | null}
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
  return { plane: label.plane, slice: label.slice, change, slices, guides: found.map((each) => each.guide) };
}

/**
 * The region as it was drawn, and how it is found on the next slice.
 * @param {Grid} grid
 * @param {Int16Array} ct
 * @param {Contains} contains
 * @param {Edit} edit
 * @returns {{start: Block, area: import("./blocks.js").Bounds, guide: Guide, regionOn: (before: Block, here: Block, awayMm: number) => Uint8Array}}
 */
function prepared(grid, ct, contains, { plane, slice, changed, added }) {
  const isChanged = new Set(changed);
  const area = widened(grid, boxAround(grid, changed), voxelsIn(grid, plane, BESIDE_MM));
  const start = onSlice(grid, area, plane, slice, (index) => isChanged.has(index));
  const [edited, other] = tissues(start, ct, contains, added);
  if (areClear(edited, other)) {
    const regionOn = (/** @type {Block} */ before, /** @type {Block} */ here) =>
      both(near(before), here.inside, likeEdited(here, ct, edited, other));
    return { start, area, guide: "tissue", regionOn };
  }
  // Before the edit: what was added was outside, what was removed inside.
  const drawn = onSlice(grid, area, plane, slice, (index) => (isChanged.has(index) ? !added : contains(index)));
  const contour = new CarriedContour(start, drawn.inside);
  const guide = contour.on(drawn.inside) ? "contour" : "fading";
  const depthMm = signedDistances(start.inside, start.centresMm);
  return {
    start,
    area,
    guide,
    regionOn: (before, here, awayMm) => {
      const structure = here.inside.map((possible) => Number((possible !== 0) !== added));
      if (!continues(before.inside, here.inside)) return new Uint8Array(here.inside.length);
      const wanted = guide === "contour" ? contour.on(structure) : null;
      if (!wanted) return here.inside.map((possible, at) => Number(possible !== 0 && depthMm[at] > FADE * awayMm));
      return both(near(before), here.inside, wanted.map((inside) => Number((inside !== 0) === added)));
    },
  };
}

/** Voxels within reach of a region. @param {Block} region */
function near({ inside, centresMm }) {
  return Uint8Array.from(squaredDistances(inside, centresMm), (squared) => Number(squared <= SLACK_MM * SLACK_MM));
}

/** Where all are set. @param {Uint8Array} first @param {Uint8Array[]} others */
function both(first, ...others) {
  return first.map((value, at) => Number(value && others.every((other) => other[at])));
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
