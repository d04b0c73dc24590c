/**
 * One canvas showing one plane: grey CT, layers, outline, crosshair, brush.
 *
 * The slice is painted once into canvases of its own size and drawn scaled, so zooming and moving cost
 * almost nothing. For scripts and tests the canvas says where it draws, read only: data-slice,
 * data-left, data-top (CSS pixels of the slice's top left corner on the canvas), data-scale (CSS
 * pixels per mm) and data-layers (what of overlay.js is on this slice).
 *
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./geometry.js").Vector3} Vector3
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 */
import { maskOutline } from "./contour_lines.js";
import { loopPath, strokePath } from "./line_paths.js";
import { Overlay } from "./overlay.js";
import { context2d, Picture } from "./picture.js";
import { paintCt, paintLayers } from "./slice_pixels.js";
import { Viewport } from "./viewport.js";
import { packRgba } from "./window_level.js";

const BACKGROUND = "#05070a";
const OUTLINE_WIDTH = 1.75;
const CROSSHAIR = "rgba(150, 175, 200, 0.45)";
const COLOURS = {
  prediction: packRgba(38, 108, 236, 88),
  added: packRgba(240, 84, 72, 140),
  removed: packRgba(64, 200, 120, 140),
};
const BRUSH_COLOURS = { add: "#ff7a6d", remove: "#4fdc8d", erase: "#e6edf3" };

