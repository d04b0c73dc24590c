/**
 * Lines between voxels: the smooth outline of a mask, and lines of equal dose. No DOM.
 *
 * Points are picture coordinates: the middle of the pixel in column 3 and row 5 is (3, 5).
 *
 * @typedef {import("./slice_pixels.js").Box} Box
 * @typedef {Float64Array} Loop  x0, y0, x1, y1 ... of a closed line
 */

/** How often the points of an outline follow their neighbours; enough for flat steps of voxels. */
const ROUNDS = 8;
/** Half way to the mean of the neighbours: more of it would swing. */
const PULL = 0.5;
/** A point stays this far (in voxels) from the two voxel centres it lies between. */
const MARGIN = 0.2;

/**
 * The border of the inside pixels as closed smooth lines.
 *
 * Each point lies on the line between an inside and an outside pixel's centre (marching squares) and
 * slides along it until the outline is smooth. It never reaches either centre: whatever it looks
 * like, exactly the inside pixels have their centres within. Pixels that touch at a corner only are
 * apart.
 * @param {Uint8Array} inside
 * @param {number} width  of the picture
 * @param {Box} box  smallest box around the inside pixels
 * @returns {Loop[]}
 */
export function maskOutline(inside, width, box) {
  const columns = box.right - box.left + 3;
  const rows = box.bottom - box.top + 3;
  const next = linkCrossings(inside, width, box, columns, rows);
  /** @type {Loop[]} */
  const loops = [];
  for (let first = 0; first < next.length; first++) {
    if (next[first] < 0) continue;
    /** @type {number[]} */
    const crossings = [];
    for (let at = first; next[at] >= 0; ) {
      crossings.push(at);
      const following = next[at];
      next[at] = -1;
      at = following;
    }
    loops.push(smoothed(crossings, columns, box));
  }
  return loops;
}

/**
 * Which crossing follows which, with the inside on the right hand. A crossing has the number
 * 2 * pixel when it lies between a pixel and its right neighbour, 2 * pixel + 1 between it and the one
 * below.
 * @param {Uint8Array} inside
 * @param {number} width
 * @param {Box} box
 * @param {number} columns  of the box with a rim of one pixel
 * @param {number} rows
 */
function linkCrossings(inside, width, box, columns, rows) {
  const next = new Int32Array(2 * columns * rows).fill(-1);
  for (let row = 0; row < rows - 1; row++) {
    // In the picture: the pixel to the right of the rim.
    const start = (row + box.top - 1) * width + box.left;
    let topLeft = 0;
    let bottomLeft = 0;
    for (let column = 0; column < columns - 1; column++) {
      const isRim = column === columns - 2;
      const topRight = isRim || row === 0 ? 0 : inside[start + column];
      const bottomRight = isRim || row === rows - 2 ? 0 : inside[start + width + column];
      const corners = topLeft * 8 + topRight * 4 + bottomRight * 2 + bottomLeft;
      if (corners !== 0 && corners !== 15) {
        const pixel = row * columns + column;
        const sides = [2 * pixel, 2 * (pixel + 1) + 1, 2 * (pixel + columns), 2 * pixel + 1];
        for (const [from, to] of WAYS[corners]) next[sides[from]] = sides[to];
      }
      topLeft = topRight;
      bottomLeft = bottomRight;
    }
  }
  return next;
}

/** Sides of a square of four pixel centres. */
const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3];
/**
 * From which side of the square to which the line runs, by the corners that are inside: 8 top left,
 * 4 top right, 2 bottom right, 1 bottom left.
 * @type {readonly (readonly [number, number])[][]}
 */
const WAYS = [
  [],
  [[LEFT, BOTTOM]],
  [[BOTTOM, RIGHT]],
  [[LEFT, RIGHT]],
  [[RIGHT, TOP]],
  [[RIGHT, TOP], [LEFT, BOTTOM]],
  [[BOTTOM, TOP]],
  [[LEFT, TOP]],
  [[TOP, LEFT]],
  [[TOP, BOTTOM]],
  [[TOP, LEFT], [BOTTOM, RIGHT]],
  [[TOP, RIGHT]],
  [[RIGHT, LEFT]],
  [[RIGHT, BOTTOM]],
  [[BOTTOM, LEFT]],
  [],
];

