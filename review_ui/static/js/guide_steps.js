/**
 * The tour of worklist and review page: its five steps, and which comes when. No DOM.
 *
 * @typedef {"worklist" | "review"} PageName
 * @typedef {object} Step
 * @property {Partial<Record<PageName, string>>} at  id of what it is about, on each page that has it
 * @property {string} title
 * @property {string} words
 */

/** @type {readonly Step[]} */
export const STEPS = [
  {
    at: { worklist: "cases" },
    title: "Open a case",
    words: "Each line is a patient and says what it waits for. Open one that is ready for review: press Review beside it.",
  },
  {
    at: { review: "views" },
    title: "Look at the proposal",
    words: "Three planes of one CT. Blue is what the model proposes, yellow the outline as it is now. The wheel turns slices.",
  },
  {
    at: { review: "tools" },
    title: "Correct it",
    words: "Q adds, W removes: paint where the outline is wrong. Each stroke is saved as it is made, Z takes it back.",
  },
  {
    at: { review: "approve" },
    title: "Approve it",
    words: "Turn through all slices once, then press Approve. The structure set goes to the planning system, and the model learns from it.",
  },
  {
    at: { review: "mean-dose", worklist: "cases" },
    title: "See what came of it",
    words: "On the right of a case stands the mean dose, and how your correction changed it; the worklist has it in the column Mean dose change. Status shows the model learning.",
  },
];

/**
 * Which step is shown on a page that is opened, when `kept` was shown last.
 * @param {PageName} page
 * @param {number} kept
 */
export function stepOn(page, kept) {
  if (STEPS[kept]?.at[page]) return kept;
  return STEPS.findIndex((step) => step.at[page]);
}

/**
 * The step before or after on this page; -1 where there is none.
 * @param {PageName} page
 * @param {number} from
 * @param {1 | -1} direction
 */
export function stepBeside(page, from, direction) {
  const next = from + direction;
  return STEPS[next]?.at[page] ? next : -1;
}

/** @param {number} step */
export function countOf(step) {
  return `Step ${step + 1} of ${STEPS.length}`;
}
