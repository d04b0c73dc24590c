/**
 * Header, right panel, labels on the views and the bottom bar: everything that only shows.
 *
 * @typedef {import("./case_loader.js").CaseFacts} CaseFacts
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 * @typedef {import("./geometry.js").PlaneName} PlaneName
 * @typedef {import("./geometry.js").Vector3} Vector3
 * @typedef {import("./journal.js").JournalStatus} JournalStatus
 * @typedef {import("./review_state.js").Settings} Settings
 *
 * @typedef {{volume_cc: number, mean_gy: number | null, coverage: number}} Figure
 * @typedef {object} Figures  GET /api/cases/<id>/figures
 * @property {string} roi
 * @property {Figure | null} prediction
 * @property {Figure | null} correction
 * @property {number | null} difference_gy
 * @property {{value: number, low: number, high: number} | null} expected_error_gy  of the prediction
 * @property {string} note
 * @property {string} dose  the plan and its prescription
 * @property {number | null} dose_id  which dose they are of
 * @property {string[]} other_doses
 */
import { withCap } from "./keymap.js";
import { keyOf } from "./own_keys.js";
import { button, byId, clockTime, make, setText, signed } from "./page.js";
import { stepInWords } from "./step_names.js";
import { describeWindow, WINDOWS } from "./window_level.js";

const TOOL_BUTTONS = { add: "tool-add", remove: "tool-remove", erase: "tool-erase" };
const LAYER_ROWS = /** @type {const} */ ([
  ["layer-prediction", "showPrediction"],
  ["layer-corrections", "showCorrections"],
  ["layer-outline", "showOutline"],
  ["layer-reference", "showReference"],
  ["layer-leverage", "showLeverage"],
  ["layer-dose", "showDose"],
  ["layer-isodose", "showIsodose"],
  ["layer-uncertainty", "showUncertainty"],
  ["layer-box", "showBox"],
]);

/** @param {Settings} settings */
export function showSettings(settings) {
  for (const [tool, id] of Object.entries(TOOL_BUTTONS)) {
    byId(id).setAttribute("aria-pressed", String(settings.tool === tool));
  }
  for (const [id, name] of LAYER_ROWS) byId(id).setAttribute("aria-pressed", String(settings[name]));
  WINDOWS.forEach((_, i) => {
    byId(`window-${i + 1}`).setAttribute("aria-pressed", String(settings.window === WINDOWS[i]));
  });
  setText("window-label", describeWindow(settings.window));
  setText("brush-label", `Brush radius ${settings.radiusMm} mm`);
  byId("dose-legend").hidden = !settings.showDose && !settings.showIsodose;
  document.body.dataset.tool = settings.tool;
}

/**
 * @param {Vector3} position
 * @param {CaseFacts} facts
 */
export function showPosition(position, { dims, slice_mm }) {
  const mm = slice_mm[position[2]].toFixed(1).replace("-", "−");
  setText("axial-label", `Axial · ${position[2] + 1} / ${dims[2]} · ${mm} mm`);
  setText("sagittal-label", `Sagittal · ${position[0] + 1} / ${dims[0]}`);
  setText("coronal-label", `Coronal · ${position[1] + 1} / ${dims[1]}`);
  document.body.dataset.slice = String(position[2]);
}

/**
 * @param {CorrectionLayer} layer
 * @param {ReadonlySet<number>} seen  axial slices that were on the screen
 */
export function showChecks(layer, seen) {
  const contoured = contouredSlices(layer);
  const viewed = contoured.filter((slice) => seen.has(slice)).length;
  setText("volume", `${layer.volumeCc.toFixed(1)} ml`);
  setText("slices-viewed", `${viewed} / ${contoured.length}`);
  byId("slices-viewed").classList.toggle("attention", viewed < contoured.length);
  document.body.dataset.voxels = String(layer.voxels);
}

/**
 * What somebody should know of the objects that came, one paragraph each.
 * @param {"flags" | "approve-flags"} id
 * @param {string[]} flags
 */
export function showFlags(id, flags) {
  byId(id).replaceChildren(...flags.map((text) => make("p", { className: "attention", text })));
}

/** What the series is, one paragraph each. @param {string[]} findings */
export function showFindings(findings) {
  byId("series").hidden = findings.length === 0;
  byId("findings").replaceChildren(...findings.map((text) => make("p", { className: "dim", text })));
}

