/**
 * How undecided voxels look. No DOM.
 *
 * @typedef {import("./slice_pixels.js").Box} Box
 */
import { packRgba } from "./window_level.js";

/** Less than this (in 1/255 bit) is as good as decided: the probability is below 2 % or above 98 %. */
const FAINTEST = 36;
const MOST_OPAQUE = 190;

/** Violet, the more opaque the less decided, by entropy in 1/255 bit. */
export function uncertaintyTable() {
  const opacity = (/** @type {number} */ bits) =>
    bits < FAINTEST ? 0 : packRgba(186, 120, 255, Math.round((MOST_OPAQUE * bits) / 255));
  return Uint32Array.from({ length: 256 }, (_, bits) => opacity(bits));
}

/**
 * @param {{values: Uint8Array, width: number, box: Box}} part  from `Boxed.slice`
 * @param {Uint32Array} table
 * @param {Uint32Array} pixels  written where a voxel is undecided
 * @param {number} width  of the whole picture
 */
export function paintUncertainty({ values, width: columns, box }, table, pixels, width) {
  for (let i = 0; i < values.length; i++) {
    const colour = table[values[i]];
    if (colour === 0) continue;
    const row = box.top + Math.floor(i / columns);
    pixels[row * width + box.left + (i % columns)] = colour;
  }
}
