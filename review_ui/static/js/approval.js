/**
 * Approving: a dialog that names the patient and where the contour goes, then the server's verdict.
 *
 * @typedef {import("./case_loader.js").CaseFacts} CaseFacts
 * @typedef {import("./case_loader.js").Approval} Approval
 * @typedef {[name: string, value: string, className?: string]} SummaryRow
 */
import { getJson, postJson } from "./api.js";
import { showBanner } from "./banner.js";
import { showFlow, showHold } from "./flow.js";
import { button, byId, dayAndTime, dialog, make, poll, setText } from "./page.js";
import { showFlags } from "./panel.js";
import { showStructures } from "./structures.js";

/**
 * @param {object} options
 * @param {string} options.url  /api/cases/<id>
 * @param {CaseFacts} options.facts
 * @param {() => {problem: string, rows: SummaryRow[], flags: string[]}} options.summary
 *   what is about to be approved; `problem` says why it cannot be, empty when it can
 * @param {() => Promise<void>} options.refresh  bring `flags` of the summary up to date
 * @param {() => Promise<void>} options.saved  when the last stroke is kept
 * @param {() => object} options.body  what is sent
 * @param {(next: string | null) => void} options.onApproved
 */
export function prepareApproval({ url, facts, summary, refresh, saved, body, onApproved }) {
  const box = dialog("approve-dialog");
  const confirm = button("confirm-approve");

  const show = () => {
    const { problem, rows, flags } = summary();
    /** @type {SummaryRow[]} */
    const way = [];
    if (facts.hold_s) way.push(["Leaves after", `${facts.hold_s} s, until then you can undo`]);
    if (facts.replaces) way.push(["Replaces", `version ${facts.replaces.version}, as a new version`]);
    const isObserver = facts.arm === "observer";
    const verb = isObserver ? "Sign" : "Approve";
    const destinations = facts.destinations.join(", ") || "nobody (no destination is configured)";
    setText("approve-title", `${verb} ${facts.roi} of ${facts.patient.name || "unnamed patient"}?`);
    fillRows("approve-rows", [
      ["Patient ID", facts.patient.id || "–"],
      isObserver ? ["Goes to", "nobody; it is compared, and cannot be changed any more"] : ["Goes to", destinations],
      ...way,
      ...rows,
    ]);
    showFlags("approve-flags", flags);
    setText("approve-problem", problem);
    confirm.disabled = problem !== "";
  };
  button("approve").addEventListener("click", async () => {
    show();
    box.showModal();
    // A slice may have come while the hand was painting: nobody approves without having been told.
    confirm.disabled = true;
    await refresh();
    show();
    await saved();
    show();
  });
  button("cancel-approve").addEventListener("click", () => box.close());

  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    setText("approve-problem", "Checking the contour…");
    // Let the words reach the screen: the checksum keeps this thread busy for a moment.
    await new Promise((resolve) => window.setTimeout(resolve, 30));
    try {
      const answer = await postJson(`${url}/approve`, body());
      box.close();
      onApproved(answer.next);
    } catch (error) {
      setText("approve-problem", error instanceof Error ? error.message : String(error));
      confirm.disabled = false;
    }
  });
}

/**
 * Show that the case is approved, and follow its way to the destinations.
 * @param {string} url
 * @param {string} roi  what was approved, and is on the screen
 * @param {Approval} approved
 */
export function showApproved(url, roi, approved) {
  byId("approved").hidden = false;
  let isTurned = false;
  const show = (/** @type {Approval} */ approval) => {
    const { by, at, version, deliveries } = approval;
    const which = version > 1 ? ` as version ${version}` : "";
    setText("approved-by", `Approved by ${by}${which}, ${dayAndTime(at)}`);
    showHold(url, approval, roi);
    byId("deliveries").replaceChildren(
      ...deliveries.map(({ words, last_error }) => make("p", { text: words, title: last_error })),
    );
  };
  show(approved);
  poll(async () => {
    const facts = isTurned ? null : /** @type {CaseFacts} */ (await getJson(url).catch(() => null));
    if (facts && facts.roi !== roi) {
      // Not by itself: whoever goes on elsewhere, perhaps in another tab, has the case.
      isTurned = true;
      for (const id of ["approved", "flow", "structures"]) byId(id).hidden = true;
      const reload = { label: "Reload", act: () => window.location.reload() };
      showBanner(`The case was turned to ${facts.roi}; what is shown here is ${roi}.`, "note", reload);
      return;
    }
    // Taken back, perhaps by a colleague: what is shown here is no longer so.
    if (facts && !facts.approved) window.location.reload();
    if (!facts?.approved) return;
    showFlow(facts);
    showStructures(facts);
    document.body.dataset.state = facts.state;
    setText("state", facts.state_words);
    show(facts.approved);
  }, 3000);
}

/**
 * @param {string} id
 * @param {SummaryRow[]} rows
 */
function fillRows(id, rows) {
  byId(id).replaceChildren(
    ...rows.map(([name, value, className]) => {
      const label = make("span", { className: "dim", text: name });
      return make("div", { className: "row" }, label, make("span", { className, text: value }));
    }),
  );
}
