/**
 * One byte a voxel within a box of the CT grid, 0 everywhere else. No DOM.
 *
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Vector3} Vector3
 * @typedef {import("./slice_pixels.js").Box} Box
 */

export class Boxed {
  /**
   * @param {Vector3} start  the first voxel of the box (x, y, z)
   * @param {Vector3} size
   * @param {Uint8Array} values  in flat order
   */
  constructor(start, size, values) {
    this.start = start;
    this.size = size;
    this.values = values;
    this.strides = [1, size[0], size[0] * size[1]];
  }

  /**
   * What the server answers: six int32 (slice, row, column of the start, then of the size), the bytes.
   * @param {ArrayBuffer} body
   */
  static read(body) {
    const [z, y, x, slices, rows, columns] = new Int32Array(body, 0, 6);
    return new Boxed([x, y, z], [columns, rows, slices], new Uint8Array(body, 24));
  }

  /** Every voxel of the CT. @param {Grid} grid */
  whole({ count, strides }) {
    const all = new Uint8Array(count);
    const [x, y, z] = this.start;
    const [columns, rows, slices] = this.size;
    for (let slice = 0, from = 0; slice < slices; slice++) {
      for (let row = 0; row < rows; row++, from += columns) {
        const to = x + (y + row) * strides[1] + (z + slice) * strides[2];
        all.set(this.values.subarray(from, from + columns), to);
      }
    }
    return all;
  }

  /** @param {Vector3} voxel */
  at(voxel) {
    let index = 0;
    for (let axis = 0; axis < 3; axis++) {
      const within = voxel[axis] - this.start[axis];
      if (within < 0 || within >= this.size[axis]) return 0;
      index += within * this.strides[axis];
    }
    return this.values[index];
  }

  /**
   * What of the box lies in a slice of the CT, top row of the screen first.
   * @param {Grid} grid
   * @param {Plane} plane
   * @param {number} slice
   * @returns {{values: Uint8Array, box: Box, width: number} | null} `box` in pixels of the slice's picture
   */
  slice(grid, plane, slice) {
    const { across, down, normal, flipped } = plane;
    const depth = slice - this.start[normal];
    if (depth < 0 || depth >= this.size[normal]) return null;
    const [width, height] = [this.size[across], this.size[down]];
    const values = new Uint8Array(width * height);
    for (let row = 0, i = 0; row < height; row++) {
      const voxel = flipped ? height - 1 - row : row;
      let index = depth * this.strides[normal] + voxel * this.strides[down];
      for (let column = 0; column < width; column++, i++) {
        values[i] = this.values[index];
        index += this.strides[across];
      }
    }
    const left = this.start[across];
    const last = this.start[down] + height - 1;
    const top = flipped ? grid.dims[down] - 1 - last : this.start[down];
    return { values, width, box: { left, right: left + width - 1, top, bottom: top + height - 1 } };
  }

  /** Sums of the values in each axial slice of the CT. @param {number} slices */
  sums(slices) {
    const sums = new Float64Array(slices);
    for (let z = 0, i = 0; z < this.size[2]; z++) {
      for (const end = i + this.strides[2]; i < end; i++) sums[z + this.start[2]] += this.values[i];
    }
    return sums;
  }
}
