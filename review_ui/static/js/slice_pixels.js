/**
 * Turns one slice of the volume into pixels: grey CT, coloured layers. No DOM.
 *
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./corrections.js").CorrectionLayer} CorrectionLayer
 *
 * @typedef {object} Scan
 * @property {Grid} grid
 * @property {Int16Array} ct  HU in flat order
 * @property {Uint8Array} arrived  for each axial slice, 1 once it is in `ct`
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
 * @param {Plane} plane
 * @param {number} slice
 * @param {Scan} scan
 * @param {Uint32Array} table  from `greyTable`
 * @param {Uint32Array} pixels  written, transparent where the CT has not come yet
 */
export function paintCt(plane, slice, { grid, ct, arrived }, table, pixels) {
  const [width, height] = grid.sizeOf(plane);
  const step = grid.strides[plane.across];
  let pixel = 0;
  for (let row = 0; row < height; row++) {
    let index = rowStart(grid, plane, slice, row);
    if (!arrived[Math.floor(index / grid.sliceCount)]) {
      pixels.fill(0, pixel, (pixel += width));
      continue;
    }
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
 * @returns {{structure: Box | null, painted: Box | null}} smallest boxes around the inside pixels, and
 *   around all that is not transparent
 */
export function paintLayers(plane, slice, layer, colours, pixels, inside) {
  const { grid, prediction, values } = layer;
  const [width, height] = grid.sizeOf(plane);
  const step = grid.strides[plane.across];
  const structure = { left: width, right: -1, top: height, bottom: -1 };
  const painted = { ...structure };
  // Most of a slice is neither: at once, instead of pixel by pixel.
  pixels.fill(0);
  inside.fill(0);
  let pixel = 0;
  for (let row = 0; row < height; row++) {
    let index = rowStart(grid, plane, slice, row);
    for (let column = 0; column < width; column++, index += step, pixel++) {
      const value = values[index];
      const predicted = prediction[index];
      if (value === 0 && predicted === 0) continue;
      pixels[pixel] = colourOf(value, predicted, colours);
      if (pixels[pixel] !== 0) widen(painted, column, row);
      if (value === REMOVED || (value !== ADDED && predicted === 0)) continue;
      inside[pixel] = 1;
      widen(structure, column, row);
    }
  }
  return { structure: structure.right < 0 ? null : structure, painted: painted.right < 0 ? null : painted };
}

/**
 * Take a pixel into a box; pixels come row after row.
 * @param {Box} box
 * @param {number} column
 * @param {number} row
 */
function widen(box, column, row) {
  if (column < box.left) box.left = column;
  if (column > box.right) box.right = column;
  if (row < box.top) box.top = row;
  box.bottom = row;
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
