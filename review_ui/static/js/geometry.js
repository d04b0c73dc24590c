/**
 * Where voxels are. No DOM.
 *
 * Axes: 0 = x, grows towards the patient's left; 1 = y, grows posterior; 2 = z, grows superior.
 * Flat index of a voxel: x + y * nx + z * nx * ny. Voxel centres lie on whole numbers.
 *
 * @typedef {0 | 1 | 2} Axis
 * @typedef {[number, number, number]} Vector3
 * @typedef {"axial" | "sagittal" | "coronal"} PlaneName
 * @typedef {[number, number]} PlanePoint  continuous voxel coordinates [across, down axis] in a plane
 *
 * @typedef {object} Plane
 * @property {PlaneName} name
 * @property {Axis} normal   the axis that is fixed in a slice of this plane
 * @property {Axis} across   the axis that runs to the right on the screen
 * @property {Axis} down     the axis that runs along the screen's height
 * @property {boolean} flipped  true when `down` grows upwards on the screen (superior is up)
 */

/** @type {Readonly<Record<PlaneName, Plane>>} */
export const PLANES = Object.freeze({
  axial: { name: "axial", normal: 2, across: 0, down: 1, flipped: false },
  sagittal: { name: "sagittal", normal: 0, across: 1, down: 2, flipped: true },
  coronal: { name: "coronal", normal: 1, across: 0, down: 2, flipped: true },
});

/** Positions are told with micrometres; slices that differ by less are even. */
const EVEN_WITHIN_MM = 0.001;

/**
 * The voxel grid of one CT: sizes, strides, positions along the axes.
 *
 * Slices may be unevenly spaced: each then reaches half way to its neighbours. Positions in mm count
 * from the outer edge of the first voxel.
 */
export class Grid {
  /**
   * @param {Vector3} dims  number of voxels along x, y, z
   * @param {Vector3} spacingMm  (mean) distance of voxel centres in mm along x, y, z
   * @param {number[]} sliceOffsetsMm  distance of each slice from the first
   */
  constructor(dims, spacingMm, sliceOffsetsMm = steps(dims[2], spacingMm[2])) {
    this.dims = dims;
    this.spacingMm = spacingMm;
    /** @type {Vector3} steps in the flat index */
    this.strides = [1, dims[0], dims[0] * dims[1]];
    this.count = dims[0] * dims[1] * dims[2];
    this.sliceCount = dims[0] * dims[1];
    /** @type {[Float64Array, Float64Array, Float64Array]} where voxels begin and end, one more than voxels */
    this.edgesMm = [
      evenEdges(dims[0], spacingMm[0]),
      evenEdges(dims[1], spacingMm[1]),
      edgesOf(sliceOffsetsMm, spacingMm[2]),
    ];
    /** @type {[Float64Array, Float64Array, Float64Array]} voxel centres */
    this.centresMm = [
      centresOf(steps(dims[0], spacingMm[0]), spacingMm[0]),
      centresOf(steps(dims[1], spacingMm[1]), spacingMm[1]),
      centresOf(sliceOffsetsMm, spacingMm[2]),
    ];
    const isEven = (/** @type {number} */ mm, /** @type {number} */ slice) =>
      Math.abs(mm - slice * spacingMm[2]) < EVEN_WITHIN_MM;
    this.isEven = sliceOffsetsMm.every(isEven);
    /** Volume of one voxel of each slice. */
    this.voxelCc = Float64Array.from(
      { length: dims[2] },
      (_, z) => (spacingMm[0] * spacingMm[1] * (this.edgesMm[2][z + 1] - this.edgesMm[2][z])) / 1000,
    );
  }

  /**
   * How far the volume reaches along an axis, in mm.
   * @param {Axis} axis
   */
  extentMm(axis) {
    return this.edgesMm[axis][this.dims[axis]];
  }

  /**
   * Position of a continuous voxel coordinate; whole numbers are the middles of voxels.
   * @param {Axis} axis
   * @param {number} index
   */
  mmAt(axis, index) {
    if (axis < 2 || this.isEven) return (index + 0.5) * this.spacingMm[axis];
    const edges = this.edgesMm[axis];
    const voxel = this.clamp(axis, index);
    return edges[voxel] + (index + 0.5 - voxel) * (edges[voxel + 1] - edges[voxel]);
  }

  /**
   * The continuous voxel coordinate at a position: what `mmAt` undoes.
   * @param {Axis} axis
   * @param {number} mm
   */
  indexAt(axis, mm) {
    if (axis < 2 || this.isEven) return mm / this.spacingMm[axis] - 0.5;
    const edges = this.edgesMm[axis];
    let voxel = 0;
    while (voxel < this.dims[axis] - 1 && edges[voxel + 1] <= mm) voxel++;
    return voxel - 0.5 + (mm - edges[voxel]) / (edges[voxel + 1] - edges[voxel]);
  }

  /**
   * Width and height of a plane's slices, in voxels.
   * @param {Plane} plane
   * @returns {[number, number]}
   */
  sizeOf(plane) {
    return [this.dims[plane.across], this.dims[plane.down]];
  }

  /**
   * `value` moved to the nearest index that exists along `axis`.
   * @param {Axis} axis
   * @param {number} value
   */
  clamp(axis, value) {
    return Math.max(0, Math.min(this.dims[axis] - 1, Math.round(value)));
  }

  /**
   * The voxel a plane point lies in, or null outside the volume.
   * @param {Plane} plane
   * @param {number} slice
   * @param {PlanePoint} point
   * @returns {Vector3 | null}
   */
  voxelAt(plane, slice, point) {
    /** @type {Vector3} */
    const voxel = [0, 0, 0];
    voxel[plane.normal] = slice;
    voxel[plane.across] = Math.round(point[0]);
    voxel[plane.down] = Math.round(point[1]);
    const inside = voxel.every((index, axis) => index >= 0 && index < this.dims[axis]);
    return inside ? voxel : null;
  }

  /**
   * Flat index of a voxel.
   * @param {Vector3} voxel
   */
  indexOf(voxel) {
    return voxel[0] + voxel[1] * this.strides[1] + voxel[2] * this.strides[2];
  }
}

/** @param {number} count @param {number} stepMm */
function steps(count, stepMm) {
  return Array.from({ length: count }, (_, index) => index * stepMm);
}

/** @param {number} count @param {number} stepMm */
function evenEdges(count, stepMm) {
  return Float64Array.from({ length: count + 1 }, (_, index) => index * stepMm);
}

/**
 * Half way between slices; the first and the last reach as far outwards as inwards.
 * @param {number[]} offsetsMm
 * @param {number} onlyMm  thickness of a slice that has no neighbour
 */
function edgesOf(offsetsMm, onlyMm) {
  const centres = centresOf(offsetsMm, onlyMm);
  const edges = new Float64Array(centres.length + 1);
  for (let z = 1; z < centres.length; z++) edges[z] = (centres[z - 1] + centres[z]) / 2;
  const last = centres.length - 1;
  edges[last + 1] = last > 0 ? 2 * centres[last] - edges[last] : onlyMm;
  return edges;
}

/** @param {number[]} offsetsMm @param {number} onlyMm */
function centresOf(offsetsMm, onlyMm) {
  const first = (offsetsMm.length > 1 ? offsetsMm[1] : onlyMm) / 2;
  return Float64Array.from(offsetsMm, (mm) => mm + first);
}
