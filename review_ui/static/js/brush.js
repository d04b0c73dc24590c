/**
 * Which voxels a brush covers. No DOM.
 *
 * A brush is a disc of `radiusMm` in the plane it is used in. Between two pointer events it covers a
 * capsule, so a fast hand leaves no gaps. A voxel belongs to it when its centre lies inside: the
 * distance is measured in millimetres, so the brush is round in every plane whatever the spacing.
 *
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 */

/** Half of rounding's worth (mm squared): a centre exactly on the rim counts as inside. */
export const RIM_TOLERANCE_MM2 = 1e-9;

export const SMALLEST_RADIUS_MM = 0.5;
export const LARGEST_RADIUS_MM = 60;

/**
 * `radiusMm` one step larger or smaller: finer steps for small brushes, half millimetres throughout.
 * @param {number} radiusMm
 * @param {1 | -1} direction
 */
export function nextRadius(radiusMm, direction) {
  const step = radiusMm + direction * 0.01 < 5 ? 0.5 : radiusMm + direction * 0.01 < 20 ? 1 : 2;
  const next = Math.round((radiusMm + direction * step) * 2) / 2;
  return Math.max(SMALLEST_RADIUS_MM, Math.min(LARGEST_RADIUS_MM, next));
}

/**
 * Call `visit` with the flat index of every voxel of `slice` within `radiusMm` of the line from `from`
 * to `to`.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @param {{from: PlanePoint, to: PlanePoint, radiusMm: number}} capsule
 * @param {(index: number) => void} visit
 */
export function forEachVoxelInCapsule(grid, plane, slice, capsule, visit) {
  const { from, to, radiusMm } = capsule;
  const acrossMm = grid.centresMm[plane.across];
  const downMm = grid.centresMm[plane.down];
  const startAcross = grid.mmAt(plane.across, from[0]);
  const startDown = grid.mmAt(plane.down, from[1]);
  const lineAcross = grid.mmAt(plane.across, to[0]) - startAcross;
  const lineDown = grid.mmAt(plane.down, to[1]) - startDown;
  const lineSquared = lineAcross * lineAcross + lineDown * lineDown;
  const reach = radiusMm * radiusMm + RIM_TOLERANCE_MM2;

  const [firstAcross, lastAcross] = range(grid, plane.across, startAcross, lineAcross, radiusMm);
  const [firstDown, lastDown] = range(grid, plane.down, startDown, lineDown, radiusMm);
  const origin = slice * grid.strides[plane.normal];

  for (let down = firstDown; down <= lastDown; down++) {
    const pointDown = downMm[down] - startDown;
    let index = origin + down * grid.strides[plane.down] + firstAcross * grid.strides[plane.across];
    for (let across = firstAcross; across <= lastAcross; across++) {
      const pointAcross = acrossMm[across] - startAcross;
      const along =
        lineSquared > 0 ? (pointAcross * lineAcross + pointDown * lineDown) / lineSquared : 0;
      const nearest = along < 0 ? 0 : along > 1 ? 1 : along;
      const offAcross = pointAcross - nearest * lineAcross;
      const offDown = pointDown - nearest * lineDown;
      if (offAcross * offAcross + offDown * offDown <= reach) visit(index);
      index += grid.strides[plane.across];
    }
  }
}

/**
 * First and last index that a capsule can touch along one axis.
 * @param {Grid} grid
 * @param {import("./geometry.js").Axis} axis
 * @param {number} startMm
 * @param {number} lineMm  from the start to the end
 * @param {number} radiusMm
 * @returns {[number, number]}
 */
function range(grid, axis, startMm, lineMm, radiusMm) {
  // One voxel of slack: the exact test is in the loop, this only bounds it.
  const first = Math.floor(grid.indexAt(axis, startMm + Math.min(lineMm, 0) - radiusMm)) - 1;
  const last = Math.ceil(grid.indexAt(axis, startMm + Math.max(lineMm, 0) + radiusMm)) + 1;
  return [Math.max(0, first), Math.min(grid.dims[axis] - 1, last)];
}
