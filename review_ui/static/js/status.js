/**
 * The status page: models and their validation Dice, rounds, deliveries.
 *
 * @typedef {{version: string, validation_dice: number, examples: number, released_at: string}} Version
 *
 * @typedef {object} Round
 * @property {string} state
 * @property {number} step
 * @property {number} steps
 * @property {number | null} loss
 * @property {number | null} validation_dice
 * @property {boolean} challenger
 * @property {number | null} seconds_left
 * @property {import("./round_curve.js").Curve | null} curve
 * @property {string} verdict
 * @property {number} examples
 * @property {string} started_at
 *
 * @typedef {object} Status  GET /api/status
 * @property {Version | null} released
 * @property {Version[]} versions
 * @property {Round | null} round
 * @property {Round[]} rounds
 * @property {{train: number, validation: number}} learning_set
 * @property {{name: string, words: string}[]} peers
 * @property {boolean} may_test_peers
 * @property {number} quarantined
 * @property {{words: string, began_at: string, not_told: string}[]} alerts
 * @property {{patient: string, words: string, fetch: string, received_at: string}[]} without_ct
 * @property {{patient: string, words: string, last_error: string, created_at: string}[]} deliveries
 */
import { getJson, postJson, ServerError } from "./api.js";
import { byId, dayAndTime, make, poll, setText } from "./page.js";
import { draw, roundCurve } from "./round_curve.js";

const PAUSE_MS = 2000;
const CURVE = { width: 720, height: 220, left: 34, right: 12, top: 10, bottom: 24 };

/** @param {Status} status */
function show({ released, versions, round, rounds, learning_set, deliveries, without_ct, quarantined, alerts }) {
  setText("connection", "");
  setText(
    "released",
    released
      ? `Model ${released.version.slice(0, 8)}, validation Dice ${released.validation_dice.toFixed(3)}`
      : "No model yet",
  );
  const { train, validation } = learning_set;
  setText("learning-set", `Learns from ${countOf(train)}, is judged on ${countOf(validation)}.`);
  const caption = "Validation Dice of each released model, over the number of cases it was made with";
  byId("curve").replaceChildren(
    ...(versions.length ? [curveOf(versions), make("p", { className: "dim small", text: caption })] : []),
  );
  showRounds(round, rounds);
  byId("alerts-card").hidden = alerts.length === 0;
  byId("alerts").replaceChildren(
    ...alerts.map(({ words, began_at, not_told }) => line(words, began_at, not_told && `Not told yet: ${not_told}`)),
  );
  byId("quarantine-card").hidden = quarantined === 0;
  setText("quarantined", `Objects that could not be read and are not used: ${quarantined}.`);
  byId("without-ct-card").hidden = without_ct.length === 0;
  byId("without-ct").replaceChildren(
    ...without_ct.map(({ patient, words, fetch, received_at }) => line(`${patient}: ${words}`, received_at, fetch)),
  );
  const lines = deliveries.map(({ patient, words, last_error, created_at }) =>
    line(`${patient}: ${words}`, created_at, last_error),
  );
  byId("deliveries").replaceChildren(...(lines.length ? lines : [nothing("Nothing was approved yet.")]));
}

/**
 * @param {Round | null} running
 * @param {Round[]} rounds
 */
function showRounds(running, rounds) {
  const bar = /** @type {HTMLProgressElement} */ (byId("round-progress"));
  bar.hidden = running === null;
  bar.value = running ? running.step / Math.max(1, running.steps) : 0;
  const lines = rounds.map((round) => {
    if (round.state !== "RUNNING") return line(round.verdict || round.state.toLowerCase(), round.started_at);
    const where = round.step < round.steps ? `step ${round.step} of ${round.steps}` : `all ${round.steps} steps are done, now it is measured`;
    return line(`${whatRuns(round)}: ${where}`, round.started_at, howFar(round));
  });
  const curves = rounds.filter(({ curve }) => curve !== null);
  byId("round-curve").replaceChildren(
    ...(curves.length
      ? [
          roundCurve(curves),
          make("p", { className: "dim small", text: "Loss (falling) and validation Dice (dots) over the steps; earlier rounds pale" }),
        ]
      : []),
  );
  byId("rounds").replaceChildren(
    ...(lines.length ? lines : [nothing("Learning starts with the second approved patient: one to learn from, one to judge.")]),
  );
}

