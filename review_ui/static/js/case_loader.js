/**
 * Fetches what a review needs: facts, prediction, journal, CT.
 *
 * @typedef {import("./corrections.js").JournalEntry} JournalEntry
 * @typedef {import("./geometry.js").Vector3} Vector3
 *
 * @typedef {object} CaseFacts  GET /api/cases/<id>
 * @property {string} id
 * @property {string} state
 * @property {string} state_words
 * @property {string} arm  assisted; manual: from scratch though there may be a prediction; observer
 * @property {string} reason
 * @property {string[]} flags  what came for the case and is not used, and why
 * @property {{name: string, id: string, birth_date: string}} patient
 * @property {string} study_date
 * @property {string} description
 * @property {string} roi
 * @property {string} roi_words  within a sentence
 * @property {[number, number, number]} colour
 * @property {string} user
 * @property {Vector3} dims
 * @property {Vector3} spacing_mm
 * @property {number[]} slice_mm
 * @property {number[]} slice_offsets_mm
 * @property {string[]} findings  what the CT series is, and what was done about its oddities
 * @property {Vector3} start
 * @property {PredictionFacts | null} prediction
 * @property {boolean} dose
 * @property {{seq: number}} journal
 * @property {{mine: boolean, holder: string | null}} lock
 * @property {boolean} editable
 * @property {{mode: "edit" | "ask" | "look", why: string, offer: string}} access
 * @property {boolean} may_decide  approve, reject, take back
 * @property {boolean} may_reopen
 * @property {boolean} may_turn  review another structure
 * @property {{roi: string, state: string, words: string}[]} structures  where there are several
 * @property {string[]} destinations
 * @property {import("./stop_here.js").Tolerance} stop_here
 * @property {number} hold_s  how long an approved structure set waits before it leaves
 * @property {Approval | null} approved  where the case is closed
 * @property {{by: string, at: string, version: number} | null} replaces  approved before it was re-opened
 *
 * @typedef {{id: string, model_version: string, created_at: string, validation_dice: number | null, expected_dice_words: string}} PredictionFacts
 *
 * @typedef {object} Approval
 * @property {string} by
 * @property {string} at
 * @property {number} version
 * @property {number | null} held_s  so long it can be taken back; null: no more
 * @property {{destination: string, state: string, words: string, last_error: string}[]} deliveries
 */
import { getJson, request } from "./api.js";
import { Boxed } from "./boxed.js";
import { CorrectionLayer } from "./corrections.js";
import { requestCt } from "./ct_request.js";
import { readSlices } from "./volume_stream.js";

/**
 * The prediction with everything painted on it so far, as the server holds it.
 * @param {string} url  /api/cases/<id>
 * @param {CaseFacts} facts
 * @param {import("./geometry.js").Grid} grid
 */
export async function loadCorrections(url, facts, grid) {
  const [prediction, entries] = await Promise.all([
    facts.prediction ? loadPrediction(url, grid) : new Uint8Array(grid.count),
    /** @type {Promise<JournalEntry[]>} */ (getJson(`${url}/journal`)),
  ]);
  const layer = new CorrectionLayer(grid, prediction);
  for (const entry of entries) layer.apply(entry);
  return { layer, seq: entries.at(-1)?.seq ?? 0 };
}

/**
 * @param {string} url
 * @param {import("./geometry.js").Grid} grid
 */
async function loadPrediction(url, grid) {
  const response = await request(`${url}/prediction`, { method: "GET" });
  const boxed = Boxed.read(await response.arrayBuffer());
  if (boxed.start.some((first, axis) => first + boxed.size[axis] > grid.dims[axis])) {
    throw new Error("The prediction does not fit the CT. Reload the page.");
  }
  return boxed.whole(grid);
}

const CT_ATTEMPTS = 3;
const ATTEMPT_PAUSE_MS = 1500;

/**
 * Read the CT into `ct`, from the slice where the review begins outwards; starts anew when the connection breaks.
 * @param {import("./geometry.js").Grid} grid
 * @param {Int16Array} ct
 * @param {(slice: number, received: number) => Promise<void> | void} onSlice
 */
export async function loadCt(grid, ct, onSlice) {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await requestCt();
      if (!response.body) throw new Error("This browser cannot read streams. Use a current one.");
      return await readSlices(response.body, grid, ct, onSlice);
    } catch (error) {
      if (attempt === CT_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, ATTEMPT_PAUSE_MS));
    }
  }
}
