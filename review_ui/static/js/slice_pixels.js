/**
 * Turns one slice of the volume into pixels: grey CT, coloured layers, outline. No DOM.
 *
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 *
 * @typedef {object} LayerColours  packed pixels
 * @property {number} prediction
 * @property {number} added
 * @property {number} removed
 *
 * @typedef {{left: number, right: number, top: number, bottom: number}} Box  in pixels, inclusive
 */
import { ADDED, REMOVED } from "./corrections.js";

/**
 * Where the rows of a slice begin in the flat index, top row of the screen first.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @param {number} row  0 at the top of the screen
 */
function rowStart(grid, plane, slice, row) {
  const down = plane.flipped ? grid.dims[plane.down] - 1 - row : row;
  return slice * grid.strides[plane.normal] + down * grid.strides[plane.down];
}

/**
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} slice
 * @param {Int16Array} ct
 * @param {Uint32Array} table  from `greyTable`
 * @param {Uint32Array} pixels  written
 */
export function paintCt(grid, plane, slice, ct, table, pixels) {
  const [width, height] = grid.sizeOf(plane);
  const step = grid.strides[plane.across];
  let pixel = 0;
  for (let row = 0; row < height; row++) {
    let index = rowStart(grid, plane, slice, row);
    for (let column = 0; column < width; column++, index += step) {
      pixels[pixel++] = table[ct[index] & 0xffff];
    }
  }
}

/**
 * Paint prediction and corrections, and note which pixels are inside the corrected structure.
 * @param {Plane} plane
 * @param {number} slice
 * @param {CorrectionLayer} layer
 * @param {LayerColours} colours  a transparent colour (0) hides a layer
 * @param {Uint32Array} pixels  written
 * @param {Uint8Array} inside  written, 0 or 1
 * @returns {Box | null} smallest box around the inside pixels
 */
export function paintLayers(plane, slice, layer, colours, pixels, inside) {
  const { grid, prediction, values } = layer;
  const [width, height] = grid.sizeOf(plane);
  const step = grid.strides[plane.across];
  const box = { left: width, right: -1, top: height, bottom: -1 };
  let pixel = 0;
  for (let row = 0; row < height; row++) {
    let index = rowStart(grid, plane, slice, row);
    for (let column = 0; column < width; column++, index += step, pixel++) {
      const value = values[index];
      const predicted = prediction[index];
      if (value === 0 && predicted === 0) {
        pixels[pixel] = 0;
        inside[pixel] = 0;
        continue;
      }
      pixels[pixel] = colourOf(value, predicted, colours);
      if (value === REMOVED || (value !== ADDED && predicted === 0)) {
        inside[pixel] = 0;
        continue;
      }
      inside[pixel] = 1;
      if (column < box.left) box.left = column;
      if (column > box.right) box.right = column;
      if (row < box.top) box.top = row;
      box.bottom = row;
    }
  }
  return box.right < 0 ? null : box;
}

/**
 * @param {number} value
 * @param {number} predicted
 * @param {LayerColours} colours
 */
function colourOf(value, predicted, colours) {
  const correction = value === ADDED ? colours.added : value === REMOVED ? colours.removed : 0;
  return correction || (predicted ? colours.prediction : 0);
}

/**
 * The border of the inside pixels as straight segments on pixel corners.
 * @param {Uint8Array} inside
 * @param {number} width
 * @param {Box} box
 * @returns {number[]} x0, y0, x1, y1 of each segment
 */
export function outlineSegments(inside, width, box) {
  /** @type {number[]} */
  const segments = [];
  const at = (/** @type {number} */ column, /** @type {number} */ row) =>
    column < box.left || column > box.right || row < box.top || row > box.bottom
      ? 0
      : inside[row * width + column];
  for (let row = box.top; row <= box.bottom + 1; row++) {
    collect(box.left, box.right, (column) => at(column, row) !== at(column, row - 1), (from, to) =>
      segments.push(from, row, to, row),
    );
  }
  for (let column = box.left; column <= box.right + 1; column++) {
    collect(box.top, box.bottom, (row) => at(column, row) !== at(column - 1, row), (from, to) =>
      segments.push(column, from, column, to),
    );
  }
  return segments;
}

/**
 * Call `found` for each stretch of [first, last] where `isEdge` holds.
 * @param {number} first
 * @param {number} last
 * @param {(position: number) => boolean} isEdge
 * @param {(from: number, to: number) => void} found
 */
function collect(first, last, isEdge, found) {
  let start = -1;
  for (let position = first; position <= last + 1; position++) {
    const edge = position <= last && isEdge(position);
    if (edge && start < 0) start = position;
    if (!edge && start >= 0) {
      found(start, position);
      start = -1;
    }
  }
}
