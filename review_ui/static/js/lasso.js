/**
 * Which voxels lie within a line drawn by hand. No DOM.
 *
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 */

/**
 * Call `visit` with the flat index of every voxel of `slice` whose centre lies within the closed line by
 * the even-odd rule: what is encircled twice is outside. The line is straight between points in mm.
 * @param {import("./geometry.js").Grid} grid
 * @param {import("./geometry.js").Plane} plane
 * @param {number} slice
 * @param {readonly PlanePoint[]} points
 * @param {(index: number) => void} visit
 */
export function forEachVoxelInLasso(grid, plane, slice, points, visit) {
  const acrossMm = grid.centresMm[plane.across];
  const downMm = grid.centresMm[plane.down];
  const corners = points.map(([across, down]) => [grid.mmAt(plane.across, across), grid.mmAt(plane.down, down)]);
  for (let down = 0; down < downMm.length; down++) {
    const crossings = crossingsAt(corners, downMm[down]);
    let index = slice * grid.strides[plane.normal] + down * grid.strides[plane.down];
    let passed = 0;
    for (let across = 0; across < acrossMm.length && crossings.length; across++) {
      while (passed < crossings.length && crossings[passed] <= acrossMm[across]) passed++;
      if (passed % 2 === 1) visit(index);
      index += grid.strides[plane.across];
    }
  }
}

/**
 * Where the closed line crosses a row, ascending.
 * @param {readonly number[][]} corners
 * @param {number} rowMm
 */
function crossingsAt(corners, rowMm) {
  /** @type {number[]} */
  const crossings = [];
  corners.forEach(([endAcross, endDown], i) => {
    const [startAcross, startDown] = corners[(i + corners.length - 1) % corners.length];
    // Half open, so that a corner on the row counts once.
    if (startDown > rowMm === endDown > rowMm) return;
    const share = (rowMm - startDown) / (endDown - startDown);
    crossings.push(startAcross + share * (endAcross - startAcross));
  });
  return crossings.sort((a, b) => a - b);
}
