/**
 * How layers of bytes look: undecided voxels, dose leverage. No DOM.
 *
 * @typedef {import("./slice_pixels.js").Box} Box
 */
import { packRgba } from "./window_level.js";

/** Less than this (in 1/255 bit) is as good as decided: the probability is below 2 % or above 98 %. */
const FAINTEST = 36;
const MOST_OPAQUE = 190;
/** All that may change is seen, if faintly. */
const LEAST_LEVERAGE = 24;

/** Violet, the more opaque the less decided, by entropy in 1/255 bit. */
export function uncertaintyTable() {
  const opacity = (/** @type {number} */ bits) =>
    bits < FAINTEST ? 0 : packRgba(186, 120, 255, Math.round((MOST_OPAQUE * bits) / 255));
  return Uint32Array.from({ length: 256 }, (_, bits) => opacity(bits));
}

/** Magenta, the more opaque the more a voxel moves the mean dose; 0 is nothing. */
export function leverageTable() {
  const opacity = (/** @type {number} */ part) =>
    part === 0 ? 0 : packRgba(255, 64, 200, LEAST_LEVERAGE + Math.round((MOST_OPAQUE * part) / 255));
  return Uint32Array.from({ length: 256 }, (_, part) => opacity(part));
}

/**
 * @param {{values: Uint8Array, width: number, box: Box}} part  from `Boxed.slice`
 * @param {Uint32Array} table
 * @param {Uint32Array} pixels  written where the table has a colour
 * @param {number} width  of the whole picture
 */
export function paintBytes({ values, width: columns, box }, table, pixels, width) {
  for (let i = 0; i < values.length; i++) {
    const colour = table[values[i]];
    if (colour === 0) continue;
    const row = box.top + Math.floor(i / columns);
    pixels[row * width + box.left + (i % columns)] = colour;
  }
}
