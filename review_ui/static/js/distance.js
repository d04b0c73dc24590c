/**
 * Exact distances between voxel centres in mm, whatever the spacing and however uneven. No DOM.
 *
 * The lower envelope of parabolas, one axis after another (Felzenszwalb and Huttenlocher 2012): as
 * exact as comparing every voxel with every other, and linear in their number.
 */

/** Half of rounding's worth (mm squared): a centre exactly at a distance counts as within it. */
export const TOLERANCE_MM2 = 1e-9;

/**
 * From each voxel to the nearest one that is set, squared.
 * @param {Uint8Array} set  0 or 1 per voxel, first axis fastest
 * @param {readonly ArrayLike<number>[]} centresMm  positions along each axis, ascending
 * @returns {Float64Array} mm squared; Infinity where none is set
 */
export function squaredDistances(set, centresMm) {
  const squared = Float64Array.from(set, (value) => (value ? 0 : Infinity));
  let stride = 1;
  for (const positions of centresMm) {
    const line = new Line(positions);
    const span = stride * positions.length;
    for (let start = 0; start < squared.length; start += span) {
      for (let offset = 0; offset < stride; offset++) line.transform(squared, start + offset, stride);
    }
    stride = span;
  }
  return squared;
}

/**
 * Distance to the border, positive inside: to the nearest centre of the other kind.
 * @param {Uint8Array} inside  0 or 1 per voxel
 * @param {readonly ArrayLike<number>[]} centresMm
 * @returns {Float64Array} mm; infinite where there is only one kind
 */
export function signedDistances(inside, centresMm) {
  const toInside = squaredDistances(inside, centresMm);
  const toOutside = squaredDistances(inside.map((value) => 1 - value), centresMm);
  return toOutside.map((squared, at) => (inside[at] ? Math.sqrt(squared) : -Math.sqrt(toInside[at])));
}

/** Works on the lines along one axis. */
class Line {
  /** @param {ArrayLike<number>} positions */
  constructor(positions) {
    this.positions = positions;
    this.values = new Float64Array(positions.length);
    /** Whose parabola is lowest, from left to right, and from where on. */
    this.lowest = new Int32Array(positions.length);
    this.from = new Float64Array(positions.length);
  }

  /**
   * @param {Float64Array} squared  read and written
   * @param {number} start
   * @param {number} stride
   */
  transform(squared, start, stride) {
    const { positions, values, lowest, from } = this;
    const count = positions.length;
    let last = -1;
    for (let i = 0; i < count; i++) {
      const value = squared[start + i * stride];
      values[i] = value;
      if (value === Infinity) continue;
      let crossing = -Infinity;
      while (last >= 0) {
        const other = lowest[last];
        const gap = positions[i] - positions[other];
        crossing = (positions[i] + positions[other]) / 2 + (value - values[other]) / (2 * gap);
        if (crossing > from[last]) break;
        last--;
      }
      if (last < 0) crossing = -Infinity;
      lowest[++last] = i;
      from[last] = crossing;
    }
    if (last < 0) return;
    for (let i = 0, k = 0; i < count; i++) {
      while (k < last && from[k + 1] < positions[i]) k++;
      const off = positions[i] - positions[lowest[k]];
      squared[start + i * stride] = off * off + values[lowest[k]];
    }
  }
}
