/**
 * What is odd about the shape of the corrected structure. No DOM.
 *
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {object} Shape
 * @property {number} pieces  parts that share no face of a voxel
 * @property {number[]} slicesWithHoles  axial slices in which the structure surrounds something
 * @property {string[]} cut  where it ends because the scan does: "head", "feet", "side"
 */

const OUTSIDE = 0;
const INSIDE = 1;
const VISITED = 2;

/** @param {CorrectionLayer} layer @returns {Shape} */
export function shapeOf(layer) {
  const box = boxOf(layer);
  if (!box) return { pieces: 0, slicesWithHoles: [], cut: [] };
  const { first, last } = box;
  const { dims } = layer.grid;
  const size = /** @type {Vector3} */ (first.map((low, axis) => last[axis] - low + 3));
  const voxels = withRim(layer, first, size);
  const slicesWithHoles = [];
  const area = size[0] * size[1];
  for (let z = 1; z < size[2] - 1; z++) {
    const slice = voxels.slice(z * area, (z + 1) * area);
    // What is around the structure reaches the corner, also between two voxels that touch there.
    flood(slice, 0, OUTSIDE, aroundInPlane(size[0]));
    if (slice.includes(OUTSIDE)) slicesWithHoles.push(first[2] + z - 1);
  }
  let pieces = 0;
  const faces = [1, -1, size[0], -size[0], area, -area];
  for (let start = 0; (start = voxels.indexOf(INSIDE, start)) >= 0; pieces++) {
    flood(voxels, start, INSIDE, faces);
  }
  const cut = [];
  if (last[2] === dims[2] - 1) cut.push("head");
  if (first[2] === 0) cut.push("feet");
  const atSide = (/** @type {0 | 1} */ axis) => first[axis] === 0 || last[axis] === dims[axis] - 1;
  if (atSide(0) || atSide(1)) cut.push("side");
  return { pieces, slicesWithHoles, cut };
}

/**
 * Smallest box around the structure, both ends inclusive.
 * @param {CorrectionLayer} layer
 * @returns {{first: Vector3, last: Vector3} | null}
 */
export function boxOf(layer) {
  const { dims, sliceCount } = layer.grid;
  /** @type {Vector3} */
  const first = [dims[0], dims[1], dims[2]];
  /** @type {Vector3} */
  const last = [-1, -1, -1];
  layer.voxelsPerSlice.forEach((count, z) => {
    if (count === 0) return;
    first[2] = Math.min(first[2], z);
    last[2] = z;
    for (let y = 0, index = z * sliceCount; y < dims[1]; y++) {
      for (let x = 0; x < dims[0]; x++, index++) {
        if (!layer.contains(index)) continue;
        if (x < first[0]) first[0] = x;
        if (x > last[0]) last[0] = x;
        if (y < first[1]) first[1] = y;
        if (y > last[1]) last[1] = y;
      }
    }
  });
  return last[2] < 0 ? null : { first, last };
}

/**
 * The voxels of a box with one more voxel around, which is outside.
 * @param {CorrectionLayer} layer
 * @param {Vector3} first
 * @param {Vector3} size  with the rim
 */
function withRim(layer, first, size) {
  const { strides } = layer.grid;
  const voxels = new Uint8Array(size[0] * size[1] * size[2]);
  for (let z = 1; z < size[2] - 1; z++) {
    for (let y = 1; y < size[1] - 1; y++) {
      let to = (z * size[1] + y) * size[0] + 1;
      let from = first[0] + (first[1] + y - 1) * strides[1] + (first[2] + z - 1) * strides[2];
      for (let x = 1; x < size[0] - 1; x++) {
        if (layer.contains(from++)) voxels[to] = INSIDE;
        to++;
      }
    }
  }
  return voxels;
}

/** Steps to the eight neighbours in a picture. @param {number} width */
function aroundInPlane(width) {
  return [1, -1, width, -width, width + 1, width - 1, 1 - width, -width - 1];
}

/**
 * Mark everything of `kind` that is connected to `start`. Steps beyond an end are ignored; across the
 * rim of a picture they lead to the rim on the other side, which is connected anyway.
 * @param {Uint8Array} voxels
 * @param {number} start
 * @param {number} kind
 * @param {number[]} steps
 */
function flood(voxels, start, kind, steps) {
  const stack = [start];
  voxels[start] = VISITED;
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const step of steps) {
      if (voxels[at + step] !== kind) continue;
      voxels[at + step] = VISITED;
      stack.push(at + step);
    }
  }
}
