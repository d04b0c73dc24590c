/** Draws the DVH of prediction and correction into the page's small picture. */
import { axisEnd, axisTicks, curvePath } from "./dvh.js";
import { byId } from "./page.js";

/** In units of the picture's view box. */
const FRAME = { left: 30, right: 252, top: 8, bottom: 92 };
const PERCENT = [0, 50, 100];
const SVG = "http://www.w3.org/2000/svg";

let drawnEndGy = 0;

/** @param {import("./live_dose.js").LiveDose | null} live  null: nothing is shown */
export function showDvh(live) {
  byId("dvh").hidden = live === null;
  if (!live) return;
  const { prediction, correction } = live;
  const endGy = axisEnd(Math.max(prediction.highestGy, correction.highestGy));
  if (endGy !== drawnEndGy) drawAxes(endGy);
  drawnEndGy = endGy;
  part("dvh-prediction").setAttribute("d", curvePath(prediction, endGy, FRAME));
  part("dvh-correction").setAttribute("d", curvePath(correction, endGy, FRAME));
}

/** @param {number} endGy */
function drawAxes(endGy) {
  const { left, right, top, bottom } = FRAME;
  const at = (/** @type {number} */ gy) => left + ((right - left) * gy) / endGy;
  const height = (/** @type {number} */ percent) => bottom - ((bottom - top) * percent) / 100;
  const ticks = axisTicks(endGy);
  const lines = [
    ...PERCENT.map((percent) => `M${left} ${height(percent)}H${right}`),
    ...ticks.map((gy) => `M${at(gy)} ${top}V${bottom}`),
  ];
  const grid = document.createElementNS(SVG, "path");
  grid.setAttribute("d", lines.join(""));
  part("dvh-axes").replaceChildren(
    grid,
    ...PERCENT.map((percent) => words(`${percent}`, left - 5, height(percent) + 3, "end")),
    ...ticks.slice(0, -1).map((gy) => words(`${gy}`, at(gy), bottom + 12, "middle")),
    words(`${ticks.at(-1)} Gy`, Math.min(at(ticks.at(-1) ?? 0) + 10, right + 6), bottom + 12, "end"),
    words("%", left - 5, height(75) + 3, "end"),
  );
}

/**
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {"end" | "middle"} anchor
 */
function words(text, x, y, anchor) {
  const made = document.createElementNS(SVG, "text");
  made.textContent = text;
  made.setAttribute("x", String(x));
  made.setAttribute("y", String(y));
  made.setAttribute("text-anchor", anchor);
  return made;
}

/** @param {"dvh-axes" | "dvh-prediction" | "dvh-correction"} id */
function part(id) {
  return /** @type {SVGElement} */ (document.querySelector(`#${id}`));
}
