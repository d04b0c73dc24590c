/** Hounsfield windows and the look-up table that turns HU into grey. No DOM. */

/**
 * @typedef {object} HuWindow
 * @property {string} name
 * @property {string} short
 * @property {number} lowHu   shown black
 * @property {number} highHu  shown white
 */

/** @type {readonly HuWindow[]} in the order of their keys 1 to 4 */
export const WINDOWS = Object.freeze([
  { name: "Mediastinum", short: "Mediast.", lowHu: -125, highHu: 250 },
  { name: "Lung", short: "Lung", lowHu: -1350, highHu: 150 },
  { name: "Bone", short: "Bone", lowHu: -450, highHu: 1050 },
  { name: "Soft tissue", short: "Soft", lowHu: -160, highHu: 240 },
]);

const NARROWEST_HU = 1;
const WIDEST_HU = 8000;

/**
 * A window of its own, from another one: wider or narrower, brighter or darker.
 * @param {HuWindow} window
 * @param {number} widerHu
 * @param {number} higherHu  how much the level rises
 * @returns {HuWindow}
 */
export function adjusted({ lowHu, highHu }, widerHu, higherHu) {
  const width = Math.max(NARROWEST_HU, Math.min(WIDEST_HU, highHu - lowHu + widerHu));
  const level = Math.max(-1024, Math.min(3071, (highHu + lowHu) / 2 + higherHu));
  return { name: "own", short: "own", lowHu: level - width / 2, highHu: level + width / 2 };
}

/** Width and level, as radiologists say it. @param {HuWindow} window */
export function describeWindow({ lowHu, highHu, name }) {
  const level = `${Math.round((highHu + lowHu) / 2)}`.replace("-", "−");
  return `W ${Math.round(highHu - lowHu)} L ${level} · ${name}`;
}

/**
 * Grey pixels for every int16: entry [hu & 0xffff]. No clamping is needed when it is used.
 * @param {HuWindow} window
 * @returns {Uint32Array}
 */
export function greyTable({ lowHu, highHu }) {
  const table = new Uint32Array(65536);
  const scale = 255 / (highHu - lowHu);
  for (let hu = -32768; hu < 32768; hu++) {
    const grey = Math.max(0, Math.min(255, Math.round((hu - lowHu) * scale)));
    table[hu & 0xffff] = packRgba(grey, grey, grey, 255);
  }
  return table;
}

/**
 * A pixel as ImageData stores it on a little-endian machine.
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 * @param {number} alpha
 */
export function packRgba(red, green, blue, alpha) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
