/**
 * From millimetres in a plane to pixels on the screen and back. No DOM.
 *
 * One scale for both directions, so what is round in the patient is round on the screen.
 *
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 */

const SMALLEST_SCALE = 0.2;
const LARGEST_SCALE = 40;

export class Viewport {
  /**
   * @param {Grid} grid
   * @param {Plane} plane
   */
  constructor(grid, plane) {
    this.grid = grid;
    this.plane = plane;
    /** The whole slice, in millimetres. */
    this.widthMm = grid.extentMm(plane.across);
    this.heightMm = grid.extentMm(plane.down);
    /** CSS pixels of the canvas. */
    this.width = 1;
    this.height = 1;
    /** CSS pixels per millimetre. */
    this.scale = 1;
    /** The point of the slice, mm from its top left corner on the screen, in the middle of the canvas. */
    this.centreMm = [this.widthMm / 2, this.heightMm / 2];
  }

  /** Left edge of the slice on the canvas, in CSS pixels. */
  get left() {
    return this.width / 2 - this.centreMm[0] * this.scale;
  }

  /** Top edge of the slice on the canvas, in CSS pixels. */
  get top() {
    return this.height / 2 - this.centreMm[1] * this.scale;
  }

  /** The scale that shows the whole slice. */
  get wholeScale() {
    return Math.min(this.width / this.widthMm, this.height / this.heightMm);
  }

  /**
   * Take another size; what was seen before is seen after, larger or smaller.
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    const before = this.wholeScale;
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.scale *= this.wholeScale / before;
  }

  /** Show the whole slice. */
  fit() {
    this.scale = this.wholeScale;
    this.centreMm = [this.widthMm / 2, this.heightMm / 2];
  }

  /**
   * Show a circle around a point.
   * @param {PlanePoint} point
   * @param {number} radiusMm
   */
  frame(point, radiusMm) {
    this.scale = Math.min(this.width, this.height) / (2 * radiusMm);
    this.centreMm = this.#toMm(point);
  }

  /**
   * Zoom so that what lies under (x, y) stays there.
   * @param {number} x
   * @param {number} y
   * @param {number} factor
   */
  zoomAt(x, y, factor) {
    const wanted = Math.max(SMALLEST_SCALE, Math.min(LARGEST_SCALE, this.scale * factor));
    const shift = 1 / this.scale - 1 / wanted;
    this.centreMm = [
      this.centreMm[0] + (x - this.width / 2) * shift,
      this.centreMm[1] + (y - this.height / 2) * shift,
    ];
    this.scale = wanted;
  }

  /**
   * Move the picture by CSS pixels.
   * @param {number} dx
   * @param {number} dy
   */
  panBy(dx, dy) {
    this.centreMm = [this.centreMm[0] - dx / this.scale, this.centreMm[1] - dy / this.scale];
  }

  /**
   * Continuous voxel coordinates under a point of the canvas.
   * @param {number} x
   * @param {number} y
   * @returns {PlanePoint}
   */
  toVoxel(x, y) {
    const { grid, plane } = this;
    const acrossMm = (x - this.left) / this.scale;
    const downMm = (y - this.top) / this.scale;
    return [
      grid.indexAt(plane.across, acrossMm),
      grid.indexAt(plane.down, plane.flipped ? this.heightMm - downMm : downMm),
    ];
  }

  /**
   * Where a row of the picture begins on the canvas; the one after the last is its lower edge.
   * @param {number} row  0 at the top of the screen
   */
  rowTop(row) {
    const { grid, plane } = this;
    const edges = grid.edgesMm[plane.down];
    const mm = plane.flipped ? this.heightMm - edges[edges.length - 1 - row] : edges[row];
    return this.top + mm * this.scale;
  }

  /**
   * Where a voxel's centre is on the canvas.
   * @param {PlanePoint} point
   * @returns {[number, number]}
   */
  toScreen(point) {
    const [acrossMm, downMm] = this.#toMm(point);
    return [this.left + acrossMm * this.scale, this.top + downMm * this.scale];
  }

  /**
   * A point of the slice's picture, mm from the slice's top left corner.
   * @param {number} column  whole numbers are the middles of pixels
   * @param {number} row  0 at the top of the screen
   * @returns {[number, number]}
   */
  pictureToMm(column, row) {
    const { grid, plane } = this;
    return this.#toMm([column, plane.flipped ? grid.dims[plane.down] - 1 - row : row]);
  }

  /** @param {PlanePoint} point @returns {[number, number]} mm from the slice's top left corner */
  #toMm([across, down]) {
    const { grid, plane } = this;
    const downMm = grid.mmAt(plane.down, down);
    return [grid.mmAt(plane.across, across), plane.flipped ? this.heightMm - downMm : downMm];
  }
}
