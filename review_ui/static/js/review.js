/**
 * The review page, from opening a case to painting on it. Read from the bottom: `start`.
 *
 * For scripts and tests <body> says where things stand, read only: data-ready, data-state, data-slice,
 * data-seq (last entry the server has on disk), data-pending (entries not yet saved), data-voxels
 * (of the corrected structure), data-tool, data-layers (see extras_loader.js), data-prepared (see
 * next_case.js). See slice_view.js for the canvases.
 *
 * @typedef {import("./case_loader.js").CaseFacts} CaseFacts
 */
import { getJson, ServerError } from "./api.js";
import { prepareApproval, showApproved } from "./approval.js";
import { showBanner } from "./banner.js";
import { loadCorrections, loadCt } from "./case_loader.js";
import { CaseLock } from "./case_lock.js";
import { loadExtras } from "./extras_loader.js";
import { asksToEdit, connectFlow, sayReadOnly, showFlow } from "./flow.js";
import { sayFailures, wordsOf } from "./failures.js";
import { Grid, PLANES } from "./geometry.js";
import { InteractionLog } from "./interactions.js";
import { prepareNext } from "./next_case.js";
import { byId, button, canvas, nextPicture, setText } from "./page.js";
import * as panel from "./panel.js";
import { ReviewSession } from "./review_session.js";
import { ReviewState } from "./review_state.js";
import { SliceView } from "./slice_view.js";
import { Stage } from "./stage.js";
import { connectStructures, showStructures } from "./structures.js";
import { connectInput } from "./tools.js";

/** /api/cases/<id>, or /api/observations/<id> for a second observer. */
const url = document.body.dataset.api ?? "";

/**
 * Take the case where this reviewer may, and say why not where not.
 * @param {CaseFacts} facts  before it is taken
 * @param {CaseLock} lock
 * @returns {Promise<CaseFacts>}
 */
async function openCase(facts, lock) {
  if (facts.approved) return facts;
  const asked = asksToEdit();
  if (facts.access.mode === "look" || (facts.access.mode === "ask" && !asked)) {
    sayReadOnly(facts);
    return facts;
  }
  try {
    const taken = await lock.take(asked);
    // Somebody turned to another structure meanwhile: this page is of the one before.
    if (taken.roi === facts.roi) return taken;
    window.location.reload();
    return new Promise(() => undefined);
  } catch (error) {
    if (!(error instanceof ServerError) || error.status !== 409) throw error;
    showBanner(`${error.message} You can look at the case.`, "warning");
    return { ...facts, editable: false };
  }
}

/**
 * Three views on the same volume.
 * @param {CaseFacts} facts
 * @param {ConstructorParameters<typeof SliceView>[2]} source
 * @param {ReviewState} state
 */
function buildStage(facts, source, state) {
  const view = (/** @type {import("./geometry.js").PlaneName} */ name) =>
    new SliceView(canvas(name), PLANES[name], source);
  const views = { axial: view("axial"), sagittal: view("sagittal"), coronal: view("coronal") };
  const stage = new Stage(views, state);
  stage.resize();
  for (const each of stage.all) frame(each, facts, state);
  return stage;
}

/** How much around the start point is shown at first where there is a prediction, in mm. */
const FIRST_LOOK_RADIUS_MM = 130;

/**
 * The whole slice, or what surrounds the predicted structure.
 * @param {SliceView} view
 * @param {CaseFacts} facts
 * @param {ReviewState} state
 */
function frame(view, facts, state) {
  const { viewport, plane } = view;
  viewport.fit();
  if (!facts.prediction) return;
  const whole = viewport.scale;
  const { position } = state.settings;
  viewport.frame([position[plane.across], position[plane.down]], FIRST_LOOK_RADIUS_MM);
  if (viewport.scale < whole) viewport.fit();
}

/** Why there is no prediction, by arm. @type {Readonly<Record<string, string>>} */
const WHY_FROM_SCRATCH = Object.freeze({
  manual: "To measure a baseline, this case is shown without a prediction",
  observer: "You are a second observer",
});

/** @param {CaseFacts} facts */
function showFacts(facts) {
  setText("state", facts.state_words);
  document.body.dataset.state = facts.state;
  panel.showStructureSet(facts);
  showFlow(facts);
  showStructures(facts);
  panel.showFlags("flags", facts.flags);
  panel.showFindings(facts.findings);
  byId("tools").classList.toggle("disabled", !facts.editable);
  if (facts.prediction) {
    setText("model", `model ${facts.prediction.model_version.slice(0, 8)}`);
    setText("validation-dice", facts.prediction.validation_dice?.toFixed(2) ?? "–");
    setText("expected-dice", facts.prediction.expected_dice_words || "–");
  } else if (facts.editable && facts.journal.seq === 0) {
    showBanner(`${WHY_FROM_SCRATCH[facts.arm] ?? "No model yet"}: contour from scratch.`);
  }
}

