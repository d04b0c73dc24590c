/**
 * A cumulative dose-volume histogram as a path in a small picture. No DOM.
 *
 * @typedef {import("./live_dose.js").DoseTally} DoseTally
 *
 * @typedef {object} Frame  where the axes lie, in units of the picture
 * @property {number} left
 * @property {number} right
 * @property {number} top  100 % of the volume
 * @property {number} bottom  0 %
 */

/** Ends of an axis that are easy to read. */
const ROUND = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
const STEPS = [1, 2, 2.5, 5, 10];

/** The round number at or above `gy` where the dose axis ends. @param {number} gy */
export function axisEnd(gy) {
  const least = Math.max(gy, 0.1);
  const power = 10 ** Math.floor(Math.log10(least));
  return power * /** @type {number} */ (ROUND.find((round) => round * power >= least * (1 - 1e-9)));
}

/** Round doses along the axis, from 0 to at most `endGy`, five or fewer steps. @param {number} endGy */
export function axisTicks(endGy) {
  const power = 10 ** Math.floor(Math.log10(endGy / 5));
  const step = power * /** @type {number} */ (STEPS.find((round) => round * power >= (endGy / 5) * (1 - 1e-9)));
  return Array.from({ length: Math.floor(endGy / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

/**
 * The curve: part of the covered volume that gets at least the dose. "" without any.
 * @param {DoseTally} tally
 * @param {number} endGy  where the dose axis ends
 * @param {Frame} frame
 */
export function curvePath(tally, endGy, { left, right, top, bottom }) {
  if (tally.voxels === 0) return "";
  const cc = tally.atLeastCc();
  const width = ((right - left) * tally.binGy) / endGy;
  // A point for each unit of the picture is enough; at the edge of a bin the volume is exact.
  const step = Math.max(1, Math.floor(1 / width));
  const points = [];
  for (let bin = 0; left + bin * width <= right; bin += step) {
    const part = bin < cc.length ? Math.max(0, cc[bin]) / tally.coveredCc : 0;
    points.push(`${(left + bin * width).toFixed(1)} ${(bottom - part * (bottom - top)).toFixed(2)}`);
    if (part < 1e-9) break;
  }
  return `M${points.join("L")}`;
}
