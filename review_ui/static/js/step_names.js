/** Steps by name: in the journal, in words on the page, and which of them the hand drew. No DOM. */
import { ADDED, REMOVED } from "./corrections.js";

/** @type {Readonly<Record<string, string>>} */
const WORDS = Object.freeze({
  "": "stroke",
  brush: "brush",
  ball: "ball brush",
  smart: "smart brush",
  push: "push",
  lasso: "lasso",
  "fill-slice": "fill slice",
  interpolate: "interpolate",
  propagate: "same on other slices",
  grow: "grow",
  shrink: "shrink",
  "largest-piece": "largest piece only",
  "remove-islands": "islands removed",
  "fill-holes": "holes filled",
});

/** Steps that the hand made on one slice: what is interpolated between. */
const DRAWN = new Set(["", "brush", "smart", "push", "lasso", "fill-slice"]);

const TOOL_WORDS = Object.freeze({ add: "add", remove: "remove", erase: "erase" });

/**
 * A step as the undo button names it: "lasso, remove, axial slice 12".
 * @param {import("./corrections.js").StepLabel} label
 */
export function stepInWords({ name, tool, plane, slice }) {
  const words = WORDS[name] ?? name;
  return DRAWN.has(name) || name === "ball" ? `${words}, ${TOOL_WORDS[tool]}, ${plane} slice ${slice + 1}` : words;
}

/**
 * Slices of a plane that the hand drew on and that were not undone.
 * @param {readonly import("./corrections.js").Step[]} steps
 * @param {import("./geometry.js").PlaneName} plane
 */
export function drawnSlices(steps, plane) {
  return steps.filter(({ label }) => DRAWN.has(label.name) && label.plane === plane).map(({ label }) => label.slice);
}

/**
 * What the last strokes on one slice changed together; null where the last step was none of them.
 * @param {import("./corrections.js").CorrectionLayer} layer
 */
export function lastEdit(layer) {
  const { undoSteps, prediction } = layer;
  const label = undoSteps.at(-1)?.label;
  if (!label || !DRAWN.has(label.name)) return null;
  /** Whether a voxel was inside before the first of these strokes. @type {Map<number, boolean>} */
  const wasInside = new Map();
  for (let i = undoSteps.length - 1; i >= 0; i--) {
    const step = undoSteps[i];
    const same = step.label.plane === label.plane && step.label.slice === label.slice;
    if (!same || !DRAWN.has(step.label.name)) break;
    step.indices.forEach((index, k) => {
      wasInside.set(index, step.before[k] === ADDED || (step.before[k] !== REMOVED && prediction[index] !== 0));
    });
  }
  const flipped = [...wasInside].filter(([index, was]) => layer.contains(index) !== was);
  const voxels = (/** @type {boolean} */ added) =>
    Uint32Array.from(flipped.filter(([, was]) => was !== added), ([index]) => index).sort();
  return { label, added: voxels(true), removed: voxels(false) };
}
