/**
 * A structure grown or shrunk by millimetres, exactly and in space. No DOM.
 *
 * Growing takes every voxel whose centre lies within the margin of a centre inside; shrinking gives up
 * every voxel that lies within the margin of one outside. The end of the volume is no border.
 *
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./geometry.js").Vector3} Vector3
 */
import { Block, boundsOf, widened } from "./blocks.js";
import { squaredDistances, TOLERANCE_MM2 } from "./distance.js";

/**
 * @param {import("./geometry.js").Grid} grid
 * @param {import("./blocks.js").Contains} contains
 * @param {number} marginMm  above zero to grow, below to shrink
 * @param {import("./blocks.js").Bounds} [within]  where the structure may be
 * @returns {Change}
 */
export function withMargin(grid, contains, marginMm, within) {
  const bounds = boundsOf(grid, contains, within);
  if (!bounds || marginMm === 0) return { added: new Uint32Array(), removed: new Uint32Array() };
  const grows = marginMm > 0;
  const reach = /** @type {Vector3} */ ([0, 1, 2].map((axis) => (grows ? voxelsWithin(grid, axis, marginMm) : 1)));
  const block = new Block(grid, widened(grid, bounds, reach), contains);
  const source = grows ? block.inside : block.inside.map((value) => 1 - value);
  const squared = squaredDistances(source, block.centresMm);
  const squaredMm = marginMm * marginMm + TOLERANCE_MM2;
  return block.changeTo((at) => (squared[at] <= squaredMm ? grows : block.inside[at] !== 0));
}

/**
 * At least as many voxels as lie within `mm` of any other along an axis.
 * @param {import("./geometry.js").Grid} grid
 * @param {number} axis
 * @param {number} mm
 */
function voxelsWithin(grid, axis, mm) {
  const centres = grid.centresMm[axis];
  let closest = Infinity;
  for (let i = 1; i < centres.length; i++) closest = Math.min(closest, centres[i] - centres[i - 1]);
  return Math.floor(mm / closest + 1e-6);
}
