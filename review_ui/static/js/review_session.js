/**
 * One review under way: paints into the layer, journals every stroke, keeps the page's figures current.
 *
 * @typedef {import("./case_loader.js").CaseFacts} CaseFacts
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./corrections.js").Tool} Tool
 * @typedef {import("./geometry.js").PlanePoint} PlanePoint
 * @typedef {import("./slice_view.js").SliceView} SliceView
 */
import { getJson, kindOf, postJson } from "./api.js";
import { showBanner } from "./banner.js";
import { offerToGoOn } from "./going_on.js";
import { Journal } from "./journal.js";
import { LiveFigures } from "./live_figures.js";
import { byId, setText } from "./page.js";
import * as panel from "./panel.js";
import { encodeRuns, runsOf } from "./runs.js";
import { shapeOf } from "./shape.js";
import { StopHereWatch } from "./stop_here.js";
import { Stroke } from "./strokes.js";

/** Figures are asked for when the hand rests, not after every dab. */
const FIGURES_PAUSE_MS = 300;
/** The shape is looked at when the hand rests. */
const SHAPE_PAUSE_MS = 400;
/** Until they are asked for again where no answer came. */
const FIGURES_RETRY_MS = 3000;

export class ReviewSession {
  /**
   * @param {object} parts
   * @param {string} parts.url  /api/cases/<id>
   * @param {CaseFacts} parts.facts
   * @param {CorrectionLayer} parts.layer
   * @param {import("./stage.js").Stage} parts.stage
   * @param {import("./review_state.js").ReviewState} parts.state
   * @param {import("./case_lock.js").CaseLock} parts.lock
   * @param {import("./interactions.js").InteractionLog} parts.log
   * @param {number} parts.seq  last journal entry the server holds
   */
  constructor({ url, facts, layer, stage, state, lock, log, seq }) {
    this.url = url;
    this.facts = facts;
    this.layer = layer;
    this.stage = stage;
    this.state = state;
    this.lock = lock;
    this.log = log;
    this.isEditable = false;
    /** Axial slices that were on the screen. @type {Set<number>} */
    this.seen = new Set();
    /** The stroke under the hand. @type {Stroke | null} */
    this.stroke = null;
    /** Called before anything is painted, undone or redone. @type {() => void} */
    this.beforeEdit = () => {};
    /** Called when a stroke is done and kept. @type {() => void} */
    this.afterStroke = () => {};
    /** Called when the hand has rested after a change. @type {() => void} */
    this.onRest = () => {};
    this.figuresTimer = 0;
    this.shapeTimer = 0;
    /** As the server told of the structure as it stands; null until it has. @type {panel.Figures | null} */
    this.figures = null;
    this.live = new LiveFigures(layer);
    this.stopHere = new StopHereWatch({ layer, figures: this.live, stage, facts });
    this.journal = new Journal({
      acknowledged: seq,
      send: (entry) => this.#send(entry),
      onStatus: (status) => this.#saved(status),
    });
    lock.onLost = (message) => this.close(message);
    lock.onRenewed = (flags) => this.#flagged(flags);
    layer.onChange = () => this.#changed();
    stage.onDrawn = () => this.#drawn();
    state.onUpdate((changed) => {
      panel.showSettings(state.settings);
      if (changed.position) panel.showPosition(state.settings.position, facts);
    });
  }

  /** Everything has arrived: show it, and let the reviewer paint where that is permitted. */
  open() {
    this.isEditable = this.facts.editable;
    this.state.update({});
    panel.showPosition(this.state.settings.position, this.facts);
    document.body.dataset.seq = String(this.journal.acknowledged);
    document.body.dataset.pending = "0";
    setText("save-status", this.journal.acknowledged > 0 ? "All strokes are saved" : "");
    this.stage.redraw();
    this.#changed();
    void this.#askForFigures();
    this.log.note("open", { editable: this.isEditable });
  }

