/**
 * A box that painting keeps to: what lies outside stays as it is. No DOM.
 *
 * @typedef {import("./blocks.js").Bounds} Bounds
 * @typedef {import("./geometry.js").Axis} Axis
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {{axis: Axis, end: "low" | "high"}} Side  one of the six
 */
import { boundsOf, wholeOf, widened } from "./blocks.js";

/** How far around the structure the proposed box reaches. */
export const MARGIN_MM = 20;

export class EditBox {
  /**
   * @param {Grid} grid
   * @param {Bounds} bounds  first and last voxels
   */
  constructor(grid, { low, high }) {
    this.grid = grid;
    this.low = /** @type {Vector3} */ ([...low]);
    this.high = /** @type {Vector3} */ ([...high]);
  }

  /**
   * The one that is proposed: around the structure, or all where there is none.
   * @param {import("./corrections.js").CorrectionLayer} layer
   */
  static around(layer) {
    const { grid } = layer;
    const bounds = structureOf(layer);
    if (!bounds) return new EditBox(grid, wholeOf(grid));
    const voxels = /** @type {Vector3} */ (grid.spacingMm.map((mm) => Math.ceil(MARGIN_MM / mm)));
    return new EditBox(grid, widened(grid, bounds, voxels));
  }

  /** Whether a voxel lies within. @param {number} index */
  has(index) {
    const { strides, dims } = this.grid;
    for (let axis = 0; axis < 3; axis++) {
      const place = Math.floor(index / strides[axis]) % dims[axis];
      if (place < this.low[axis] || place > this.high[axis]) return false;
    }
    return true;
  }

  /** Whether a slice of a plane goes through. @param {Plane} plane @param {number} slice */
  meets({ normal }, slice) {
    return slice >= this.low[normal] && slice <= this.high[normal];
  }

  /**
   * The sides under a point of a plane: none, one, or two at a corner.
   * @param {Plane} plane
   * @param {number} slice
   * @param {PlanePoint} point
   * @param {number} withinMm
   * @returns {Side[]}
   */
  sidesAt(plane, slice, point, withinMm) {
    if (!this.meets(plane, slice)) return [];
    const axes = [plane.across, plane.down];
    const mm = axes.map((axis, i) => this.grid.mmAt(axis, point[i]));
    const [from, to] = [axes.map((axis) => this.edgeMm(axis, "low")), axes.map((axis) => this.edgeMm(axis, "high"))];
    const isBeyond = mm.some((at, i) => at < from[i] - withinMm || at > to[i] + withinMm);
    if (isBeyond) return [];
    return axes.flatMap((axis, i) => {
      const [toLow, toHigh] = [Math.abs(mm[i] - from[i]), Math.abs(mm[i] - to[i])];
      if (Math.min(toLow, toHigh) > withinMm) return [];
      return [{ axis, end: /** @type {Side["end"]} */ (toLow < toHigh ? "low" : "high") }];
    });
  }

  /**
   * Where the box ends, mm from the edge of the volume.
   * @param {Axis} axis
   * @param {Side["end"]} end
   */
  edgeMm(axis, end) {
    return this.grid.edgesMm[axis][end === "low" ? this.low[axis] : this.high[axis] + 1];
  }

  /**
   * Sides go to the voxels of a point; a box is never thinner than one voxel.
   * @param {readonly Side[]} sides
   * @param {Plane} plane
   * @param {PlanePoint} point
   */
  move(sides, plane, point) {
    for (const { axis, end } of sides) {
      const to = this.grid.clamp(axis, point[axis === plane.across ? 0 : 1]);
      if (end === "low") this.low[axis] = Math.min(to, this.high[axis]);
      else this.high[axis] = Math.max(to, this.low[axis]);
    }
  }

  /**
   * Whether the structure reaches a side of the box that is not the end of the volume, or lies beyond.
   * @param {import("./corrections.js").CorrectionLayer} layer
   */
  isTouchedBy(layer) {
    const bounds = structureOf(layer);
    if (!bounds) return false;
    return [0, 1, 2].some((axis) => {
      const isAtEnd = { low: this.low[axis] === 0, high: this.high[axis] === this.grid.dims[axis] - 1 };
      const beyondLow = !isAtEnd.low && bounds.low[axis] <= this.low[axis];
      return beyondLow || (!isAtEnd.high && bounds.high[axis] >= this.high[axis]);
    });
  }
}

/** @param {import("./corrections.js").CorrectionLayer} layer */
function structureOf(layer) {
  return boundsOf(layer.grid, (index) => layer.contains(index), layer.contouredBounds);
}
