/**
 * One stroke under the hand, whatever the brush. No DOM.
 *
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./corrections.js").Tool} Tool
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 *
 * @typedef {"brush" | "ball" | "smart" | "push" | "lasso"} Shape
 *
 * @typedef {object} StrokeSettings
 * @property {Plane} plane
 * @property {number} slice
 * @property {Tool} tool
 * @property {Shape} shape
 * @property {number} radiusMm
 * @property {number} toleranceHu  of the smart brush
 */
import { forEachVoxelInCapsule } from "./brush.js";
import { forEachVoxelInLasso } from "./lasso.js";
import { forEachVoxelInBall, huRangeAt, pushAt } from "./shapes.js";

export class Stroke {
  /**
   * @param {CorrectionLayer} layer
   * @param {Int16Array} ct
   * @param {StrokeSettings} settings
   * @param {PlanePoint} at  where the hand came down
   */
  constructor(layer, ct, settings, at) {
    const { plane, slice, shape } = settings;
    this.layer = layer;
    this.ct = ct;
    this.plane = plane;
    this.slice = slice;
    this.shape = shape;
    /** @type {Tool} */
    this.tool = settings.tool;
    this.radiusMm = settings.radiusMm;
    /** The way of the hand. @type {PlanePoint[]} */
    this.points = [at];
    /** @type {[number, number] | null} */
    this.rangeHu = null;
    if (shape === "smart") this.rangeHu = huRangeAt(layer.grid, plane, slice, ct, at, settings.toleranceHu);
    if (shape === "push") {
      const contains = (/** @type {number} */ index) => layer.contains(index);
      const push = pushAt(layer.grid, plane, slice, contains, at, settings.radiusMm);
      this.tool = push.outwards ? "add" : "remove";
      this.radiusMm = push.radiusMm;
    }
    layer.beginStroke(this.tool, { name: shape, plane: plane.name, slice });
  }

  /**
   * The hand went on.
   * @param {PlanePoint} from
   * @param {PlanePoint} to
   */
  extend(from, to) {
    this.points.push(to);
    if (this.shape === "lasso") return;
    const { layer, plane, slice, radiusMm } = this;
    const capsule = { from, to, radiusMm };
    const cover = this.shape === "ball" ? forEachVoxelInBall : forEachVoxelInCapsule;
    layer.paintVoxels((visit) => cover(layer.grid, plane, slice, capsule, this.#permitted(visit)));
  }

  /**
   * @param {boolean} isWhole  false where the hand was interrupted: a lasso then takes nothing
   * @returns {Uint32Array | null} the voxels that changed, ascending; null when none did
   */
  end(isWhole = true) {
    const { layer, plane, slice, points } = this;
    if (this.shape === "lasso" && isWhole) {
      layer.paintVoxels((visit) => forEachVoxelInLasso(layer.grid, plane, slice, points, visit));
    }
    return layer.endStroke();
  }

  /**
   * @param {(index: number) => void} visit
   * @returns {(index: number) => void}
   */
  #permitted(visit) {
    const { ct, layer, rangeHu } = this;
    if (rangeHu) {
      const [lowest, highest] = rangeHu;
      return (index) => ct[index] >= lowest && ct[index] <= highest && visit(index);
    }
    // A push moves the border; what is on the right side of it already stays untouched.
    const wanted = this.tool === "add";
    return this.shape === "push" ? (index) => layer.contains(index) !== wanted && visit(index) : visit;
  }
}