/** @param {ReviewSession} session */
function connectLeaving(session) {
  window.addEventListener("beforeunload", (event) => {
    if (session.journal.pending > 0) event.preventDefault();
  });
  window.addEventListener("pageshow", (event) => {
    // Taken out of the browser's memory by "back": the case was given back meanwhile.
    if (event.persisted) window.location.reload();
  });
  button("save-next").addEventListener("click", async () => {
    button("save-next").disabled = true;
    await session.journal.settled();
    session.log.note("save", { by: "next" });
    const { next } = await getJson(`/api/next?after=${session.facts.id}`).catch(() => ({ next: null }));
    window.location.assign(next ? `/cases/${next}` : "/");
    button("save-next").disabled = false;
  });
}

/**
 * @param {ReviewSession} session
 * @param {CaseLock} lock
 */
function connectApproval(session, lock) {
  const { facts, layer } = session;
  // What is only proposed is not approved, and must not look as if.
  button("approve").addEventListener("click", () => session.beforeEdit());
  prepareApproval({
    url,
    facts,
    summary: () => session.summary(),
    refresh: () => session.refreshFlags(),
    saved: () => session.journal.settled(),
    body: () => ({
      tab: lock.tab,
      seq: session.journal.acknowledged,
      voxels: layer.voxels,
      crc32: layer.checksum(),
      slices_seen: [...session.seen].sort((a, b) => a - b),
    }),
    onApproved: async (next) => {
      session.log.note("save", { by: "approval" });
      lock.stop();
      session.close();
      showBanner("");
      if (facts.arm === "observer") {
        // Nothing is hidden from now on.
        await session.log.flush();
        window.location.assign("/");
        return;
      }
      button("next-case").hidden = next === null;
      button("next-case").onclick = () => window.location.assign(`/cases/${next}`);
      const approved = /** @type {CaseFacts} */ (await getJson(url));
      showFacts({ ...approved, editable: false });
      if (approved.approved) showApproved(url, approved.roi, approved.approved);
    },
  });
}

async function start() {
  sayFailures();
  const lock = new CaseLock(url);
  const known = /** @type {CaseFacts} */ (JSON.parse(document.body.dataset.facts ?? ""));
  const grid = new Grid(known.dims, known.spacing_mm, known.slice_offsets_mm);
  const scan = { grid, ct: new Int16Array(grid.count), arrived: new Uint8Array(grid.dims[2]) };
  const state = new ReviewState(known.start);
  const outlineColour = `rgb(${known.colour.join(" ")})`;
  /** @type {import("./overlay.js").Extras} */
  const extras = { dose: null, uncertainty: null, reference: null, leverage: null };
  const stage = buildStage(known, { scan, extras, outlineColour }, state);
  // The CT is on its way while the case is taken and its corrections come: it is seen first.
  const loading = loadCt(grid, scan.ct, (slice, received) => {
    scan.arrived[slice] = 1;
    panel.showLoading(received, grid.dims[2]);
    // Sagittal and coronal gain a line per slice: painting each would cost more than loading.
    if (slice === state.settings.position[2] || received % 16 === 0) stage.refreshCt();
    return received === 1 ? nextPicture() : undefined;
  });
  loading.catch(() => undefined); // told below, after what fails before it

  const facts = await openCase(known, lock);
  showFacts(facts);
  const { layer, seq } = await loadCorrections(url, facts, grid);
  stage.takeLayer(layer);
  const log = new InteractionLog(`${url}/events`);
  const session = new ReviewSession({ url, facts, layer, stage, state, lock, log, seq });

  connectInput(session);
  await loading;
  stage.refreshCt();

  connectLeaving(session);
  connectApproval(session, lock);
  connectFlow({ url, session, lock });
  connectStructures({ url, session, lock });
  session.open();
  if (facts.approved) showApproved(url, facts.roi, facts.approved);
  document.body.dataset.ready = "true";
  // Last: nobody waits for them, and the case can be worked on without.
  const onCame = () => {
    stage.refreshExtras();
    session.takeDose(extras.dose);
  };
  await loadExtras(url, extras, onCame).catch((error) => {
    showBanner(`Dose and other layers could not be loaded: ${wordsOf(error)}`, "warning");
  });
  if (facts.arm !== "observer") prepareNext(facts.id);
}

start().catch((error) => {
  showBanner(wordsOf(error), "warning");
  byId("loading").hidden = true;
  document.body.dataset.ready = "failed";
});
