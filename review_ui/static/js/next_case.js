/**
 * Has the node read the next case before it is asked for: its facts, its prediction, the slices in
 * the middle. Nothing of it is kept in the browser, and the case is neither opened nor locked.
 */
import { getJson, request } from "./api.js";

const SLICES = 5;
const SLOW = ["slow-2g", "2g", "3g"];

/** @typedef {{saveData?: boolean, effectiveType?: string}} Connection  what some browsers tell of it */

/** When the browser has nothing else to do. @param {string} caseId  the present case */
export function prepareNext(caseId) {
  const { connection } = /** @type {Navigator & {connection?: Connection}} */ (navigator);
  if (connection?.saveData || SLOW.includes(connection?.effectiveType ?? "")) return;
  const whenIdle = window.requestIdleCallback ?? ((/** @type {() => void} */ work) => window.setTimeout(work, 1000));
  // A next case that cannot be read is told when it is opened.
  whenIdle(() => void prepare(caseId).catch(() => undefined));
}

/** @param {string} caseId */
async function prepare(caseId) {
  const { next } = await getJson(`/api/next?after=${caseId}`);
  if (next === null) return;
  const url = `/api/cases/${next}`;
  const facts = /** @type {import("./case_loader.js").CaseFacts} */ (await getJson(url));
  const quietly = /** @type {RequestInit} */ ({ method: "GET", priority: "low" });
  const ct = await request(`${url}/ct?centre=${facts.start[2]}`, quietly);
  await readSome(ct, SLICES * facts.dims[0] * facts.dims[1] * 2);
  if (facts.prediction) await (await request(`${url}/prediction`, quietly)).arrayBuffer();
  document.body.dataset.prepared = next;
}

/**
 * Read the first bytes of an answer and hang up.
 * @param {Response} response
 * @param {number} bytes
 */
async function readSome(response, bytes) {
  const reader = response.body?.getReader();
  if (!reader) return;
  for (let read = 0; read < bytes; ) {
    const { done, value } = await reader.read();
    if (done) return;
    read += value.length;
  }
  await reader.cancel();
}
