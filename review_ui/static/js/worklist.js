/**
 * The worklist: draws what the server sent with the page, then follows it.
 *
 * @typedef {object} Row  one case of GET /api/worklist
 * @property {string} id
 * @property {{name: string, id: string, birth_date: string}} patient
 * @property {string} description
 * @property {string} study_date
 * @property {string} state
 * @property {string} words
 * @property {string} reason
 * @property {string[]} flags  what came for the case and is not used, and why
 * @property {boolean} reviewable
 * @property {boolean} dose
 * @property {string} roi  the structure that is corrected
 * @property {boolean} urgent
 * @property {string} arrived_at
 * @property {string | null} model_version
 * @property {string} effort  how much there may be to correct, empty where unknown
 * @property {number | null} mean_difference_gy
 * @property {string[]} deliveries
 * @property {string | null} lock_holder
 * @property {string | null} assigned_to
 * @property {string} arm  assisted or manual
 * @property {string} structures  how many are approved, where there are several
 * @property {number | null} expected_impact_gy  how far the proposed mean dose may be off
 */
import { getJson, ServerError } from "./api.js";
import { byId, dayAndTime, make, poll, setText, signed } from "./page.js";

const PAUSE_MS = 2000;
const CHIP = /** @type {Readonly<Record<string, string>>} */ ({
  PREDICTED: "ready",
  ASSEMBLED: "ready",
  IN_REVIEW: "ready",
  APPROVED: "done",
  DELIVERED: "done",
  FAILED: "failed",
  REJECTED: "failed",
});

let drawn = "";

/** @param {{cases: Row[], total: number, waiting: number, page: number, pages: number}} worklist */
function show(worklist) {
  setText("connection", "");
  // Drawing only what changed keeps the pointer's row and the reader's place.
  const now = JSON.stringify(worklist);
  if (now === drawn) return;
  drawn = now;
  const { cases, total, waiting, page, pages } = worklist;
  const isAsking = new URLSearchParams(window.location.search).size > 0;
  byId("empty").hidden = total > 0 || isAsking;
  byId("nothing-found").hidden = total > 0 || !isAsking;
  byId("ask").hidden = total === 0 && !isAsking;
  byId("cases").hidden = cases.length === 0;
  setText("summary", total ? `${total} in all, ${waiting} for review` : "");
  byId("pager").hidden = pages === 1;
  setText("page-words", `Page ${page} of ${pages}`);
  turnTo("page-before", page - 1, page > 1);
  turnTo("page-after", page + 1, page < pages);
  byId("rows").replaceChildren(...cases.map(rowOf));
}

/**
 * @param {"page-before" | "page-after"} id
 * @param {number} page
 * @param {boolean} exists
 */
function turnTo(id, page, exists) {
  const link = /** @type {HTMLAnchorElement} */ (byId(id));
  const asked = new URLSearchParams(window.location.search);
  asked.set("page", String(page));
  link.href = `/?${asked}`;
  link.hidden = !exists;
}

/** @param {Row} row */
function rowOf(row) {
  const { patient } = row;
  const look = row.reviewable
    ? { className: "button primary", text: "Review" }
    : { className: "button", text: "Look" };
  const open = /** @type {HTMLAnchorElement} */ (make("a", look));
  open.href = `/cases/${row.id}`;
  const canOpen = row.reviewable || ["APPROVED", "DELIVERED", "REJECTED"].includes(row.state);
  const figures = /** @type {HTMLAnchorElement} */ (make("a", { text: "Figures" }));
  figures.href = `/cases/${row.id}/figures`;
  const line = make(
    "tr",
    {},
    cell(patient.name || "Unnamed patient", patient.id || "no patient ID"),
    cell(row.description || "CT", row.study_date),
    stateCell(row),
    cell(row.dose ? "yes" : "–", impact(row.expected_impact_gy)),
    make("td", { className: "number", text: difference(row.mean_difference_gy) }),
    cell(row.model_version?.slice(0, 8) ?? "–", row.effort),
    cell(row.deliveries.join(", ") || "–"),
    cell(dayAndTime(row.arrived_at)),
    make("td", { className: "ways" }, figures, ...(canOpen ? [open] : [])),
  );
  line.dataset.caseId = row.id;
  line.dataset.state = row.state;
  return line;
}

/** @param {Row} row */
function stateCell(row) {
  const chip = make("span", { className: `chip ${CHIP[row.state] ?? ""}`, text: row.words });
  const more = [];
  if (row.urgent) more.push(make("span", { className: "chip urgent", text: "urgent" }));
  if (row.assigned_to && row.assigned_to !== row.lock_holder && row.reviewable) {
    more.push(make("div", { className: "sub", text: `for ${row.assigned_to}` }));
  }
  if (row.structures) more.push(make("div", { className: "sub", text: `${row.roi}; ${row.structures}` }));
  if (row.arm === "manual") more.push(make("div", { className: "sub", text: "from scratch" }));
  if (row.lock_holder) more.push(make("div", { className: "sub", text: `by ${row.lock_holder}` }));
  for (const flag of row.flags) more.push(make("div", { className: "reason", text: flag }));
  if (row.reason) more.push(make("div", { className: "reason", text: row.reason }));
  return make("td", {}, chip, ...more);
}

/**
 * @param {string} text
 * @param {string} [sub]  a second, smaller line
 */
function cell(text, sub = "") {
  const second = sub ? [make("div", { className: "sub", text: sub })] : [];
  return make("td", {}, make("div", { text }), ...second);
}

/** @param {number | null} gray */
function impact(gray) {
  return gray === null ? "" : `may change ${gray.toFixed(2)} Gy`;
}

/** @param {number | null} gray */
function difference(gray) {
  return gray === null ? "–" : `${signed(gray, 2)} Gy`;
}

const url = `/api/worklist${window.location.search}`;
for (const id of ["order", "show"]) {
  byId(id).addEventListener("change", () => /** @type {HTMLFormElement} */ (byId("ask")).requestSubmit());
}
show(JSON.parse(byId("first-worklist").textContent ?? ""));
poll(async () => {
  try {
    show(await getJson(url));
  } catch (error) {
    // Logged out meanwhile: names of patients do not stay on the screen.
    if (error instanceof ServerError && error.status === 401) window.location.reload();
    setText("connection", error instanceof Error ? error.message : String(error));
  }
}, PAUSE_MS);
