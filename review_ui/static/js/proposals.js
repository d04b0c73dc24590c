/**
 * What a tool would change, shown on the views until it is taken or dismissed. One at a time.
 *
 * For scripts and tests <body> says what is proposed, read only: data-proposal (its name, or empty) and
 * data-proposed (voxels that would change).
 *
 * @typedef {import("./blocks.js").Change} Change
 * @typedef {import("./review_session.js").ReviewSession} ReviewSession
 *
 * @typedef {object} Proposal
 * @property {Omit<import("./corrections.js").StepLabel, "tool">} label
 * @property {Change} change
 * @property {string} words  what it is, without the full stop
 * @property {number} [marginMm]  of growing (above zero) and shrinking (below)
 */
import { byId, button, setText, signed } from "./page.js";

export class Proposals {
  /** @param {ReviewSession} session */
  constructor(session) {
    this.session = session;
    /** @type {Proposal | null} */
    this.current = null;
    /** By how much the structure is being grown (above zero) or shrunk, also where that changes nothing yet. */
    this.marginMm = 0;
    button("take-proposal").addEventListener("click", () => this.take());
    button("dismiss-proposal").addEventListener("click", () => this.dismiss());
    session.beforeEdit = () => this.dismiss();
    this.dismiss();
  }

  /** Show it; what would change nothing is said and not offered. @param {Proposal} proposal */
  show(proposal) {
    this.dismiss();
    this.marginMm = proposal.marginMm ?? 0;
    const change = this.session.layer.permitted(proposal.change);
    const { added, removed } = change;
    const voxels = added.length + removed.length;
    if (voxels === 0) return this.say(`${proposal.words}: nothing to change.`);
    this.current = { ...proposal, change };
    const parts = [];
    if (added.length) parts.push(this.#ml(added, 1));
    if (removed.length) parts.push(this.#ml(removed, -1));
    this.#tell(`${proposal.words}: ${parts.join(", ")}`, true);
    document.body.dataset.proposal = proposal.label.name;
    document.body.dataset.proposed = String(voxels);
    this.session.stage.redraw();
  }

  /** A sentence where proposals stand, until the next edit. @param {string} text */
  say(text) {
    this.#tell(text, false);
  }

  take() {
    const { current, session } = this;
    if (!current || !session.isEditable || session.stroke) return;
    session.applyChange(current.change, current.label);
  }

  dismiss() {
    this.current = null;
    this.marginMm = 0;
    byId("proposal").hidden = true;
    document.body.dataset.proposal = "";
    document.body.dataset.proposed = "0";
    this.session.stage.redraw();
  }

  /**
   * @param {string} text
   * @param {boolean} isOffer
   */
  #tell(text, isOffer) {
    setText("proposal-words", text);
    button("take-proposal").hidden = !isOffer;
    button("dismiss-proposal").hidden = !isOffer;
    byId("proposal").hidden = false;
  }

  /**
   * @param {Uint32Array} voxels
   * @param {1 | -1} sign
   */
  #ml(voxels, sign) {
    const { grid } = this.session.layer;
    const cc = voxels.reduce((sum, index) => sum + grid.voxelCc[Math.floor(index / grid.sliceCount)], 0);
    return `${signed(sign * cc, 1)} ml`;
  }
}
