/**
 * The lock on a case: taken when it is opened, renewed while the page is open, given back on leaving.
 * Only opening takes a case from another tab of the same reviewer; a page that stays open never does.
 */
import { postJson, ServerError } from "./api.js";

const HEARTBEAT_MS = 30000;

export class CaseLock {
  /** @param {string} url  /api/cases/<id> */
  constructor(url) {
    this.url = url;
    // Names this tab: the same reviewer with a second tab must not write into the same journal.
    this.tab = randomId();
    this.isHeld = false;
    this.timer = 0;
    /** Called once, with a sentence, when the lock went elsewhere. @type {(message: string) => void} */
    this.onLost = () => {};
    /** Called with the case's flags after each renewal. @type {(flags: string[]) => void} */
    this.onRenewed = () => {};
  }

  /**
   * Take the case. Rejects with a ServerError (409) when it is somebody else's.
   * @param {boolean} takeOver  ask for it all the same
   * @returns {Promise<import("./case_loader.js").CaseFacts>}
   */
  async take(takeOver) {
    const facts = await postJson(`${this.url}/open`, { tab: this.tab, take_over: takeOver });
    this.isHeld = true;
    this.timer = window.setInterval(() => void this.#renew(), HEARTBEAT_MS);
    // A reviewer who comes back to this tab learns at once that the case went on elsewhere.
    document.addEventListener("visibilitychange", () => void this.#renew());
    // Not on "beforeunload": that may be cancelled by the reviewer, and the case stays open.
    window.addEventListener("pagehide", () => this.release());
    return facts;
  }

  /** Give the case back; works while the page goes away. */
  release() {
    if (!this.isHeld) return;
    this.stop();
    void postJson(`${this.url}/release`, { tab: this.tab }, { keepalive: true }).catch(() => undefined);
  }

  /** Stop renewing, as after an approval. */
  stop() {
    this.isHeld = false;
    window.clearInterval(this.timer);
  }

  /** The server says that this tab no longer has the case. @param {string} message */
  lost(message) {
    if (!this.isHeld) return;
    this.stop();
    this.onLost(message);
  }

  async #renew() {
    if (!this.isHeld) return;
    try {
      const { flags } = await postJson(`${this.url}/renew`, { tab: this.tab });
      this.onRenewed(flags);
    } catch (error) {
      // A silent network is no reason to stop; the server's "no" is.
      if (error instanceof ServerError && error.permanent) this.lost(error.message);
    }
  }
}

/** 32 hex digits. crypto.randomUUID would need https, which a clinic's inner network may not have. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
