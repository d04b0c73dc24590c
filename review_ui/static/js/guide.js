/** The tour: a panel that leads through five steps, never in the way of the work itself. */
import { postJson } from "./api.js";
import { countOf, stepBeside, stepOn, STEPS } from "./guide_steps.js";
import { button, byId, dialog, setText } from "./page.js";

/** Of this tab: the tour goes on from the worklist to a case and back. */
const KEPT = "recontour-tour";
const LAST = STEPS.length - 1;
const APPROVE = STEPS.findIndex((step) => step.at.review === "approve");
/** @type {import("./guide_steps.js").PageName} */
const page = document.body.classList.contains("review") ? "review" : "worklist";
const panel = byId("guide");

/** The step that is shown, -1 while none is. */
let shown = -1;

/** @param {number} step */
function show(step) {
  STEPS.forEach(({ at }) => document.getElementById(at[page] ?? "")?.classList.remove("guided"));
  shown = step;
  panel.hidden = false;
  panel.dataset.step = String(step + 1);
  sessionStorage.setItem(KEPT, String(step));
  setText("guide-title", STEPS[step].title);
  setText("guide-words", STEPS[step].words);
  setText("guide-count", countOf(step));
  document.getElementById(STEPS[step].at[page] ?? "")?.classList.add("guided");
  button("guide-back").disabled = stepBeside(page, step, -1) < 0;
  const next = button("guide-next");
  next.disabled = step !== LAST && stepBeside(page, step, 1) < 0;
  next.textContent = step === LAST ? "Done" : "Next";
}

function hide() {
  panel.hidden = true;
  shown = -1;
  document.querySelector(".guided")?.classList.remove("guided");
  sessionStorage.removeItem(KEPT);
}

/** For good; what the server did not hear is asked again on the next page. */
async function end() {
  hide();
  panel.dataset.due = "false";
  await postJson("/account/tour", {}, { keepalive: true }).catch(() => undefined);
  panel.dataset.ended = "true";
}

/** @param {1 | -1} direction */
function turn(direction) {
  if (direction > 0 && shown === LAST) return void end();
  const next = stepBeside(page, shown, direction);
  if (next >= 0) show(next);
}

function connect() {
  button("guide-next").addEventListener("click", () => turn(1));
  button("guide-back").addEventListener("click", () => turn(-1));
  button("guide-end").addEventListener("click", () => void end());
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation(); // a letter in the panel paints nothing
    if (event.key === "Escape") void end();
  });
  document.getElementById("begin-tour")?.addEventListener("click", () => {
    dialog("keys-dialog").close();
    show(stepOn(page, 0));
    byId("guide-title").focus();
  });
  new MutationObserver(() => {
    if (shown === APPROVE && document.body.dataset.state === "APPROVED") show(LAST);
  }).observe(document.body, { attributeFilter: ["data-state"] });
}

connect();
const kept = sessionStorage.getItem(KEPT);
if (panel.dataset.due === "true" || kept !== null) show(stepOn(page, Number(kept ?? 0)));
