/** Colours and levels of dose. No DOM. */
import { packRgba } from "./window_level.js";

/** Parts of the highest dose and their colours, cold to hot. */
const STOPS = /** @type {const} */ ([
  [0, [40, 60, 220]],
  [0.25, [0, 170, 240]],
  [0.5, [40, 200, 90]],
  [0.75, [250, 220, 50]],
  [0.9, [250, 140, 30]],
  [1, [235, 40, 40]],
]);
/** Below this part of the highest dose the wash leaves the CT as it is. */
const FAINTEST = 0.05;
const OPACITY = 105;
const MOST_LEVELS = 7;

/**
 * The colour of a part (0 to 1) of the highest dose.
 * @param {number} part
 * @returns {[number, number, number]}
 */
export function doseColour(part) {
  const within = Math.max(0, Math.min(1, part));
  const after = Math.max(1, STOPS.findIndex(([at]) => at >= within));
  const [[from, low], [to, high]] = [STOPS[after - 1], STOPS[after]];
  const share = (within - from) / (to - from);
  const between = (/** @type {0 | 1 | 2} */ i) => Math.round(low[i] + share * (high[i] - low[i]));
  return [between(0), between(1), between(2)];
}

/** A dose colour for a style sheet. @param {number} part */
export function doseCss(part) {
  return `rgb(${doseColour(part).join(" ")})`;
}

/** Pixels of the colour wash by 1/255 of the highest dose. */
export function doseTable() {
  const table = new Uint32Array(256);
  for (let i = Math.ceil(FAINTEST * 255); i < 256; i++) {
    const [red, green, blue] = doseColour(i / 255);
    table[i] = packRgba(red, green, blue, OPACITY);
  }
  return table;
}

/**
 * @param {Float32Array} field  Gy
 * @param {number} maxGy  no field holds more
 * @param {Uint32Array} table  from `doseTable`
 * @param {Uint32Array} pixels  written
 */
export function paintDose(field, maxGy, table, pixels) {
  const scale = maxGy > 0 ? 255 / maxGy : 0;
  // What is not a number counts as 0 here, which leaves the CT as it is.
  for (let i = 0; i < field.length; i++) pixels[i] = table[(field[i] * scale + 0.5) | 0];
}

/**
 * Round levels in Gy for isodose lines, at most seven, none at the highest dose itself.
 * @param {number} maxGy
 * @returns {number[]} ascending
 */
export function isodoseLevels(maxGy) {
  if (!(maxGy > 0)) return [];
  for (let decade = 10 ** Math.floor(Math.log10(maxGy) - 1); ; decade *= 10) {
    for (const step of [decade, 2 * decade, 5 * decade]) {
      const count = Math.ceil(maxGy / step - 1e-9) - 1;
      if (count > MOST_LEVELS) continue;
      return Array.from({ length: count }, (_, i) => Number(((i + 1) * step).toPrecision(6)));
    }
  }
}
