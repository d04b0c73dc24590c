/**
 * The correction layer: what the physician added to the prediction and removed from it. No DOM.
 *
 * One byte per voxel: 0 untouched, 1 added, 2 removed. Corrected = (prediction or added) and not removed.
 * The server replays the same entries by the same rules (core/journal.py); both must agree on every voxel.
 *
 * @typedef {"add" | "remove" | "erase"} Tool
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 *
 * @typedef {object} Step  one stroke, or what a tool did at once, that can be taken back
 * @property {Uint32Array} indices
 * @property {Uint8Array} before  the values those voxels had
 * @property {StepLabel} label
 *
 * @typedef {object} StepLabel  what a step was, in words
 * @property {string} name  see step_names.js; empty for strokes from before steps had names
 * @property {Tool} tool
 * @property {import("./geometry.js").PlaneName} plane
 * @property {number} slice  where the hand was
 *
 * @typedef {object} JournalEntry
 * @property {number} seq
 * @property {"stroke" | "undo" | "redo"} kind
 * @property {Tool} [tool]
 * @property {string} [runs]
 * @property {string} [removes]  voxels that a step which adds takes away as well
 * @property {import("./geometry.js").PlaneName} [plane]
 * @property {number} [slice]
 * @property {string} [name]
 */
import { forEachVoxelInCapsule } from "./brush.js";
import { crc32 } from "./checksum.js";
import { decodeRuns, indicesOf } from "./runs.js";

export const ADDED = 1;
export const REMOVED = 2;

/** @type {Readonly<Record<Tool, number>>} */
export const VALUE_OF_TOOL = Object.freeze({ add: ADDED, remove: REMOVED, erase: 0 });

/** The tool the right mouse button gives. */
export const OPPOSITE = Object.freeze({ add: "remove", remove: "add", erase: "erase" });

export class CorrectionLayer {
  /**
   * @param {Grid} grid
   * @param {Uint8Array} prediction  0 or 1 per voxel
   */
  constructor(grid, prediction) {
    this.grid = grid;
    this.prediction = prediction;
    this.values = new Uint8Array(grid.count);
    /** Voxels inside the corrected structure, in all and per axial slice. */
    this.voxels = 0;
    this.voxelsPerSlice = new Int32Array(grid.dims[2]);
    /** Whether a voxel may be painted; undo and replay do not ask. @type {(index: number) => boolean} */
    this.permits = () => true;
    /** Called for each voxel that comes in or goes out. @type {(index: number, inside: boolean) => void} */
    this.onVoxel = () => {};
    /** Called after every change. @type {() => void} */
    this.onChange = () => {};
    /** @type {Step[]} */
    this.undoSteps = [];
    /** @type {Step[]} */
    this.redoSteps = [];
    /** @type {{value: number, indices: number[], before: number[], label: StepLabel} | null} */
    this.stroke = null;
    this.#countPrediction();
    this.predictedPerSlice = this.voxelsPerSlice.slice();
  }

  /** Volume of the corrected structure in cc; slices may differ in thickness. */
  get volumeCc() {
    return this.voxelsPerSlice.reduce((sum, count, z) => sum + count * this.grid.voxelCc[z], 0);
  }

  /** Where the structure may be: every row of the axial slices it is in. @returns {import("./blocks.js").Bounds} */
  get contouredBounds() {
    const { dims } = this.grid;
    const lowest = this.voxelsPerSlice.findIndex((count) => count > 0);
    let highest = dims[2] - 1;
    while (highest >= 0 && this.voxelsPerSlice[highest] === 0) highest--;
    return { low: [0, 0, Math.max(0, lowest)], high: [dims[0] - 1, dims[1] - 1, highest] };
  }

  get isPainting() {
    return this.stroke !== null;
  }

  /**
   * @param {Tool} tool
   * @param {Omit<StepLabel, "tool">} [label]
   */
  beginStroke(tool, label = { name: "brush", plane: "axial", slice: 0 }) {
    this.stroke = { value: VALUE_OF_TOOL[tool], indices: [], before: [], label: { ...label, tool } };
  }

  /**
   * Paint a capsule on `slice` of `plane` as part of the open stroke.
   * @param {Plane} plane
   * @param {number} slice
   * @param {{from: PlanePoint, to: PlanePoint, radiusMm: number}} capsule
   */
  paint(plane, slice, capsule) {
    this.paintVoxels((visit) => forEachVoxelInCapsule(this.grid, plane, slice, capsule, visit));
  }

  /**
   * Paint as part of the open stroke.
   * @param {(visit: (index: number) => void) => void} forEachVoxel
   */
  paintVoxels(forEachVoxel) {
    const stroke = this.stroke;
    if (!stroke) return;
    const { value, indices, before } = stroke;
    const already = indices.length;
    forEachVoxel((index) => {
      if (this.values[index] === value || !this.permits(index)) return;
      indices.push(index);
      before.push(this.values[index]);
      this.#set(index, value);
    });
    if (indices.length > already) this.onChange();
  }

