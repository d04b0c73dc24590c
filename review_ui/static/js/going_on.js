/**
 * When a page may no longer change its case: says why, what is not saved, and offers to go on.
 */
import { getJson } from "./api.js";
import { showBanner } from "./banner.js";
import { changes } from "./panel.js";

/**
 * @param {object} closed
 * @param {string} closed.url  /api/cases/<id>
 * @param {string} closed.reason  a sentence
 * @param {boolean} closed.isHeld  whether this tab still has the case
 * @param {() => number} closed.unsaved  entries of the journal that the server does not have
 */
export async function offerToGoOn({ url, reason, isHeld, unsaved }) {
  const say = (/** @type {Parameters<typeof showBanner>[2]} */ offer) => {
    const left = unsaved();
    const more = left ? ` ${changes(left)} could not be saved and can be seen here only.` : "";
    showBanner(reason + more, left ? "warning" : "note", offer);
  };
  say(null);
  /** @type {import("./case_loader.js").CaseFacts | null} */
  const facts = isHeld ? null : await getJson(url).catch(() => null);
  // A reload takes the case where that is permitted, and replays what the server has.
  const label = facts?.editable ? "Take over here" : "Reload";
  say({ label, act: () => window.location.reload() });
}
