/**
 * What keys and mouse do to the view alone: layers, window, places worth a look.
 *
 * @typedef {import("./geometry.js").Vector3} Vector3
 * @typedef {import("./review_session.js").ReviewSession} ReviewSession
 * @typedef {import("./review_state.js").Settings} Settings
 * @typedef {import("./slice_view.js").SliceView} SliceView
 *
 * @typedef {"showPrediction" | "showCorrections" | "showOutline" | "showDose" | "showIsodose" | "showUncertainty" | "showReference" | "showLeverage" | "showBox"} LayerSetting
 */
import { showPassingNote } from "./banner.js";
import { differingSlices, doubtfulSlices, highestSlice, hottestVoxel, nextOf } from "./guidance.js";
import { nextRanked, ranking } from "./leverage.js";
import { adjusted, describeWindow, WINDOWS } from "./window_level.js";

/** Window width and level for each CSS pixel of the drag. */
const HU_PER_PIXEL = 2;

/** Buttons that do what a key does. @type {Readonly<Record<string, string>>} */
export const VIEW_BUTTONS = Object.freeze({
  "layer-prediction": "showPrediction",
  "layer-corrections": "showCorrections",
  "layer-outline": "showOutline",
  "layer-reference": "showReference",
  "layer-leverage": "showLeverage",
  "layer-dose": "showDose",
  "layer-isodose": "showIsodose",
  "layer-uncertainty": "showUncertainty",
  "layer-box": "showBox",
  "window-1": "window1",
  "window-2": "window2",
  "window-3": "window3",
  "window-4": "window4",
  "previous-doubt": "previousDoubt",
  "next-doubt": "nextDoubt",
  "to-dose": "highestDose",
  "to-uncertainty": "leastCertain",
  "to-leverage": "nextLeverage",
});

/** @type {readonly LayerSetting[]} */
const LAYERS = [
  "showPrediction",
  "showCorrections",
  "showOutline",
  "showReference",
  "showLeverage",
  "showDose",
  "showIsodose",
  "showUncertainty",
  "showBox",
];

/**
 * Actions by the names that keyboard.js uses.
 * @param {ReviewSession} session
 * @returns {Record<string, () => void>}
 */
export function viewActions(session) {
  const places = new Places(session);
  return {
    ...Object.fromEntries(LAYERS.map((layer) => [layer, () => toggle(session, layer)])),
    ...Object.fromEntries(
      WINDOWS.map((window, i) => [`window${i + 1}`, () => setWindow(session, window)]),
    ),
    nextDoubt: () => places.doubt(1),
    previousDoubt: () => places.doubt(-1),
    highestDose: () => places.highestDose(),
    leastCertain: () => places.leastCertain(),
    nextLeverage: () => places.leverage(),
  };
}

/**
 * A window of one's own: right is wider, up is brighter.
 * @param {ReviewSession} session
 * @param {number} dx  CSS pixels
 * @param {number} dy
 */
export function dragWindow(session, dx, dy) {
  const { window } = session.state.settings;
  // A lower level shows the same tissue brighter.
  session.state.update({ window: adjusted(window, dx * HU_PER_PIXEL, dy * HU_PER_PIXEL) });
}

/** @param {ReviewSession} session */
export function noteWindow({ log, state }) {
  log.note("window", { name: describeWindow(state.settings.window) });
}

/**
 * What the CT and the dose hold at a voxel, with a true minus.
 * @param {SliceView} view
 * @param {Vector3} voxel
 */
export function valuesAt({ scan, extras }, voxel) {
  const { ct, grid, arrived } = scan;
  if (!arrived[voxel[2]]) return "";
  const parts = [`${ct[grid.indexOf(voxel)]} HU`.replace("-", "−")];
  const gy = extras.dose?.at(voxel);
  if (gy !== undefined) parts.push(Number.isNaN(gy) ? "no dose here" : `${gy.toFixed(2)} Gy`);
  return parts.join(" · ");
}

/**
 * @param {ReviewSession} session
 * @param {LayerSetting} layer
 */
function toggle({ log, state }, layer) {
  const shown = !state.settings[layer];
  state.update({ [layer]: shown });
  log.note("layer", { layer, shown });
}

/**
 * @param {ReviewSession} session
 * @param {import("./window_level.js").HuWindow} window
 */
function setWindow({ log, state }, window) {
  state.update({ window });
  log.note("window", { name: window.name });
}

/** Goes to places worth a look, or says why there are none. */
class Places {
  /** @param {ReviewSession} session */
  constructor(session) {
    this.session = session;
    /** The slice that `leverage` went to last. @type {number | undefined} */
    this.byLeverage = undefined;
  }

  get #extras() {
    return this.session.stage.views.axial.extras;
  }

  /** @param {1 | -1} direction */
  doubt(direction) {
    const { layer, state } = this.session;
    const { uncertainty, reference } = this.#extras;
    if (!uncertainty && !reference) {
      showPassingNote("Neither doubts of the model nor a contour of the TPS are known for this case.");
      return;
    }
    const slices = new Set([
      ...(uncertainty ? doubtfulSlices(uncertainty.sums(layer.grid.dims[2])) : []),
      ...(reference ? differingSlices(layer, reference) : []),
    ]);
    const ascending = [...slices].sort((a, b) => a - b);
    const slice = nextOf(ascending, state.settings.position[2], direction);
    if (slice === undefined) showPassingNote("No slice stands out.");
    else this.#goToSlice(slice);
  }

  highestDose() {
    const { dose } = this.#extras;
    const voxel = dose && hottestVoxel(this.session.layer, dose);
    if (voxel) this.session.goTo(voxel);
    else showPassingNote("There is no dose within the contour.");
  }

  leastCertain() {
    const { grid } = this.session.layer;
    const slice = highestSlice(this.#extras.uncertainty?.sums(grid.dims[2]) ?? []);
    if (slice === undefined) showPassingNote("Nothing is known of the model's doubts here.");
    else this.#goToSlice(slice);
  }

  leverage() {
    const bound = this.session.stopHere.now();
    const slices = bound ? ranking(bound.bySlice) : [];
    // On from where this key has led; from anywhere else to the first.
    const here = this.session.state.settings.position[2];
    const slice = this.byLeverage === here ? nextRanked(slices, here) : slices[0];
    this.byLeverage = slice;
    if (slice === undefined) showPassingNote("There is no dose near the contour.");
    else this.#goToSlice(slice);
  }

  /** @param {number} slice */
  #goToSlice(slice) {
    const [x, y] = this.session.state.settings.position;
    this.session.goTo([x, y, slice]);
  }
}
