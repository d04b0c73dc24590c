/**
 * Loss and validation Dice of rounds of learning over their steps, as a picture.
 *
 * @typedef {object} Curve  as the trainer keeps it with the round
 * @property {number} every  steps behind each value of `loss`
 * @property {number[]} loss
 * @property {[number, number][]} looks  step and validation Dice
 *
 * @typedef {{steps: number, challenger: boolean, curve: Curve | null}} Drawn
 */
const SVG = "http://www.w3.org/2000/svg";
const SIZE = { width: 720, height: 200, left: 34, right: 34, top: 10, bottom: 22 };
const MOST = 4;

/**
 * The newest rounds in one picture, the first of them strongest.
 * @param {Drawn[]} rounds  newest first
 */
export function roundCurve(rounds) {
  const drawn = rounds.slice(0, MOST);
  const { width, height, left, right, top, bottom } = SIZE;
  const longest = Math.max(...drawn.map(({ steps }) => steps), 1);
  const highest = Math.max(...drawn.flatMap(({ curve }) => curve?.loss ?? []), 0.01);
  const x = (/** @type {number} */ step) => left + ((width - left - right) * step) / longest;
  const y = (/** @type {number} */ share) => top + (height - top - bottom) * (1 - share);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "curve rounds", role: "img" });
  svg.append(draw("title", {}, "Loss and validation Dice of the newest rounds"));
  for (const share of [0, 0.5, 1]) {
    svg.append(draw("line", { class: share ? "grid" : "axis", x1: left, x2: width - right, y1: y(share), y2: y(share) }));
    svg.append(draw("text", { x: 2, y: y(share) + 3 }, (share * highest).toFixed(2)));
    svg.append(draw("text", { x: width - 2, y: y(share) + 3, "text-anchor": "end" }, share.toFixed(1)));
  }
  svg.append(draw("text", { x: width - right, y: height - 6, "text-anchor": "end" }, `step ${longest}`));
  drawn.reverse().forEach(({ curve, challenger }, i) => {
    if (!curve) return;
    const { every, loss, looks } = curve;
    const newest = i === drawn.length - 1;
    const group = draw("g", { class: `${newest ? "newest" : "earlier"}${challenger ? " challenger" : ""}` });
    const points = loss.map((value, k) => `${x((k + 0.5) * every)},${y(value / highest)}`);
    group.append(draw("polyline", { class: "loss", points: points.join(" ") }));
    for (const [step, dice] of looks) {
      const dot = draw("circle", { cx: x(step), cy: y(dice), r: newest ? 4 : 2.5 });
      dot.append(draw("title", {}, `step ${step}: validation Dice ${dice.toFixed(3)}`));
      group.append(dot);
    }
    svg.append(group);
  });
  return svg;
}

/**
 * An SVG element.
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
export function draw(name, attributes, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}
