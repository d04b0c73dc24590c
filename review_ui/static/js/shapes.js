/**
 * What the brush becomes: a ball, a disc that keeps to one kind of tissue, a disc that pushes. No DOM.
 *
 * @typedef {import("./blocks.js").Contains} Contains
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {{from: PlanePoint, to: PlanePoint, radiusMm: number}} Capsule
 */
import { forEachVoxelInCapsule, RIM_TOLERANCE_MM2 } from "./brush.js";

/** How far around the press of a smart brush its tissue is looked at. */
export const SAMPLE_RADIUS_MM = 2.5;
/** How much smaller than to the border: a pushing disc touches it and changes nothing. */
const CLEARANCE_MM = 1e-6;

/**
 * Call `visit` for every voxel, in all slices, within the radius of the line drawn on `slice`.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @param {Capsule} capsule
 * @param {(index: number) => void} visit
 */
export function forEachVoxelInBall(grid, plane, slice, { from, to, radiusMm }, visit) {
  const centres = grid.centresMm[plane.normal];
  for (let other = 0; other < centres.length; other++) {
    const off = centres[other] - centres[slice];
    const squared = radiusMm * radiusMm - off * off;
    if (squared < -RIM_TOLERANCE_MM2) continue;
    const section = { from, to, radiusMm: Math.sqrt(Math.max(0, squared)) };
    forEachVoxelInCapsule(grid, plane, other, section, visit);
  }
}

/**
 * The HU a smart brush paints: the median around the press, and as much to both sides.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @param {Int16Array} ct
 * @param {PlanePoint} at
 * @param {number} toleranceHu
 * @returns {[number, number]} lowest and highest; an empty range outside the volume
 */
export function huRangeAt(grid, plane, slice, ct, at, toleranceHu) {
  /** @type {number[]} */
  const sample = [];
  const disc = { from: at, to: at, radiusMm: SAMPLE_RADIUS_MM };
  forEachVoxelInCapsule(grid, plane, slice, disc, (index) => sample.push(ct[index]));
  const under = grid.voxelAt(plane, slice, at);
  if (!under) return [1, 0];
  if (sample.length === 0) sample.push(ct[grid.indexOf(under)]);
  const middle = median(sample);
  return [middle - toleranceHu, middle + toleranceHu];
}

/**
 * What a disc pressed down at a point pushes: outwards where it starts inside, inwards where outside.
 * It takes the largest size up to `radiusMm` that touches the border and no more, so a press alone
 * changes nothing.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @param {Contains} contains
 * @param {PlanePoint} at
 * @param {number} radiusMm
 * @returns {{outwards: boolean, radiusMm: number}}
 */
export function pushAt(grid, plane, slice, contains, at, radiusMm) {
  const under = grid.voxelAt(plane, slice, at);
  const outwards = under !== null && contains(grid.indexOf(under));
  const acrossMm = grid.mmAt(plane.across, at[0]);
  const downMm = grid.mmAt(plane.down, at[1]);
  let nearest = Infinity;
  forEachVoxelInCapsule(grid, plane, slice, { from: at, to: at, radiusMm }, (index) => {
    if (contains(index) === outwards) return;
    const across = Math.floor(index / grid.strides[plane.across]) % grid.dims[plane.across];
    const down = Math.floor(index / grid.strides[plane.down]) % grid.dims[plane.down];
    const offAcross = grid.centresMm[plane.across][across] - acrossMm;
    const offDown = grid.centresMm[plane.down][down] - downMm;
    nearest = Math.min(nearest, Math.hypot(offAcross, offDown));
  });
  // The rim of a disc is a little wider than its radius; see RIM_TOLERANCE_MM2.
  const fitting = Math.sqrt(Math.max(0, nearest * nearest - RIM_TOLERANCE_MM2)) - CLEARANCE_MM;
  return { outwards, radiusMm: Math.max(0, Math.min(radiusMm, fitting)) };
}

/** @param {number[]} values  at least one; sorted by this */
export function median(values) {
  values.sort((a, b) => a - b);
  const half = values.length >> 1;
  return values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}
