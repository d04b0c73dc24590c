/**
 * The structures of a case, where each stands, and turning from one to another.
 *
 * @typedef {import("./case_loader.js").CaseFacts} CaseFacts
 */
import { postJson } from "./api.js";
import { showBanner } from "./banner.js";
import { button, byId, make } from "./page.js";

const APPROVED = ["APPROVED", "DELIVERED"];

/** One row each; nothing where the rule names one structure alone. @param {CaseFacts} facts */
export function showStructures({ roi, structures, may_turn }) {
  byId("structures").hidden = structures.length === 0;
  byId("structure-rows").replaceChildren(
    ...structures.map((each) => {
      const isHere = each.roi === roi;
      const row = /** @type {HTMLButtonElement} */ (
        make(
          "button",
          { className: "row layer", title: isHere ? "Reviewed here" : `Turn to ${each.roi}` },
          make("span", { text: each.roi }),
          make("span", { className: "dim", text: each.words }),
        )
      );
      row.dataset.roi = each.roi;
      row.disabled = !isHere && !may_turn;
      row.setAttribute("aria-pressed", String(isHere));
      return row;
    }),
  );
  const next = structures.find((each) => each.roi !== roi && !APPROVED.includes(each.state));
  const goOn = button("next-structure");
  goOn.hidden = !next || !may_turn;
  goOn.dataset.roi = next?.roi;
  goOn.textContent = next ? `Go on with ${next.roi}` : "";
}

/**
 * @param {object} parts
 * @param {string} parts.url  /api/cases/<id>
 * @param {import("./review_session.js").ReviewSession} parts.session
 * @param {import("./case_lock.js").CaseLock} parts.lock
 */
export function connectStructures({ url, session, lock }) {
  const turn = async (/** @type {Event} */ event) => {
    const pressed = /** @type {HTMLElement} */ (event.target).closest("button");
    const roi = pressed?.dataset.roi;
    if (!pressed || !roi || roi === session.facts.roi) return;
    pressed.disabled = true;
    // Nothing is painted between here and the other structure.
    session.close();
    try {
      await session.journal.settled();
      if (session.journal.pending) throw new Error("The last strokes could not be saved.");
      session.log.note("save", { by: "structure" });
      // Told while the case is still at this structure.
      await session.log.flush();
      await postJson(`${url}/turn`, { roi });
      lock.stop();
      window.location.reload();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      showBanner(`Still at ${session.facts.roi}: ${why}`, "warning", {
        label: "Go on here",
        act: () => window.location.reload(),
      });
      pressed.disabled = false;
    }
  };
  byId("structure-rows").addEventListener("click", turn);
  button("next-structure").addEventListener("click", turn);
}
