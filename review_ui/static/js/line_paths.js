/**
 * Lines in picture coordinates as paths in millimetres from the slice's top left corner, so that
 * zooming and moving draw the same path again.
 *
 * @typedef {import("./viewport.js").Viewport} Viewport
 * @typedef {import("./contour_lines.js").Loop} Loop
 *
 * @typedef {object} Pen
 * @property {string} colour
 * @property {number} width  CSS pixels
 * @property {number[]} [dashes]  CSS pixels
 */

/**
 * Closed lines, round at every point: each is only the handle of a curve from middle to middle.
 * @param {Loop[]} loops
 * @param {Viewport} viewport
 */
export function loopPath(loops, viewport) {
  const path = new Path2D();
  for (const loop of loops) {
    /** @type {[number, number][]} */
    const points = [];
    for (let i = 0; i < loop.length; i += 2) points.push(viewport.pictureToMm(loop[i], loop[i + 1]));
    const [lastX, lastY] = points[points.length - 1];
    path.moveTo((lastX + points[0][0]) / 2, (lastY + points[0][1]) / 2);
    points.forEach(([x, y], i) => {
      const [nextX, nextY] = points[(i + 1) % points.length];
      path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    });
    path.closePath();
  }
  return path;
}

/**
 * @param {number[]} pieces  x0, y0, x1, y1 of each
 * @param {Viewport} viewport
 */
export function piecePath(pieces, viewport) {
  const path = new Path2D();
  for (let i = 0; i < pieces.length; i += 4) {
    path.moveTo(...viewport.pictureToMm(pieces[i], pieces[i + 1]));
    path.lineTo(...viewport.pictureToMm(pieces[i + 2], pieces[i + 3]));
  }
  return path;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Viewport} viewport
 * @param {Path2D} path
 * @param {Pen} pen
 */
export function strokePath(context, viewport, path, { colour, width, dashes = [] }) {
  const { scale, left, top } = viewport;
  context.save();
  context.translate(left, top);
  context.scale(scale, scale);
  context.strokeStyle = colour;
  context.lineWidth = width / scale;
  context.lineJoin = "round";
  context.setLineDash(dashes.map((length) => length / scale));
  context.stroke(path);
  context.restore();
}
