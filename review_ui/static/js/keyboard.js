/** Keys the review page comes with. The sheet behind "?" is made from this table, so it cannot lie. */
import { nameOf } from "./keymap.js";

/**
 * @typedef {object} KeyBinding
 * @property {string[]} keys  KeyboardEvent.key, lower case; "ctrl+" and "shift+" in front
 * @property {string} action  name of the action in the page
 * @property {string} label
 */

/** @type {readonly KeyBinding[]} */
export const BINDINGS = Object.freeze([
  { keys: ["q"], action: "toolAdd", label: "Brush: add" },
  { keys: ["w"], action: "toolRemove", label: "Brush: remove" },
  { keys: ["e"], action: "toolErase", label: "Brush: erase corrections" },
  { keys: ["b"], action: "shapeBrush", label: "Round brush on one slice" },
  { keys: ["shift+b"], action: "shapeBall", label: "Ball: a brush that is round in space" },
  { keys: ["h"], action: "shapeSmart", label: "Smart brush: only HU like those under the press" },
  { keys: ["p"], action: "shapePush", label: "Push the border" },
  { keys: ["l"], action: "shapeLasso", label: "Lasso" },
  { keys: ["["], action: "brushSmaller", label: "Smaller brush" },
  { keys: ["]"], action: "brushLarger", label: "Larger brush" },
  { keys: ["{"], action: "lessTolerance", label: "Smart brush: fewer HU" },
  { keys: ["}"], action: "moreTolerance", label: "Smart brush: more HU" },
  { keys: ["g"], action: "fillSlice", label: "Fill what is enclosed on the slice" },
  { keys: ["n"], action: "interpolate", label: "Interpolate between drawn slices" },
  { keys: ["m"], action: "propagate", label: "Propose each correction for neighbouring slices, on and off" },
  { keys: ["v"], action: "takeProposal", label: "Take what is proposed" },
  { keys: ["escape"], action: "dismissProposal", label: "Dismiss what is proposed" },
  { keys: ["+", "="], action: "grow", label: "Grow by 1 mm more" },
  { keys: ["-"], action: "shrink", label: "Shrink by 1 mm more" },
  { keys: ["k"], action: "largestPiece", label: "Keep the largest piece alone" },
  { keys: ["shift+k"], action: "removeIslands", label: "Remove islands below 1 ml" },
  { keys: ["shift+h"], action: "fillHoles", label: "Fill holes" },
  { keys: ["z", "ctrl+z"], action: "undo", label: "Undo" },
  { keys: ["shift+z", "ctrl+shift+z", "ctrl+y"], action: "redo", label: "Redo" },
  { keys: ["r", "pageup", "arrowup"], action: "sliceUp", label: "One slice towards the head" },
  { keys: ["f", "pagedown", "arrowdown"], action: "sliceDown", label: "One slice towards the feet" },
  { keys: ["home"], action: "firstContoured", label: "Lowest contoured slice" },
  { keys: ["end"], action: "lastContoured", label: "Highest contoured slice" },
  { keys: ["s"], action: "showPrediction", label: "Prediction on and off" },
  { keys: ["a"], action: "showCorrections", label: "Corrections on and off" },
  { keys: ["t"], action: "showOutline", label: "Outline on and off" },
  { keys: ["c"], action: "showReference", label: "Contour of the TPS on and off" },
  { keys: ["d"], action: "showDose", label: "Dose colours on and off" },
  { keys: ["i"], action: "showIsodose", label: "Isodose lines on and off" },
  { keys: ["u"], action: "showUncertainty", label: "Undecided voxels on and off" },
  { keys: ["o"], action: "showLeverage", label: "Dose leverage on and off: what near the contour moves the mean dose" },
  { keys: ["y"], action: "showBox", label: "Box that painting keeps to, on and off" },
  { keys: ["."], action: "nextDoubt", label: "Next slice of doubt, towards the head" },
  { keys: [","], action: "previousDoubt", label: "Next slice of doubt, towards the feet" },
  { keys: ["shift+d"], action: "highestDose", label: "Highest dose within the contour" },
  { keys: ["shift+o"], action: "nextLeverage", label: "Slice that can move the mean dose most, then the next" },
  { keys: ["shift+u"], action: "leastCertain", label: "Slice the model is least sure of" },
  { keys: ["1"], action: "window1", label: "Window: mediastinum" },
  { keys: ["2"], action: "window2", label: "Window: lung" },
  { keys: ["3"], action: "window3", label: "Window: bone" },
  { keys: ["4"], action: "window4", label: "Window: soft tissue" },
  { keys: ["x"], action: "crossAtPointer", label: "Crosshair to the pointer" },
  { keys: ["0"], action: "resetViews", label: "Show whole slices" },
  { keys: ["?"], action: "help", label: "This list" },
]);

/**
 * Call `actions[name]` for bound keys, and keep track of the space bar.
 * @param {() => readonly KeyBinding[]} bindings  as they are at the press
 * @param {Record<string, () => void>} actions
 * @param {(held: boolean) => void} onSpace
 */
export function listenToKeys(bindings, actions, onSpace) {
  // From button to button by Tab; :focus-visible is no help, any key makes it so after a click as well.
  let isWalking = false;
  window.addEventListener("pointerdown", () => (isWalking = false), { capture: true });
  window.addEventListener("keydown", (event) => {
    if (event.key === "Tab") isWalking = true;
    if (isTyping(event.target)) return;
    if (event.key === " ") {
      // A button that was reached by key is pressed by it; elsewhere it moves the picture.
      if (isWalking && event.target instanceof HTMLButtonElement) return;
      event.preventDefault();
      onSpace(true);
      return;
    }
    const key = nameOf(event);
    const action = actions[bindings().find(({ keys }) => keys.includes(key))?.action ?? ""];
    if (!action) return;
    event.preventDefault();
    action();
  });
  window.addEventListener("keyup", (event) => event.key === " " && onSpace(false));
  window.addEventListener("blur", () => onSpace(false));
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  const element = target instanceof Element ? target : null;
  return document.querySelector("dialog[open]") !== null || element?.matches("input, textarea");
}
