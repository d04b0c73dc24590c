/** What tools draw over a view: the line of a lasso, and what is proposed, hatched. */

/**
 * @typedef {import("./slice_view.js").SliceView} SliceView
 */
const COLOURS = { added: "#ff7a6d", removed: "#4fdc8d" };
const LINE = "#e6edf3";
const HATCH_PX = 5;
const OUTSIDE = "rgba(28, 8, 10, 0.55)";
const SIDES = "#9fb4c8";
const HANDLE_PX = 5;

/** @type {Record<string, HTMLCanvasElement>} */
const hatches = {};

/**
 * The line of a lasso so far, and dashed how it would close.
 * @param {SliceView} view
 * @param {readonly import("./geometry.js").PlanePoint[]} points
 */
export function drawLasso({ context, viewport }, points) {
  const corners = points.map((point) => viewport.toScreen(point));
  context.strokeStyle = LINE;
  context.lineWidth = 1.25;
  context.beginPath();
  for (const [x, y] of corners) context.lineTo(x, y);
  context.stroke();
  context.beginPath();
  context.moveTo(...corners[corners.length - 1]);
  context.lineTo(...corners[0]);
  context.setLineDash([3, 4]);
  context.stroke();
  context.setLineDash([]);
}

/**
 * The part of a proposal on the slice that a view shows.
 * @param {SliceView} view
 * @param {number} slice
 * @param {import("./blocks.js").Change} change
 */
export function drawProposal(view, slice, change) {
  const { context, plane, grid } = view;
  const [normal, across, down] = [plane.normal, plane.across, plane.down].map((axis) => {
    return (/** @type {number} */ index) => Math.floor(index / grid.strides[axis]) % grid.dims[axis];
  });
  for (const kind of /** @type {const} */ (["added", "removed"])) {
    const path = new Path2D();
    let left = 0;
    let right = -1;
    let row = -1;
    // Neighbours in a row become one rectangle.
    const close = () => right >= left && addRow(path, view, row, left, right);
    for (const index of change[kind]) {
      if (normal(index) !== slice) continue;
      const [column, here] = [across(index), down(index)];
      if (here !== row || column !== right + 1) {
        close();
        [left, row] = [column, here];
      }
      right = column;
    }
    close();
    context.fillStyle = context.createPattern(hatch(kind), "repeat") ?? COLOURS[kind];
    context.fill(path);
  }
}

/**
 * Darkens what lies outside the box, and draws its sides.
 * @param {SliceView} view
 * @param {number} slice
 * @param {import("./edit_box.js").EditBox} box
 */
export function drawBox({ context, viewport, plane, grid }, slice, box) {
  const outside = new Path2D();
  outside.rect(0, 0, viewport.width, viewport.height);
  context.fillStyle = OUTSIDE;
  if (!box.meets(plane, slice)) return context.fill(outside);
  const { across, down, flipped } = plane;
  const [left, right] = [box.edgeMm(across, "low"), box.edgeMm(across, "high")].map((mm) => viewport.left + mm * viewport.scale);
  const rows = flipped ? [box.high[down], box.low[down]].map((at) => grid.dims[down] - 1 - at) : [box.low[down], box.high[down]];
  const [top, bottom] = [viewport.rowTop(rows[0]), viewport.rowTop(rows[1] + 1)];
  outside.rect(left, top, right - left, bottom - top);
  context.fill(outside, "evenodd");
  context.strokeStyle = SIDES;
  context.lineWidth = 1;
  context.strokeRect(left, top, right - left, bottom - top);
  context.fillStyle = SIDES;
  for (const x of [left, (left + right) / 2, right]) {
    for (const y of [top, (top + bottom) / 2, bottom]) {
      const isMiddle = x !== left && x !== right && y !== top && y !== bottom;
      if (!isMiddle) context.fillRect(x - HANDLE_PX / 2, y - HANDLE_PX / 2, HANDLE_PX, HANDLE_PX);
    }
  }
}

/**
 * @param {Path2D} path
 * @param {SliceView} view
 * @param {number} down  index along the plane's height
 * @param {number} first
 * @param {number} last
 */
function addRow(path, { viewport, grid, plane }, down, first, last) {
  const row = plane.flipped ? grid.dims[plane.down] - 1 - down : down;
  const [left, right] = [first, last + 1].map((edge) => viewport.left + grid.edgesMm[plane.across][edge] * viewport.scale);
  const top = viewport.rowTop(row);
  path.rect(left, top, right - left, viewport.rowTop(row + 1) - top);
}

/** Slanted lines on a faint ground. @param {"added" | "removed"} kind */
function hatch(kind) {
  if (hatches[kind]) return hatches[kind];
  const tile = document.createElement("canvas");
  tile.width = HATCH_PX;
  tile.height = HATCH_PX;
  const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  context.fillStyle = COLOURS[kind];
  context.globalAlpha = 0.2;
  context.fillRect(0, 0, HATCH_PX, HATCH_PX);
  context.globalAlpha = 1;
  for (let i = 0; i < HATCH_PX; i++) context.fillRect(i, HATCH_PX - 1 - i, 1, 1);
  hatches[kind] = tile;
  return tile;
}