/** Axial slices that hold the corrected structure, ascending. @param {CorrectionLayer} layer */
export function contouredSlices(layer) {
  /** @type {number[]} */
  const slices = [];
  layer.voxelsPerSlice.forEach((count, slice) => count > 0 && slices.push(slice));
  return slices;
}

/** The RTSTRUCT there is to download, and what it holds. @param {CaseFacts} facts */
export function showStructureSet({ approved, prediction }) {
  byId("structure-set").hidden = !approved && !prediction;
  const what = approved ? "as approved" : "prediction, not reviewed";
  setText("structure-set-link", `Download RTSTRUCT (${what})`);
}

/** @param {Figures} figures */
export function showFigures(figures) {
  const { prediction, correction, difference_gy, expected_error_gy, note, dose, other_doses } = figures;
  setText("mean-dose", gray(correction?.mean_gy) ?? "–");
  const predicted = gray(prediction?.mean_gy);
  const parts = [];
  if (predicted) parts.push(`predicted ${predicted}`);
  const most = gray(expected_error_gy?.high);
  if (predicted && most) parts[0] += ` ± ${most} in 9 of 10`;
  if (difference_gy !== null) parts.push(`${signed(difference_gy, 2)} Gy`);
  setText("dose-comparison", parts.join(" · "));
  setText("dose-plan", dose);
  byId("other-doses").replaceChildren(...other_doses.map((text) => make("p", { text })));
  setText("dose-note", note);
  byId("dose-note").classList.toggle("attention", note !== "" && correction !== null);
  byId("mean-dose").classList.remove("stale");
}

/** @param {number | null | undefined} gy @returns {string | null} */
export function gray(gy) {
  return gy === null || gy === undefined ? null : `${gy.toFixed(2)} Gy`;
}

/** @param {JournalStatus} status */
export function showSaveStatus({ acknowledged, pending, condition, message }) {
  const words = {
    saved: `Saved ${clockTime(new Date())}`,
    saving: "Saving…",
    retrying: `Not saved: ${changes(pending)}. ${message} Trying again.`,
    refused: `Not saved: ${changes(pending)}`,
  };
  setText("save-status", words[condition]);
  byId("save-status").dataset.condition = condition;
  document.body.dataset.seq = String(acknowledged);
  document.body.dataset.pending = String(pending);
}

/**
 * @param {number} received
 * @param {number} total
 */
export function showLoading(received, total) {
  const bar = /** @type {HTMLProgressElement} */ (byId("loading-bar"));
  bar.max = total;
  bar.value = received;
  setText("loading-text", `Loading slices ${received} / ${total}`);
  byId("loading").hidden = received >= total;
}

/** Entries of the journal in words: strokes, undo and redo alike. @param {number} count */
export function changes(count) {
  return count === 1 ? "1 change" : `${count} changes`;
}

/** @param {import("./shape.js").Shape} shape */
export function showShape({ pieces, slicesWithHoles, cut }) {
  const rows = /** @type {const} */ ([
    ["pieces", `${pieces}`, pieces > 1],
    ["holes", slicesWithHoles.length ? `in ${slicesWithHoles.length} slices` : "none", slicesWithHoles.length > 0],
    ["cut", cut.length ? `at ${cut.join(", ")}` : "no", cut.length > 0],
  ]);
  for (const [id, text, odd] of rows) {
    setText(id, text);
    byId(id).classList.toggle("attention", odd);
  }
}

/**
 * @param {PlaneName} plane
 * @param {string} text
 */
export function showHover(plane, text) {
  setText(`${plane}-hover`, text);
}

/**
 * @param {CorrectionLayer} layer
 * @param {boolean} editable
 */
export function showButtons(layer, editable) {
  showStep("undo", "Undo", layer.undoSteps);
  showStep("redo", "Redo", layer.redoSteps);
  button("undo").disabled = !editable || layer.undoSteps.length === 0;
  button("redo").disabled = !editable || layer.redoSteps.length === 0;
  button("approve").disabled = !editable;
}

/**
 * What the button would undo or redo.
 * @param {"undo" | "redo"} id
 * @param {string} verb
 * @param {readonly import("./corrections.js").Step[]} steps
 */
function showStep(id, verb, steps) {
  const step = steps.at(-1);
  const words = step ? stepInWords(step.label) : "";
  button(id).title = withCap(words ? `${verb}: ${words}` : verb, keyOf(id));
  document.body.dataset[id] = words;
}