/** @param {Round} round */
function whatRuns({ challenger, examples }) {
  if (examples === 0) return "A starting model, from synthetic patients";
  return challenger ? `Challenger, from the beginning, on ${countOf(examples)}` : `Round on ${countOf(examples)}`;
}

/** Loss, Dice and the time left, as far as they are known. @param {Round} round */
function howFar({ step, steps, loss, validation_dice, seconds_left }) {
  const parts = [];
  if (loss !== null) parts.push(`loss ${loss.toFixed(3)}`);
  if (validation_dice !== null) parts.push(`validation Dice ${validation_dice.toFixed(3)}`);
  if (seconds_left !== null && step < steps) parts.push(seconds_left < 90 ? `${Math.round(seconds_left)} s left` : `${Math.round(seconds_left / 60)} min left`);
  return parts.join(", ");
}

/**
 * @param {string} text
 * @param {string} when
 * @param {string} [sub]
 */
function line(text, when, sub = "") {
  const words = make("span", {}, text, ...(sub ? [make("div", { className: "dim small", text: sub })] : []));
  return make("div", { className: "row" }, words, make("span", { className: "dim small", text: dayAndTime(when) }));
}

/** Once: peers change with the configuration, and what a test said stays. @param {Status} status */
function showPeers({ peers, may_test_peers }) {
  byId("peers").replaceChildren(
    ...peers.map(({ name, words }) => {
      const said = make("div", { className: "dim small", text: words });
      const row = make("div", { className: "row" }, make("span", {}, name, said));
      if (may_test_peers) row.append(testButton(name, said));
      return row;
    }),
  );
}

/**
 * @param {string} name
 * @param {HTMLElement} said  where the answer is shown
 */
function testButton(name, said) {
  const test = /** @type {HTMLButtonElement} */ (make("button", { text: "Test", title: `Ask ${name} whether it hears us (C-ECHO)` }));
  test.addEventListener("click", async () => {
    test.disabled = true;
    said.textContent = "Asking …";
    try {
      said.textContent = (await postJson(`/api/peers/${encodeURIComponent(name)}/echo`, {})).words;
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
    test.disabled = false;
  });
  return test;
}

/** @param {number} cases */
function countOf(cases) {
  return cases === 1 ? "1 approved case" : `${cases} approved cases`;
}

/** @param {string} text */
function nothing(text) {
  return make("p", { className: "dim", text });
}

/** Validation Dice of every released model, oldest first. @param {Version[]} versions */
function curveOf(versions) {
  const { width, height, left, right, top, bottom } = CURVE;
  const x = (/** @type {number} */ i) =>
    left + ((width - left - right) * (i + 0.5)) / versions.length;
  const y = (/** @type {number} */ dice) => top + (height - top - bottom) * (1 - dice);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "curve", role: "img" });
  svg.append(draw("title", {}, "Validation Dice of each released model"));
  for (const dice of [0, 0.25, 0.5, 0.75, 1]) {
    const line = { x1: left, x2: width - right, y1: y(dice), y2: y(dice) };
    svg.append(draw("line", { class: dice ? "grid" : "axis", ...line }));
    svg.append(draw("text", { x: 4, y: y(dice) + 3 }, dice.toFixed(2)));
  }
  const points = versions.map(({ validation_dice }, i) => `${x(i)},${y(validation_dice)}`);
  svg.append(draw("polyline", { points: points.join(" ") }));
  versions.forEach(({ version, validation_dice, examples }, i) => {
    const dot = draw("circle", { cx: x(i), cy: y(validation_dice), r: 4 });
    const what = `${version.slice(0, 8)}: ${validation_dice.toFixed(3)}, from ${examples} cases`;
    dot.append(draw("title", {}, what));
    const label = draw("text", { x: x(i), y: height - 8, "text-anchor": "middle" }, String(examples));
    svg.append(dot, label);
  });
  return svg;
}

/** @type {Status} */
const first = JSON.parse(byId("first-status").textContent ?? "");
show(first);
showPeers(first);
poll(async () => {
  try {
    show(await getJson("/api/status"));
  } catch (error) {
    if (error instanceof ServerError && error.status === 401) window.location.reload();
    setText("connection", error instanceof Error ? error.message : String(error));
  }
}, PAUSE_MS);