export class SliceView {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Plane} plane
   * @param {object} source
   * @param {import("./slice_pixels.js").Scan} source.scan
   * @param {import("./overlay.js").Extras} source.extras
   * @param {string} source.outlineColour
   */
  constructor(canvas, plane, { scan, extras, outlineColour }) {
    const { grid } = scan;
    this.canvas = canvas;
    this.plane = plane;
    this.grid = grid;
    this.scan = scan;
    /** Null until it has come. @type {CorrectionLayer | null} */
    this.layer = null;
    this.outlineColour = outlineColour;
    this.extras = extras;
    this.viewport = new Viewport(grid, plane);
    /** Dots of the screen for each CSS pixel, as the canvas was sized. */
    this.ratio = 1;
    this.overlay = new Overlay(this.viewport, extras);
    const [width, height] = grid.sizeOf(plane);
    this.context = context2d(canvas, { alpha: false });
    /** Everything but crosshair and brush, as it was drawn last. */
    this.composed = context2d(document.createElement("canvas"), { alpha: false });
    /** What `composed` was drawn for; "" when it must be drawn anew. */
    this.composedFor = "";
    this.ctPicture = new Picture(width, height);
    this.layerPicture = new Picture(width, height);
    /** Made when first needed. @type {Picture | null} */
    this.washedCt = null;
    this.inside = new Uint8Array(width * height);
    /** What of `layerPicture` is not transparent. @type {import("./slice_pixels.js").Box | null} */
    this.painted = null;
    /** @type {Path2D | null} */
    this.outline = null;
    /** @type {{point: PlanePoint, radiusMm: number, tool: import("./corrections.js").Tool} | null} */
    this.brush = null;
    /** Called at the end of each picture: what tools draw over it. @type {() => void} */
    this.paintOver = () => {};
  }

  /** HU in flat order. */
  get ct() {
    return this.scan.ct;
  }

  /** Take the canvas' size on the page; what is in the middle stays there. */
  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    const [width, height] = [clientWidth, clientHeight].map((size) => Math.round(size * ratio));
    this.ratio = ratio;
    // To set a size, even the same one, empties a canvas and takes memory anew.
    if (this.canvas.width === width && this.canvas.height === height) return;
    for (const sized of [this.canvas, this.composed.canvas]) {
      sized.width = width;
      sized.height = height;
    }
    this.composedFor = "";
    this.viewport.resize(clientWidth, clientHeight);
  }

  /**
   * Paint the CT of `slice` with the grey table of the window.
   * @param {number} slice
   * @param {Uint32Array} table
   */
  updateCt(slice, table) {
    paintCt(this.plane, slice, this.scan, table, this.ctPicture.pixels);
    this.ctPicture.commitAll();
    this.composedFor = "";
  }

  /**
   * Paint the layers of `slice`.
   * @param {number} slice
   * @param {{showPrediction: boolean, showCorrections: boolean, showOutline: boolean}} shown
   */
  updateLayers(slice, { showPrediction, showCorrections, showOutline }) {
    if (!this.layer) return;
    const colours = {
      prediction: showPrediction ? COLOURS.prediction : 0,
      added: showCorrections ? COLOURS.added : 0,
      removed: showCorrections ? COLOURS.removed : 0,
    };
    const { pixels } = this.layerPicture;
    const { structure, painted } = paintLayers(this.plane, slice, this.layer, colours, pixels, this.inside);
    this.layerPicture.commit(bothBoxes(painted, this.painted));
    this.painted = painted;
    this.composedFor = "";
    const width = this.layerPicture.canvas.width;
    this.outline =
      structure && showOutline ? loopPath(maskOutline(this.inside, width, structure), this.viewport) : null;
  }

  /**
   * Paint dose, undecided voxels and the contour of the TPS of `slice`.
   * @param {number} slice
   * @param {import("./review_state.js").Settings} settings
   */
  updateExtras(slice, settings) {
    this.overlay.update(slice, settings);
    this.composedFor = "";
    this.canvas.dataset.layers = this.overlay.shown.join(" ");
  }

  /**
   * Bring everything to the screen.
   * @param {Vector3} position  where the planes cross
   */
  draw(position) {
    const { context } = this;
    this.#compose();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.composed.canvas, 0, 0);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.#drawCrosshair(position);
    this.#drawBrush();
    this.paintOver();
    this.#publish(position);
  }

  /** Draw the pictures and lines, unless they are as they were: crosshair and brush move often. */
  #compose() {
    const { composed: context, viewport } = this;
    const { scale, left, top } = viewport;
    const wanted = `${scale} ${left} ${top} ${this.ratio}`;
    if (this.composedFor === wanted) return;
    this.composedFor = wanted;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = BACKGROUND;
    context.fillRect(0, 0, viewport.width, viewport.height);
    context.imageSmoothingEnabled = true;
    const whole = { left: 0, top: 0, right: this.ctPicture.canvas.width - 1, bottom: this.ctPicture.canvas.height - 1 };
    this.#drawPicture(this.overlay.wash ? this.#washedCt(this.overlay.wash) : this.ctPicture, whole);
    // Painted voxels keep their edges: what is seen is what is stored.
    context.imageSmoothingEnabled = false;
    if (this.painted) this.#drawPicture(this.layerPicture, this.painted);
    this.overlay.drawLines(context);
    if (this.outline) strokePath(context, viewport, this.outline, this.#pen);
  }

  /**
   * CT and colours in one picture: to enlarge one costs half of enlarging two.
   * @param {Picture} wash
   */
  #washedCt(wash) {
    const { width, height } = wash.canvas;
    this.washedCt ??= new Picture(width, height);
    this.washedCt.context.drawImage(this.ctPicture.canvas, 0, 0);
    this.washedCt.context.drawImage(wash.canvas, 0, 0);
    return this.washedCt;
  }

  get #pen() {
    return { colour: this.outlineColour, width: OUTLINE_WIDTH };
  }

  /**
   * @param {Picture} picture
   * @param {import("./slice_pixels.js").Box} part  the rest is transparent: to enlarge it would cost as much
   */
  #drawPicture({ canvas }, { left, right, top, bottom }) {
    const { composed: context, viewport, grid, plane } = this;
    const columnWidth = (viewport.widthMm * viewport.scale) / canvas.width;
    const x = viewport.left + left * columnWidth;
    const [columns, width] = [right - left + 1, (right - left + 1) * columnWidth];
    if (grid.isEven || plane.down !== 2) {
      const rowHeight = (viewport.heightMm * viewport.scale) / canvas.height;
      const [rows, y] = [bottom - top + 1, viewport.top + top * rowHeight];
      context.drawImage(canvas, left, top, columns, rows, x, y, width, rows * rowHeight);
      return;
    }
    // Rows of unequal height, each where its slice is; whole pixels, so that no seam shows.
    for (let row = top; row <= bottom; row++) {
      const y = Math.round(viewport.rowTop(row));
      const height = Math.round(viewport.rowTop(row + 1)) - y;
      context.drawImage(canvas, left, row, columns, 1, x, y, width, height);
    }
  }

  /** @param {Vector3} position */
  #drawCrosshair(position) {
    const { context, viewport, plane } = this;
    const [x, y] = viewport.toScreen([position[plane.across], position[plane.down]]);
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, viewport.height);
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(viewport.width, Math.round(y) + 0.5);
    context.strokeStyle = CROSSHAIR;
    context.lineWidth = 1;
    context.setLineDash([4, 6]);
    context.stroke();
    context.setLineDash([]);
  }

  #drawBrush() {
    if (!this.brush) return;
    const { context, viewport } = this;
    const { point, radiusMm, tool } = this.brush;
    const [x, y] = viewport.toScreen(point);
    context.beginPath();
    context.arc(x, y, radiusMm * viewport.scale, 0, 2 * Math.PI);
    context.strokeStyle = BRUSH_COLOURS[tool];
    context.lineWidth = 1.25;
    context.stroke();
  }

  /** @param {Vector3} position */
  #publish(position) {
    const { canvas, viewport } = this;
    canvas.dataset.slice = String(position[this.plane.normal]);
    canvas.dataset.left = String(viewport.left);
    canvas.dataset.top = String(viewport.top);
    canvas.dataset.scale = String(viewport.scale);
  }
}

/**
 * The smallest box around two; null where neither is.
 * @param {import("./slice_pixels.js").Box | null} one
 * @param {import("./slice_pixels.js").Box | null} other
 */
function bothBoxes(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    right: Math.max(one.right, other.right),
    top: Math.min(one.top, other.top),
    bottom: Math.max(one.bottom, other.bottom),
  };
}
