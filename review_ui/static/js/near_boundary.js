/**
 * The voxels near the boundary of the corrected structure, as dose/band.py finds them. No DOM.
 *
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Vector3} Vector3
 */
import { Boxed } from "./boxed.js";

/** A voxel that is exactly as far away as permitted is near enough. */
const ROUNDING = 1e-9;

/**
 * Voxels on either side whose centre lies within `withinMm` of the faces between inside and outside.
 *
 * `places` says where each lies in `boxed`, whose values are all 0.
 * @param {CorrectionLayer} layer
 * @param {{first: Vector3, last: Vector3}} box  around the structure
 * @param {number} withinMm
 */
export function nearBoundary(layer, { first, last }, withinMm) {
  const { grid } = layer;
  const thinnest = Math.min(...grid.voxelCc) / grid.voxelCc[0];
  const reach = grid.spacingMm.map((mm, axis) =>
    stepsWithin(withinMm, axis === 2 ? (grid.edgesMm[2][1] - grid.edgesMm[2][0]) * thinnest : mm),
  );
  // One more: the outer side of the boundary lies one voxel out, and all around it is looked at.
  const low = first.map((at, axis) => at - reach[axis] - 1);
  const size = first.map((at, axis) => last[axis] - at + 3 + 2 * reach[axis]);
  const steps = [1, size[0], size[0] * size[1]];
  const block = new Uint8Array(size[0] * size[1] * size[2]);
  for (let z = first[2]; z <= last[2]; z++) {
    for (let y = first[1]; y <= last[1]; y++) {
      let at = first[0] - low[0] + (y - low[1]) * steps[1] + (z - low[2]) * steps[2];
      let index = first[0] + y * grid.strides[1] + z * grid.strides[2];
      for (let x = first[0]; x <= last[0]; x++, at++, index++) block[at] = Number(layer.contains(index));
    }
  }
  const near = new Uint8Array(block.length);
  const [, row, sheet] = steps;
  for (let z = reach[2]; z < size[2] - reach[2]; z++) {
    const around = stepsAround(grid, z + low[2], { withinMm, reach, steps });
    for (let y = reach[1]; y < size[1] - reach[1]; y++) {
      let at = reach[0] + y * steps[1] + z * steps[2];
      for (let x = reach[0]; x < size[0] - reach[0]; x++, at++) {
        const side = block[at];
        // Six neighbours of the same side: it has no face on the boundary.
        const sides = block[at - 1] + block[at + 1] + block[at - row] + block[at + row] + block[at - sheet] + block[at + sheet];
        if (sides === 6 * side) continue;
        for (let i = 0; i < around.length; i++) {
          if (block[at + around[i]] !== side) near[at + around[i]] = 1;
        }
      }
    }
  }
  return collected(grid, near, low, size);
}

/**
 * Steps from a voxel of slice `z` to those whose centre is within reach of its box.
 * @param {Grid} grid
 * @param {number} z  may lie beyond the volume
 * @param {{withinMm: number, reach: number[], steps: number[]}} block
 */
function stepsAround(grid, z, { withinMm, reach, steps }) {
  const found = [];
  for (let dz = -reach[2]; dz <= reach[2]; dz++) {
    const centre = centreAt(grid, z + dz);
    const [below, above] = [middle(grid, z - 1, z), middle(grid, z, z + 1)];
    const dzMm = Math.max(below - centre, centre - above, 0);
    for (let dy = -reach[1]; dy <= reach[1]; dy++) {
      const dyMm = Math.max((Math.abs(dy) - 0.5) * grid.spacingMm[1], 0);
      for (let dx = -reach[0]; dx <= reach[0]; dx++) {
        const dxMm = Math.max((Math.abs(dx) - 0.5) * grid.spacingMm[0], 0);
        if (Math.hypot(dxMm, dyMm, dzMm) <= withinMm + ROUNDING) {
          found.push(dx + dy * steps[1] + dz * steps[2]);
        }
      }
    }
  }
  return Int32Array.from(found);
}

/**
 * Centre of a slice in mm; beyond the ends the outermost distance goes on.
 * @param {Grid} grid
 * @param {number} z
 */
function centreAt(grid, z) {
  const centres = grid.centresMm[2];
  const last = centres.length - 1;
  const edges = grid.edgesMm[2];
  if (z < 0) return centres[0] + z * (edges[1] - edges[0]);
  if (z > last) return centres[last] + (z - last) * (edges[last + 1] - edges[last]);
  return centres[z];
}

/**
 * @param {Grid} grid
 * @param {number} one
 * @param {number} other
 */
function middle(grid, one, other) {
  return (centreAt(grid, one) + centreAt(grid, other)) / 2;
}

/**
 * How many voxels away the face of a voxel can be within `mm` of a centre.
 * @param {number} mm
 * @param {number} stepMm
 */
function stepsWithin(mm, stepMm) {
  return Math.floor(mm / stepMm + 0.5 + ROUNDING);
}

/**
 * The marked voxels that lie in the volume.
 * @param {Grid} grid
 * @param {Uint8Array} near
 * @param {number[]} low
 * @param {number[]} size
 */
function collected(grid, near, low, size) {
  const from = low.map((at) => Math.max(at, 0));
  const to = low.map((at, axis) => Math.min(at + size[axis], grid.dims[axis]));
  const clipped = /** @type {Vector3} */ (to.map((end, axis) => end - from[axis]));
  const most = near.reduce((sum, marked) => sum + marked, 0);
  const voxels = new Uint32Array(most);
  const places = new Uint32Array(most);
  let count = 0;
  for (let z = from[2]; z < to[2]; z++) {
    for (let y = from[1]; y < to[1]; y++) {
      let at = from[0] - low[0] + size[0] * (y - low[1] + size[1] * (z - low[2]));
      let place = clipped[0] * (y - from[1] + clipped[1] * (z - from[2]));
      for (let x = from[0]; x < to[0]; x++, at++, place++) {
        if (!near[at]) continue;
        voxels[count] = x + y * grid.strides[1] + z * grid.strides[2];
        places[count++] = place;
      }
    }
  }
  const boxed = new Boxed(/** @type {Vector3} */ (from), clipped, new Uint8Array(clipped[0] * clipped[1] * clipped[2]));
  return { voxels: voxels.subarray(0, count), places, boxed };
}