  /** No more painting; what is painted stays on the screen. @param {string} [reason] */
  close(reason = "") {
    this.breakStroke();
    this.beforeEdit();
    this.isEditable = false;
    byId("tools").classList.add("disabled");
    panel.showButtons(this.layer, false);
    if (!reason) return;
    const unsaved = () => this.journal.pending;
    void offerToGoOn({ url: this.url, reason, isHeld: this.lock.isHeld, unsaved });
  }

  /**
   * @param {SliceView} view
   * @param {Tool} tool
   * @param {PlanePoint} at
   * @returns {boolean} false where nothing may be painted, or another hand is at it
   */
  startStroke(view, tool, at) {
    if (!this.isEditable || this.stroke) return false;
    this.beforeEdit();
    const { position, shape, radiusMm, toleranceHu } = this.state.settings;
    const slice = position[view.plane.normal];
    this.stroke = new Stroke(this.layer, view.ct, { plane: view.plane, slice, tool, shape, radiusMm, toleranceHu }, at);
    this.log.note("mouse-press", { tool: this.stroke.tool, shape, plane: view.plane.name, slice });
    return true;
  }

  /**
   * @param {PlanePoint} from
   * @param {PlanePoint} to
   */
  continueStroke(from, to) {
    this.stroke?.extend(from, to);
  }

  endStroke() {
    this.#endStroke(true);
  }

  /** The hand was interrupted: what was painted so far is a stroke, a lasso that is not closed is none. */
  breakStroke() {
    this.#endStroke(false);
  }

