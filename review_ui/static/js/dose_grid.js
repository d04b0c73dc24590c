/**
 * A dose grid, and the dose at CT voxels between its own. No DOM.
 *
 * @typedef {import("./geometry.js").Axis} Axis
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {object} Along  for each CT voxel along one axis
 * @property {Int32Array} low  index of the dose voxel before it
 * @property {Float64Array} weight  of the one after it
 * @property {Uint8Array} covered
 * @property {number[]} uncovered  the others
 */

export class DoseGrid {
  /**
   * @param {Vector3} shape  dose voxels along x, y, z
   * @param {Float32Array} valuesGy  in flat order, NaN where there is no dose
   * @param {[number[], number[], number[]]} at  for each CT voxel along x, y, z: where in the grid
   * @param {object} about
   * @param {Vector3} about.rims  how far beyond its outermost voxels the grid still covers, in voxels
   * @param {number} [about.id]
   * @param {boolean} [about.exact]  figures are made from this very grid, not one resampled
   */
  constructor(shape, valuesGy, at, { rims, id = 0, exact = true }) {
    this.id = id;
    this.isExact = exact;
    this.shape = shape;
    this.valuesGy = valuesGy;
    this.strides = [1, shape[0], shape[0] * shape[1]];
    this.along = at.map((indices, axis) => neighbours(indices, shape[axis], rims[axis]));
    let maxGy = 0;
    for (let i = 0; i < valuesGy.length; i++) if (valuesGy[i] > maxGy) maxGy = valuesGy[i];
    this.maxGy = maxGy;
  }

  /**
   * What GET /api/cases/<id>/dose answers.
   * @param {ArrayBuffer} body
   */
  static read(body) {
    const length = new DataView(body).getInt32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length)));
    const valuesGy = new Float32Array(body, 4 + length);
    return new DoseGrid(header.shape, valuesGy, [header.x, header.y, header.z], header);
  }

  /**
   * The dose at one CT voxel in Gy, NaN where it is not covered.
   * @param {Vector3} voxel
   */
  at(voxel) {
    return this.gyAt(voxel[0], voxel[1], voxel[2]);
  }

  /**
   * The same without an array: painting asks for thousands at once.
   * @param {number} x
   * @param {number} y
   * @param {number} z
   */
  gyAt(x, y, z) {
    const { valuesGy: gy, strides } = this;
    const [across, down, up] = this.along;
    if (!across.covered[x] || !down.covered[y] || !up.covered[z]) return NaN;
    const [wx, wy, wz] = [across.weight[x], down.weight[y], up.weight[z]];
    const first = across.low[x] + down.low[y] * strides[1] + up.low[z] * strides[2];
    // With no share there may be no neighbour either.
    const right = wx > 0 ? 1 : 0;
    const row = wy > 0 ? strides[1] : 0;
    const layer = wz > 0 ? strides[2] : 0;
    const line = (/** @type {number} */ at) => gy[at] * (1 - wx) + gy[at + right] * wx;
    const sheet = (/** @type {number} */ at) => line(at) * (1 - wy) + line(at + row) * wy;
    return sheet(first) * (1 - wz) + sheet(first + layer) * wz;
  }

  /**
   * The dose in a slice of the CT, top row of the screen first.
   * @param {Plane} plane
   * @param {number} slice
   * @param {Float32Array} field  written, Gy, NaN where it is not covered
   */
  slice(plane, slice, field) {
    const across = this.along[plane.across];
    const down = this.along[plane.down];
    const normal = this.along[plane.normal];
    const width = across.low.length;
    const height = down.low.length;
    if (!normal.covered[slice]) {
      field.fill(NaN);
      return;
    }
    const sheet = this.#sheet(plane, normal.low[slice], normal.weight[slice]);
    const columns = this.shape[plane.across];
    // One more than there are: the last one has no neighbour and needs none.
    const line = new Float32Array(columns + 1);
    for (let row = 0; row < height; row++) {
      const voxel = plane.flipped ? height - 1 - row : row;
      const out = row * width;
      if (!down.covered[voxel]) {
        field.fill(NaN, out, out + width);
        continue;
      }
      const first = down.low[voxel] * columns;
      mix(line, sheet, first, down.weight[voxel] > 0 ? first + columns : first, down.weight[voxel]);
      line[columns] = line[columns - 1];
      for (let column = 0; column < width; column++) {
        const before = line[across.low[column]];
        field[out + column] =
          before + (line[across.low[column] + 1] - before) * across.weight[column];
      }
      for (const column of across.uncovered) field[out + column] = NaN;
    }
  }

  /**
   * The dose voxels of a plane between two layers of the grid.
   * @param {Plane} plane
   * @param {number} low
   * @param {number} weight
   */
  #sheet(plane, low, weight) {
    const columns = this.shape[plane.across];
    const rows = this.shape[plane.down];
    const sheet = new Float32Array(columns * rows);
    const step = this.strides[plane.normal];
    for (let row = 0, i = 0; row < rows; row++) {
      let index = low * step + row * this.strides[plane.down];
      for (let column = 0; column < columns; column++, i++) {
        const gy = this.valuesGy[index];
        sheet[i] = weight > 0 ? gy * (1 - weight) + this.valuesGy[index + step] * weight : gy;
        index += this.strides[plane.across];
      }
    }
    return sheet;
  }
}

/**
 * @param {Float32Array} line  written, all but its last
 * @param {Float32Array} sheet
 * @param {number} first
 * @param {number} second
 * @param {number} weight
 */
function mix(line, sheet, first, second, weight) {
  for (let i = 0; i < line.length - 1; i++) {
    line[i] = sheet[first + i] * (1 - weight) + sheet[second + i] * weight;
  }
}

/**
 * @param {number[]} indices
 * @param {number} count  of dose voxels
 * @param {number} rim
 * @returns {Along}
 */
function neighbours(indices, count, rim) {
  const low = new Int32Array(indices.length);
  const weight = new Float64Array(indices.length);
  const covered = new Uint8Array(indices.length);
  indices.forEach((index, i) => {
    const within = Math.max(0, Math.min(count - 1, index));
    covered[i] = Math.abs(within - index) <= rim ? 1 : 0;
    low[i] = Math.floor(within);
    weight[i] = within - low[i];
  });
  const uncovered = indices.map((_, i) => i).filter((i) => !covered[i]);
  return { low, weight, covered, uncovered };
}