  /**
   * Close the stroke.
   * @returns {Uint32Array | null} the voxels that changed, ascending; null when none did
   */
  endStroke() {
    const stroke = this.stroke;
    this.stroke = null;
    if (!stroke || stroke.indices.length === 0) return null;
    this.#remember(Uint32Array.from(stroke.indices), Uint8Array.from(stroke.before), stroke.label);
    return Uint32Array.from(stroke.indices).sort();
  }

  /**
   * Add and remove at once, as one step.
   * @param {import("./blocks.js").Change} change
   * @param {Omit<StepLabel, "tool">} label
   * @returns {boolean} whether there was anything to do
   */
  applyChange(change, label) {
    const { added, removed } = this.permitted(change);
    if (added.length + removed.length === 0) return false;
    const tool = added.length ? "add" : "remove";
    this.#assign([[added, ADDED], [removed, REMOVED]], { ...label, tool });
    return true;
  }

  /** What of a change may be done. @param {import("./blocks.js").Change} change */
  permitted({ added, removed }) {
    const may = (/** @type {number} */ index) => this.permits(index);
    return { added: added.filter(may), removed: removed.filter(may) };
  }

  /** Take the last stroke back. @returns {boolean} whether there was one */
  undo() {
    return this.#swap(this.undoSteps, this.redoSteps);
  }

  /** Bring back what was undone last. @returns {boolean} whether there was anything */
  redo() {
    return this.#swap(this.redoSteps, this.undoSteps);
  }

  /**
   * Replay one journal entry, as after a reload.
   * @param {JournalEntry} entry
   */
  apply(entry) {
    if (entry.kind === "undo") this.undo();
    else if (entry.kind === "redo") this.redo();
    else this.#applyStroke(entry);
  }

  /** @param {number} index @returns {boolean} whether a voxel is inside the corrected structure */
  contains(index) {
    const value = this.values[index];
    return value === ADDED || (value !== REMOVED && this.prediction[index] !== 0);
  }

  /** CRC-32 over one byte (0 or 1) per voxel of the corrected structure, in flat order. */
  checksum() {
    const { sliceCount, dims } = this.grid;
    const slice = new Uint8Array(sliceCount);
    let crc = 0;
    for (let z = 0; z < dims[2]; z++) {
      for (let i = 0; i < sliceCount; i++) slice[i] = this.contains(z * sliceCount + i) ? 1 : 0;
      crc = crc32(slice, crc);
    }
    return crc;
  }

  /** @param {JournalEntry} entry */
  #applyStroke({ tool = "add", runs = "", removes = "", name = "", plane = "axial", slice = 0 }) {
    const voxels = (/** @type {string} */ text) => indicesOf(decodeRuns(text));
    this.#assign(
      [[voxels(runs), VALUE_OF_TOOL[tool]], [voxels(removes), REMOVED]],
      { name, tool, plane, slice },
    );
  }

  /**
   * @param {[Uint32Array, number][]} parts  voxels and their new value; no voxel is in two parts
   * @param {StepLabel} label
   */
  #assign(parts, label) {
    const indices = new Uint32Array(parts.reduce((sum, [voxels]) => sum + voxels.length, 0));
    const before = new Uint8Array(indices.length);
    let next = 0;
    for (const [voxels, value] of parts) {
      for (const index of voxels) {
        indices[next] = index;
        before[next++] = this.values[index];
        this.#set(index, value);
      }
    }
    this.#remember(indices, before, label);
    this.onChange();
  }

  /**
   * @param {Uint32Array} indices
   * @param {Uint8Array} before
   * @param {StepLabel} label
   */
  #remember(indices, before, label) {
    this.undoSteps.push({ indices, before, label });
    this.redoSteps = [];
  }

  /**
   * @param {Step[]} source
   * @param {Step[]} target
   */
  #swap(source, target) {
    const step = source.pop();
    if (!step) return false;
    const current = new Uint8Array(step.indices.length);
    for (let i = 0; i < step.indices.length; i++) {
      current[i] = this.values[step.indices[i]];
      this.#set(step.indices[i], step.before[i]);
    }
    target.push({ indices: step.indices, before: current, label: step.label });
    this.onChange();
    return true;
  }

  /**
   * @param {number} index
   * @param {number} value
   */
  #set(index, value) {
    const wasInside = this.contains(index);
    this.values[index] = value;
    const isInside = this.contains(index);
    if (wasInside === isInside) return;
    const step = isInside ? 1 : -1;
    this.voxels += step;
    this.voxelsPerSlice[Math.floor(index / this.grid.sliceCount)] += step;
    this.onVoxel(index, isInside);
  }

  #countPrediction() {
    const { prediction, voxelsPerSlice } = this;
    const { sliceCount } = this.grid;
    // From run to run: most of a volume is nothing.
    for (let index = prediction.indexOf(1); index >= 0; index = prediction.indexOf(1, index)) {
      for (; prediction[index] === 1; index++) {
        this.voxels++;
        voxelsPerSlice[Math.floor(index / sliceCount)]++;
      }
    }
  }
}