  /** @param {boolean} isWhole */
  #endStroke(isWhole) {
    const { stroke } = this;
    if (!stroke) return;
    const changed = stroke.end(isWhole);
    this.stage.redraw();
    this.stroke = null;
    this.log.note("mouse-release", { voxels: changed?.length ?? 0 });
    if (!changed) return;
    const { tool, plane, slice, shape: name, radiusMm } = stroke;
    const size = name !== "lasso" && radiusMm > 0 ? { radius_mm: radiusMm } : {};
    this.#journal({ kind: "stroke", name, tool, plane: plane.name, slice, ...size, runs: encodeRuns(runsOf(changed)) });
    // When the stroke is on the screen.
    window.setTimeout(() => this.afterStroke());
  }

  /**
   * Add and remove voxels at once, as one step, where they may be changed.
   * @param {import("./blocks.js").Change} wanted
   * @param {Omit<import("./corrections.js").StepLabel, "tool">} label
   * @returns {number} how many voxels were changed
   */
  applyChange(wanted, label) {
    this.beforeEdit();
    const change = this.layer.permitted(wanted);
    if (!this.isEditable || this.stroke || !this.layer.applyChange(change, label)) return 0;
    const [added, removed] = [change.added, change.removed].map((voxels) => encodeRuns(runsOf(voxels)));
    const voxels = added ? { tool: "add", runs: added, ...(removed && { removes: removed }) } : { tool: "remove", runs: removed };
    this.#journal({ kind: "stroke", ...label, ...voxels });
    this.log.note("tool-applied", { name: label.name, voxels: change.added.length + change.removed.length });
    return change.added.length + change.removed.length;
  }

  undo() {
    if (!this.isEditable || this.stroke) return;
    this.beforeEdit();
    if (!this.layer.undo()) return;
    this.#journal({ kind: "undo" });
    this.log.note("undo");
  }

  redo() {
    if (!this.isEditable || this.stroke) return;
    this.beforeEdit();
    if (!this.layer.redo()) return;
    this.#journal({ kind: "redo" });
    this.log.note("redo");
  }

  /** Let the three planes cross at a voxel. @param {import("./geometry.js").Vector3} position */
  goTo(position) {
    // A stroke belongs to one slice; it ends before the slice changes.
    if (this.stroke) return;
    this.state.update({ position });
    this.log.note("position", { voxel: position });
  }

  /** What would be approved now, and what stands against it. */
  summary() {
    const contoured = panel.contouredSlices(this.layer);
    const viewed = contoured.filter((slice) => this.seen.has(slice)).length;
    /** @type {import("./approval.js").SummaryRow[]} */
    const rows = [
      ["Volume", `${this.layer.volumeCc.toFixed(1)} ml`],
      [
        "Slices viewed",
        `${viewed} of ${contoured.length} contoured`,
        viewed < contoured.length ? "attention" : "",
      ],
    ];
    const figures = this.live.current ?? this.figures;
    const known = panel.gray(figures?.correction?.mean_gy);
    // A figure from before the last stroke must not be approved by.
    const mean = known ?? (this.facts.dose && !figures ? "not known yet" : null);
    if (mean) rows.push([`Mean ${this.facts.roi_words} dose`, mean]);
    return { problem: this.#problem(), rows, flags: this.facts.flags };
  }

  /** Ask what has come for the case by now; without an answer what is known stays. */
  async refreshFlags() {
    const facts = /** @type {CaseFacts | null} */ (await getJson(this.url).catch(() => null));
    if (facts) this.#flagged(facts.flags);
  }

  /** @param {import("./dose_grid.js").DoseGrid | null} dose */
  takeDose(dose) {
    if (!dose || this.live.live) return;
    this.live.takeDose(dose);
    this.stopHere.changed();
  }

  /** @param {string[]} flags */
  #flagged(flags) {
    this.facts.flags = flags;
    panel.showFlags("flags", flags);
  }

  #problem() {
    if (this.layer.voxels === 0) return `There is no ${this.facts.roi} yet. Paint it first.`;
    if (this.journal.isRefused) return "A stroke could not be saved. Reload the page first.";
    if (this.journal.pending > 0) return "The last strokes are still being saved.";
    return "";
  }

  /** @param {{kind: "stroke" | "undo" | "redo", [key: string]: unknown}} entry */
  #journal(entry) {
    this.figures = null;
    this.live.changed();
    // What was said before the first stroke is known by now, and lies over the picture.
    showBanner("");
    this.journal.add(entry);
    panel.showButtons(this.layer, this.isEditable);
  }

  /** @param {import("./journal.js").OutgoingEntry} entry */
  async #send(entry) {
    try {
      await postJson(`${this.url}/journal`, { tab: this.lock.tab, ...entry });
    } catch (error) {
      if (kindOf(error) === "locked") this.lock.lost(/** @type {Error} */ (error).message);
      throw error;
    }
  }

  #changed() {
    this.stage.refreshLayers();
    this.live.changed();
    this.stopHere.changed();
    panel.showChecks(this.layer, this.seen);
    panel.showButtons(this.layer, this.isEditable);
    window.clearTimeout(this.shapeTimer);
    this.shapeTimer = window.setTimeout(() => {
      panel.showShape(shapeOf(this.layer));
      this.onRest();
    }, SHAPE_PAUSE_MS);
  }

  #drawn() {
    const slice = this.state.settings.position[2];
    if (document.body.dataset.ready !== "true" || this.seen.has(slice)) return;
    this.seen.add(slice);
    panel.showChecks(this.layer, this.seen);
  }

  /** @param {import("./journal.js").JournalStatus} status */
  #saved(status) {
    panel.showSaveStatus(status);
    if (status.condition === "refused") this.close(status.message);
    if (status.condition === "saved") this.#askForFiguresIn(FIGURES_PAUSE_MS);
  }

  /** @param {number} pauseMs */
  #askForFiguresIn(pauseMs) {
    window.clearTimeout(this.figuresTimer);
    this.figuresTimer = window.setTimeout(() => void this.#askForFigures(), pauseMs);
  }

  async #askForFigures() {
    const seq = this.journal.acknowledged;
    const figures = await getJson(`${this.url}/figures`).catch(() => null);
    // An answer that is older than what has been painted meanwhile says nothing.
    if (seq !== this.journal.acknowledged || this.journal.pending > 0) return;
    if (!figures) {
      this.#askForFiguresIn(FIGURES_RETRY_MS);
      return;
    }
    this.figures = figures;
    this.live.takeTold(figures);
    if (!this.live.live) this.stopHere.forget();
  }
}
