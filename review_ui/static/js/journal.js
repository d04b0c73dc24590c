/**
 * Sends journal entries to the server: strictly in order, one at a time, again and again until each is
 * acknowledged. No entry is dropped, whatever happens to the network. No DOM.
 *
 * @typedef {{seq: number, kind: "stroke" | "undo" | "redo", [key: string]: unknown}} OutgoingEntry
 *
 * @typedef {object} JournalStatus
 * @property {number} acknowledged  sequence number of the last entry the server has on disk
 * @property {number} pending  entries that still wait
 * @property {"saved" | "saving" | "retrying" | "refused"} condition
 * @property {string} message  why nothing could be saved, in words; empty when all is well
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;

export class Journal {
  /**
   * @param {object} options
   * @param {number} options.acknowledged  what the server already holds
   * @param {(entry: OutgoingEntry) => Promise<void>} options.send
   *   resolves once the entry is durable; rejects with an Error, whose `permanent` is true when the
   *   server refused the entry and trying again cannot help
   * @param {(status: JournalStatus) => void} options.onStatus
   * @param {(ms: number) => Promise<void>} [options.pause]
   */
  constructor({ acknowledged, send, onStatus, pause = sleep }) {
    this.acknowledged = acknowledged;
    this.send = send;
    this.onStatus = onStatus;
    this.pause = pause;
    /** @type {OutgoingEntry[]} */
    this.waiting = [];
    this.isRefused = false;
    this.isSending = false;
    /** Who wait for the end. @type {(() => void)[]} */
    this.waiters = [];
  }

  get pending() {
    return this.waiting.length;
  }

  /**
   * Put an entry at the end of the queue.
   * @param {{kind: "stroke" | "undo" | "redo", [key: string]: unknown}} entry  without its number
   */
  add(entry) {
    this.waiting.push({ ...entry, seq: this.acknowledged + this.waiting.length + 1 });
    if (!this.isRefused) this.#report("saving");
    void this.#drain();
  }

  /** Resolves once nothing waits, or nothing more can be saved. @returns {Promise<void>} */
  settled() {
    if (this.pending === 0 || this.isRefused) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  async #drain() {
    if (this.isSending || this.isRefused) return;
    this.isSending = true;
    let pauseMs = FIRST_PAUSE_MS;
    while (this.waiting.length > 0 && !this.isRefused) {
      try {
        await this.send(this.waiting[0]);
        const sent = /** @type {OutgoingEntry} */ (this.waiting.shift());
        this.acknowledged = sent.seq;
        pauseMs = FIRST_PAUSE_MS;
        this.#report(this.waiting.length ? "saving" : "saved");
      } catch (error) {
        const refusal = /** @type {Error & {permanent?: boolean}} */ (error);
        this.isRefused = refusal.permanent === true;
        this.#report(this.isRefused ? "refused" : "retrying", refusal.message);
        if (!this.isRefused) await this.pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
    this.isSending = false;
  }

  /**
   * @param {JournalStatus["condition"]} condition
   * @param {string} [message]
   */
  #report(condition, message = "") {
    const { acknowledged, pending } = this;
    this.onStatus({ acknowledged, pending, condition, message });
    if (condition === "saved" || condition === "refused") for (const resolve of this.waiters.splice(0)) resolve();
  }
}

/** @param {number} ms @returns {Promise<void>} */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
