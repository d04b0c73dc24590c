/**
 * What lies over the CT of one view besides the corrections: dose, undecided voxels, the contour of
 * the TPS.
 *
 * @typedef {import("./boxed.js").Boxed} Boxed
 * @typedef {import("./dose_grid.js").DoseGrid} DoseGrid
 * @typedef {import("./line_paths.js").Pen} Pen
 * @typedef {import("./review_state.js").Settings} Settings
 * @typedef {import("./viewport.js").Viewport} Viewport
 *
 * @typedef {object} Extras  null while not there
 * @property {DoseGrid | null} dose
 * @property {Boxed | null} uncertainty  entropy in 1/255 bit
 * @property {Boxed | null} reference  0 or 1
 * @property {Boxed | null} leverage  of voxels near the contour: 1 to 255, relative to the highest
 */
import { isolines, maskOutline } from "./contour_lines.js";
import { doseCss, doseTable, isodoseLevels, paintDose } from "./dose_colours.js";
import { loopPath, piecePath, strokePath } from "./line_paths.js";
import { Picture } from "./picture.js";
import { leverageTable, paintBytes, uncertaintyTable } from "./byte_colours.js";

const REFERENCE_PEN = { colour: "#5fd4e6", width: 1.5, dashes: [6, 4] };
const ISODOSE_WIDTH = 1.25;
const DOSE_TABLE = doseTable();
const UNCERTAINTY_TABLE = uncertaintyTable();
const LEVERAGE_TABLE = leverageTable();

export class Overlay {
  /**
   * @param {Viewport} viewport
   * @param {Extras} extras
   */
  constructor(viewport, extras) {
    this.viewport = viewport;
    this.extras = extras;
    /** Names of what is on the slice, for scripts and tests. @type {string[]} */
    this.shown = [];
    /** Colours to lay over the CT; null when there are none. @type {Picture | null} */
    this.wash = null;
    /** @type {{path: Path2D, pen: Pen}[]} */
    this.lines = [];
    /** Made when first needed. @type {Picture | null} */
    this.picture = null;
    this.field = new Float32Array(0);
  }

  /**
   * @param {number} slice
   * @param {Settings} settings
   */
  update(slice, settings) {
    this.shown = [];
    this.lines = [];
    this.wash = null;
    const { dose } = this.extras;
    if (dose && (settings.showDose || settings.showIsodose)) this.#takeDose(dose, slice, settings);
    if (settings.showUncertainty) this.#takeBytes("uncertainty", UNCERTAINTY_TABLE, slice);
    if (settings.showLeverage) this.#takeBytes("leverage", LEVERAGE_TABLE, slice);
    if (settings.showReference) this.#takeReference(slice);
    this.#commit();
  }

  /** @param {CanvasRenderingContext2D} context */
  drawLines(context) {
    for (const { path, pen } of this.lines) strokePath(context, this.viewport, path, pen);
  }

  /**
   * @param {DoseGrid} dose
   * @param {number} slice
   * @param {Settings} settings
   */
  #takeDose(dose, slice, { showDose, showIsodose }) {
    const { grid, plane } = this.viewport;
    const [width, height] = grid.sizeOf(plane);
    if (this.field.length === 0) this.field = new Float32Array(width * height);
    dose.slice(plane, slice, this.field);
    if (showDose) {
      paintDose(this.field, dose.maxGy, DOSE_TABLE, this.#washed().pixels);
      this.shown.push("dose");
    }
    if (!showIsodose) return;
    const levels = isodoseLevels(dose.maxGy);
    isolines(this.field, width, height, levels).forEach((pieces, i) => {
      if (pieces.length === 0) return;
      const pen = { colour: doseCss(levels[i] / dose.maxGy), width: ISODOSE_WIDTH };
      this.lines.push({ path: piecePath(pieces, this.viewport), pen });
      this.shown.push(`isodose-${levels[i]}`);
    });
  }

  /**
   * @param {"uncertainty" | "leverage"} name
   * @param {Uint32Array} table
   * @param {number} slice
   */
  #takeBytes(name, table, slice) {
    const { grid, plane } = this.viewport;
    const part = this.extras[name]?.slice(grid, plane, slice);
    if (!part) return;
    paintBytes(part, table, this.#washed().pixels, grid.dims[plane.across]);
    this.shown.push(name);
  }

  /** @param {number} slice */
  #takeReference(slice) {
    const { grid, plane } = this.viewport;
    const part = this.extras.reference?.slice(grid, plane, slice);
    if (!part) return;
    const { values, width, box } = part;
    const own = { left: 0, right: width - 1, top: 0, bottom: box.bottom - box.top };
    const loops = maskOutline(values, width, own);
    if (loops.length === 0) return;
    for (const loop of loops) {
      for (let i = 0; i < loop.length; i += 2) {
        loop[i] += box.left;
        loop[i + 1] += box.top;
      }
    }
    this.lines.push({ path: loopPath(loops, this.viewport), pen: REFERENCE_PEN });
    this.shown.push("reference");
  }

  #commit() {
    this.wash?.commitAll();
  }

  /** The picture of colours, empty unless something was painted into it for this slice. */
  #washed() {
    if (this.wash) return this.wash;
    const { grid, plane } = this.viewport;
    this.picture ??= new Picture(...grid.sizeOf(plane));
    this.picture.pixels.fill(0);
    this.wash = this.picture;
    return this.wash;
  }
}
