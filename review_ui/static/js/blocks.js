/**
 * Boxes cut out of the volume, so that work on a structure costs what the structure is large. No DOM.
 *
 * @typedef {import("./geometry.js").Axis} Axis
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {(index: number) => boolean} Contains  whether a voxel, by its flat index, is inside
 *
 * @typedef {object} Bounds
 * @property {Vector3} low  first voxel
 * @property {Vector3} high  last voxel
 *
 * @typedef {object} Change  what a tool asks for: voxels outside now and inside then, and the reverse
 * @property {Uint32Array} added  ascending
 * @property {Uint32Array} removed  ascending
 */

export class Block {
  /**
   * @param {Grid} grid
   * @param {Bounds} bounds  may reach past the volume: there nothing is inside
   * @param {Contains} contains
   */
  constructor(grid, bounds, contains) {
    this.grid = grid;
    this.low = bounds.low;
    this.dims = /** @type {Vector3} */ (bounds.high.map((last, axis) => last - bounds.low[axis] + 1));
    /** 0 or 1 per voxel, x fastest. */
    this.inside = new Uint8Array(this.dims[0] * this.dims[1] * this.dims[2]);
    this.forEach((index, at) => {
      this.inside[at] = Number(contains(index));
    });
  }

  /** Voxel centres along the axes, mm; defined only where the block lies in the volume. */
  get centresMm() {
    return this.grid.centresMm.map((mm, axis) => mm.subarray(this.low[axis], this.low[axis] + this.dims[axis]));
  }

  /**
   * Call `visit` with the flat index and the place in the block of every voxel that exists, ascending.
   * @param {(index: number, at: number) => void} visit
   */
  forEach(visit) {
    const { grid, low, dims } = this;
    const from = low.map((first) => Math.max(0, first));
    const to = low.map((first, axis) => Math.min(grid.dims[axis], first + dims[axis]));
    for (let z = from[2]; z < to[2]; z++) {
      for (let y = from[1]; y < to[1]; y++) {
        let index = from[0] + y * grid.strides[1] + z * grid.strides[2];
        let at = from[0] - low[0] + dims[0] * (y - low[1] + dims[1] * (z - low[2]));
        for (let x = from[0]; x < to[0]; x++) visit(index++, at++);
      }
    }
  }

  /**
   * The change that makes the block look like `wanted`.
   * @param {(at: number) => boolean} wanted  by the place in the block
   * @returns {Change}
   */
  changeTo(wanted) {
    /** @type {number[]} */
    const added = [];
    /** @type {number[]} */
    const removed = [];
    this.forEach((index, at) => {
      const inside = wanted(at);
      if (inside === (this.inside[at] !== 0)) return;
      (inside ? added : removed).push(index);
    });
    return { added: Uint32Array.from(added), removed: Uint32Array.from(removed) };
  }
}

/**
 * The smallest box around what is inside, within `within`; null where nothing is.
 * @param {Grid} grid
 * @param {Contains} contains
 * @param {Bounds} [within]
 * @returns {Bounds | null}
 */
export function boundsOf(grid, contains, within = wholeOf(grid)) {
  /** @type {Vector3} */
  const low = [Infinity, Infinity, Infinity];
  /** @type {Vector3} */
  const high = [-1, -1, -1];
  for (let z = within.low[2]; z <= within.high[2]; z++) {
    for (let y = within.low[1]; y <= within.high[1]; y++) {
      const row = y * grid.strides[1] + z * grid.strides[2];
      for (let x = within.low[0]; x <= within.high[0]; x++) {
        if (!contains(row + x)) continue;
        if (x < low[0]) low[0] = x;
        if (x > high[0]) high[0] = x;
        if (y < low[1]) low[1] = y;
        if (y > high[1]) high[1] = y;
        if (z < low[2]) low[2] = z;
        high[2] = z;
      }
    }
  }
  return high[2] < 0 ? null : { low, high };
}

/** All voxels. @param {Grid} grid @returns {Bounds} */
export function wholeOf({ dims }) {
  return { low: [0, 0, 0], high: [dims[0] - 1, dims[1] - 1, dims[2] - 1] };
}

/**
 * The voxels of one slice.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @returns {Bounds}
 */
export function sliceOf(grid, plane, slice) {
  const bounds = wholeOf(grid);
  bounds.low[plane.normal] = slice;
  bounds.high[plane.normal] = slice;
  return bounds;
}

/**
 * `bounds` with `voxels` more on every side along `axes`, and no further than the volume.
 * @param {Grid} grid
 * @param {Bounds} bounds
 * @param {Vector3} voxels  along x, y, z
 * @returns {Bounds}
 */
export function widened(grid, { low, high }, voxels) {
  return {
    low: /** @type {Vector3} */ (low.map((first, a) => Math.max(0, first - voxels[a]))),
    high: /** @type {Vector3} */ (high.map((last, a) => Math.min(grid.dims[a] - 1, last + voxels[a]))),
  };
}

/**
 * The smallest box around both.
 * @param {Bounds} one
 * @param {Bounds} other
 * @returns {Bounds}
 */
export function around(one, other) {
  return {
    low: /** @type {Vector3} */ (one.low.map((first, a) => Math.min(first, other.low[a]))),
    high: /** @type {Vector3} */ (one.high.map((last, a) => Math.max(last, other.high[a]))),
  };
}

/**
 * The part of `area` on one slice.
 * @param {Grid} grid
 * @param {Bounds} area
 * @param {Plane} plane
 * @param {number} slice
 * @param {Contains} contains
 */
export function onSlice(grid, area, plane, slice, contains) {
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
export function boxAround({ strides, dims }, indices) {
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
