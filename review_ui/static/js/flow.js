/**
 * What becomes of a case besides an approval: taken back, rejected, passed on, re-opened; and who may edit.
 *
 * @typedef {import("./case_loader.js").CaseFacts} CaseFacts
 * @typedef {import("./case_loader.js").Approval} Approval
 */
import { getJson, postJson } from "./api.js";
import { showBanner } from "./banner.js";
import { button, byId, dayAndTime, dialog, make, setText } from "./page.js";

const ASK = "?edit=1";
let heldUntilMs = 0;
let ticking = 0;

/** Whether this page was opened to edit a case that is somebody else's; asked once. */
export function asksToEdit() {
  const asked = window.location.search === ASK;
  // A later reload asks anew: until then the case may be somebody else's again.
  if (asked) window.history.replaceState(null, "", window.location.pathname);
  return asked;
}

/** Say why the case is read-only, and offer what can be asked for. @param {CaseFacts} facts */
export function sayReadOnly({ access }) {
  const edit = { label: access.offer, act: () => window.location.assign(window.location.pathname + ASK) };
  showBanner(`${access.why} You can look at it.`, "note", access.mode === "ask" ? edit : null);
}

/** Which ways the case has from here. @param {CaseFacts} facts */
export function showFlow(facts) {
  const { may_decide, may_reopen, replaces } = facts;
  // A second observer's contour is nobody else's.
  const editable = facts.editable && facts.arm !== "observer";
  button("pass-on").hidden = !editable;
  button("reject").hidden = !editable || !may_decide;
  button("reopen").hidden = !may_reopen;
  const note = replaces
    ? `Re-opened. Version ${replaces.version} was approved by ${replaces.by}, ${dayAndTime(replaces.at)}; ` +
      `an approval now makes version ${replaces.version + 1}.`
    : "";
  setText("flow-note", note);
  byId("flow-note").hidden = !note;
  byId("flow").hidden = !note && !editable && !may_reopen;
}

/**
 * A button that counts down while the approval can be taken back.
 * @param {string} url  /api/cases/<id>
 * @param {Approval} approved
 * @param {string} roi  what was approved
 */
export function showHold(url, { held_s }, roi) {
  const undo = button("take-back");
  heldUntilMs = held_s === null ? 0 : performance.now() + held_s * 1000;
  undo.onclick = () => void takeBack(url, roi);
  const tick = () => {
    const leftS = Math.ceil((heldUntilMs - performance.now()) / 1000);
    undo.hidden = leftS <= 0;
    undo.textContent = `Undo approval (${leftS} s)`;
    if (leftS <= 0) window.clearInterval(ticking);
  };
  window.clearInterval(ticking);
  ticking = window.setInterval(tick, 250);
  tick();
}

/** @param {string} url @param {string} roi */
async function takeBack(url, roi) {
  button("take-back").disabled = true;
  try {
    // The reload below takes the case for its own tab.
    await postJson(`${url}/take-back`, { tab: "0".repeat(32), roi });
    window.location.reload();
  } catch (error) {
    showBanner(error instanceof Error ? error.message : String(error), "warning");
    button("take-back").disabled = false;
  }
}

/**
 * @param {object} parts
 * @param {string} parts.url  /api/cases/<id>
 * @param {import("./review_session.js").ReviewSession} parts.session
 * @param {import("./case_lock.js").CaseLock} parts.lock
 */
export function connectFlow({ url, session, lock }) {
  const leave = (/** @type {{next: string | null}} */ { next }) => {
    lock.stop();
    session.close();
    window.location.assign(next ? `/cases/${next}` : "/");
  };
  const unsaved = () => (session.journal.pending ? "The last strokes are still being saved. Try again." : "");
  const { facts } = session;
  const whom = `${facts.roi} of ${facts.patient.name || "unnamed patient"}`;

  button("reject").addEventListener("click", () =>
    ask({
      title: `Reject ${whom}?`,
      effect: `No structure set of ${facts.roi} is sent. The strokes are kept; the case can be re-opened.`,
      label: "Reject",
      needs: "reason",
      act: async (reason) => leave(await postJson(`${url}/reject`, { tab: lock.tab, roi: facts.roi, reason })),
      problem: unsaved,
    }),
  );
  button("pass-on").addEventListener("click", async () => {
    const { colleagues } = await getJson(`${url}/colleagues`);
    const select = byId("flow-colleague");
    select.replaceChildren(...colleagues.map((/** @type {string} */ text) => make("option", { text })));
    ask({
      title: `Pass ${whom} on?`,
      effect: colleagues.length
        ? "The case goes on as it stands, with every stroke."
        : "No other account may contour. An administrator can make one on the page Users.",
      label: "Pass on",
      needs: "colleague",
      act: async (to) => leave(await postJson(`${url}/pass-on`, { tab: lock.tab, to })),
      problem: unsaved,
    });
  });
  button("reopen").addEventListener("click", () =>
    ask({
      title: `Re-open ${whom}?`,
      effect: "What was sent stays at its destination. The next approval is sent as a new version.",
      label: "Re-open",
      needs: "reason",
      act: async (reason) => {
        await postJson(`${url}/reopen`, { roi: facts.roi, reason });
        window.location.reload();
      },
      problem: () => "",
    }),
  );
  button("cancel-flow").addEventListener("click", () => dialog("flow-dialog").close());
}

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.effect  what it does
 * @param {string} question.label  of the button that does it
 * @param {"reason" | "colleague"} question.needs
 * @param {(answer: string) => Promise<void>} question.act
 * @param {() => string} question.problem  why it cannot be now, empty when it can
 */
function ask({ title, effect, label, needs, act, problem }) {
  const reason = /** @type {HTMLTextAreaElement} */ (byId("flow-reason"));
  const colleague = /** @type {HTMLSelectElement} */ (byId("flow-colleague"));
  const field = needs === "reason" ? reason : colleague;
  reason.value = "";
  byId("flow-reason-label").hidden = needs !== "reason";
  byId("flow-colleague-label").hidden = needs !== "colleague";
  setText("flow-title", title);
  setText("flow-effect", effect);
  setText("flow-problem", "");
  setText("confirm-flow", label);
  const confirm = button("confirm-flow");
  const check = () => {
    confirm.disabled = field.value.trim() === "";
  };
  field.oninput = check;
  check();
  /** @type {HTMLFormElement} */ (byId("flow-form")).onsubmit = async (event) => {
    event.preventDefault();
    const because = problem();
    setText("flow-problem", because);
    if (because) return;
    confirm.disabled = true;
    try {
      await act(field.value.trim());
    } catch (error) {
      setText("flow-problem", error instanceof Error ? error.message : String(error));
      check();
    }
  };
  dialog("flow-dialog").showModal();
  field.focus();
}
