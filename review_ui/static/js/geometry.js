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

/** The voxel grid of one CT: sizes, strides, positions along the slice axis. */
export class Grid {
  /**
   * @param {Vector3} dims  number of voxels along x, y, z
   * @param {Vector3} spacingMm  distance of voxel centres in mm along x, y, z
   */
  constructor(dims, spacingMm) {
    this.dims = dims;
    this.spacingMm = spacingMm;
    /** @type {Vector3} steps in the flat index */
    this.strides = [1, dims[0], dims[0] * dims[1]];
    this.count = dims[0] * dims[1] * dims[2];
    this.sliceCount = dims[0] * dims[1];
    this.voxelCc = (spacingMm[0] * spacingMm[1] * spacingMm[2]) / 1000;
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