/**
 * @param {number[]} crossings
 * @param {number} columns
 * @param {Box} box
 * @returns {Loop}
 */
function smoothed(crossings, columns, box) {
  const count = crossings.length;
  let loop = new Float64Array(2 * count);
  /** For each point 0 or 1: the coordinate it may change, and between which whole numbers. */
  const free = new Uint8Array(count);
  const low = new Float64Array(count);
  crossings.forEach((crossing, i) => {
    const pixel = crossing >> 1;
    free[i] = crossing & 1;
    loop[2 * i] = (pixel % columns) + box.left - 1;
    loop[2 * i + 1] = Math.floor(pixel / columns) + box.top - 1;
    low[i] = loop[2 * i + free[i]];
    loop[2 * i + free[i]] += 0.5;
  });
  for (let round = 0; round < ROUNDS; round++) {
    const moved = loop.slice();
    for (let i = 0; i < count; i++) {
      const before = 2 * (i === 0 ? count - 1 : i - 1) + free[i];
      const after = 2 * (i === count - 1 ? 0 : i + 1) + free[i];
      const own = 2 * i + free[i];
      const wanted = loop[own] + PULL * ((loop[before] + loop[after]) / 2 - loop[own]);
      moved[own] = Math.max(low[i] + MARGIN, Math.min(low[i] + 1 - MARGIN, wanted));
    }
    loop = moved;
  }
  return loop;
}

/**
 * Lines along which a field has the value of a level, linear between pixel centres.
 * @param {Float32Array} field  NaN where it is not known: no line comes near
 * @param {number} width
 * @param {number} height
 * @param {readonly number[]} levels  ascending
 * @returns {number[][]} for each level x0, y0, x1, y1 of each piece
 */
export function isolines(field, width, height, levels) {
  /** @type {number[][]} */
  const lines = levels.map(() => []);
  if (levels.length === 0) return lines;
  const reached = levelsReached(field, levels);
  for (let row = 0; row < height - 1; row++) {
    for (let at = row * width, end = at + width - 1; at < end; at++) {
      const first = reached[at];
      const across = reached[at + width + 1];
      // Nearly always all four are between the same levels.
      if (first === reached[at + 1] && first === across && first === reached[at + width]) continue;
      const a = field[at];
      const b = field[at + 1];
      const c = field[at + width + 1];
      const d = field[at + width];
      const least = Math.min(a, b, c, d);
      const most = Math.max(a, b, c, d);
      // Where one of them is NaN no comparison holds.
      for (let i = 0; i < levels.length && levels[i] <= most; i++) {
        if (levels[i] > least) cross(lines[i], levels[i], at % width, row, a, b, c, d);
      }
    }
  }
  return lines;
}

/**
 * How many of the levels each value of a field has reached; none where it is not known.
 * @param {Float32Array} field
 * @param {readonly number[]} levels
 */
function levelsReached(field, levels) {
  const reached = new Uint8Array(field.length);
  const count = levels.length;
  let before = NaN;
  let n = 0;
  for (let i = 0; i < field.length; i++) {
    const value = field[i];
    // Neighbours are nearly always between the same levels.
    if (!(value === before)) {
      if (!(n > 0 && value >= levels[n - 1])) n = 0;
      while (n < count && value >= levels[n]) n++;
      before = value;
    }
    reached[i] = n;
  }
  return reached;
}

/**
 * The pieces of one level within one square; corners clockwise from the top left.
 * @param {number[]} pieces
 * @param {number} level
 * @param {number} x
 * @param {number} y
 * @param {number} a
 * @param {number} b
 * @param {number} c
 * @param {number} d
 */
function cross(pieces, level, x, y, a, b, c, d) {
  const corners =
    (a >= level ? 8 : 0) + (b >= level ? 4 : 0) + (c >= level ? 2 : 0) + (d >= level ? 1 : 0);
  for (const way of WAYS[corners]) {
    for (const side of way) {
      if (side === TOP) pieces.push(x + (level - a) / (b - a), y);
      else if (side === RIGHT) pieces.push(x + 1, y + (level - b) / (c - b));
      else if (side === BOTTOM) pieces.push(x + (level - d) / (c - d), y + 1);
      else pieces.push(x, y + (level - a) / (d - a));
    }
  }
}
