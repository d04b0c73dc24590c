/**
 * Pieces and holes of a structure. Voxels hang together through their faces, as in the node. No DOM.
 *
 * @typedef {import("./blocks.js").Bounds} Bounds
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./blocks.js").Contains} Contains
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Vector3} Vector3
 */
import { Block, boundsOf, sliceOf } from "./blocks.js";

/**
 * What hangs together.
 * @param {Uint8Array} set  0 or 1 per voxel, x fastest
 * @param {Vector3} dims
 * @returns {{labels: Int32Array, count: number}} 0 where nothing is set, else 1, 2, ... in order of the first voxel
 */
export function pieces(set, [nx, ny, nz]) {
  const labels = new Int32Array(set.length);
  /** @type {number[]} */
  const waiting = [];
  const reach = (/** @type {number} */ at, /** @type {number} */ label) => {
    if (!set[at] || labels[at]) return;
    labels[at] = label;
    waiting.push(at);
  };
  let count = 0;
  for (let first = 0; first < set.length; first++) {
    if (!set[first] || labels[first]) continue;
    reach(first, ++count);
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const x = at % nx;
      const y = Math.floor(at / nx) % ny;
      const z = Math.floor(at / (nx * ny));
      if (x > 0) reach(at - 1, count);
      if (x < nx - 1) reach(at + 1, count);
      if (y > 0) reach(at - nx, count);
      if (y < ny - 1) reach(at + nx, count);
      if (z > 0) reach(at - nx * ny, count);
      if (z < nz - 1) reach(at + nx * ny, count);
    }
  }
  return { labels, count };
}

/**
 * Give up every piece but the largest in volume; of equals the lowest stays.
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {Bounds} [within]  where the structure may be
 */
export function largestPiece(grid, contains, within) {
  return keepPieces(grid, contains, within, (volumesCc) => {
    const largest = largestOf(volumesCc);
    return (piece) => piece === largest;
  });
}

/**
 * Give up every piece below a volume; the largest always stays.
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {number} smallestCc
 * @param {Bounds} [within]  where the structure may be
 */
export function withoutIslands(grid, contains, smallestCc, within) {
  return keepPieces(grid, contains, within, (volumesCc) => {
    const largest = largestOf(volumesCc);
    return (piece) => piece === largest || volumesCc[piece] >= smallestCc;
  });
}

/**
 * Take in every cavity: what is outside and cannot reach the end of the volume.
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {Bounds} [within]  where the structure may be
 * @returns {Change}
 */
export function withoutHoles(grid, contains, within) {
  return filled(grid, contains, boundsOf(grid, contains, within), [1, 1, 1]);
}

/**
 * Take in what the structure encloses on one slice.
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {import("./geometry.js").Plane} plane
 * @param {number} slice
 * @returns {Change}
 */
export function filledSlice(grid, contains, plane, slice) {
  const margin = /** @type {Vector3} */ ([1, 1, 1]);
  margin[plane.normal] = 0;
  return filled(grid, contains, boundsOf(grid, contains, sliceOf(grid, plane, slice)), margin);
}

/**
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {import("./blocks.js").Bounds | null} bounds
 * @param {Vector3} margin  a way around the structure, also where the volume ends
 * @returns {Change}
 */
function filled(grid, contains, bounds, margin) {
  if (!bounds) return nothing();
  const low = /** @type {Vector3} */ (bounds.low.map((first, axis) => first - margin[axis]));
  const high = /** @type {Vector3} */ (bounds.high.map((last, axis) => last + margin[axis]));
  const block = new Block(grid, { low, high }, contains);
  const { labels } = pieces(block.inside.map((value) => 1 - value), block.dims);
  // The first voxel lies in the margin: its piece goes all around.
  return block.changeTo((at) => labels[at] !== labels[0]);
}

/**
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {Bounds | undefined} within
 * @param {(volumesCc: number[]) => (piece: number) => boolean} choose
 * @returns {Change}
 */
function keepPieces(grid, contains, within, choose) {
  const bounds = boundsOf(grid, contains, within);
  if (!bounds) return nothing();
  const block = new Block(grid, bounds, contains);
  const { labels, count } = pieces(block.inside, block.dims);
  const volumesCc = new Array(count).fill(0);
  block.forEach((index, at) => {
    if (labels[at]) volumesCc[labels[at] - 1] += grid.voxelCc[Math.floor(index / grid.sliceCount)];
  });
  const stays = choose(volumesCc);
  return block.changeTo((at) => labels[at] > 0 && stays(labels[at] - 1));
}

/** Which is the largest, of equals the first; there may be more than a function takes. @param {number[]} values */
function largestOf(values) {
  return values.reduce((best, value, at) => (value > values[best] ? at : best), 0);
}

/** @returns {Change} */
function nothing() {
  return { added: new Uint32Array(), removed: new Uint32Array() };
}
