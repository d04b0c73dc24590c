/**
 * Notes what the reviewer does (open, slices, zoom, strokes, tools, window, time away, undo, save) and
 * sends it in batches, also on leaving. The server answers how long the case has taken so far.
 *
 * These notes tell how long contouring takes. They are not the contour, so losing a batch is allowed.
 */
import { postJson, ServerError } from "./api.js";
import { InteractionBuffer } from "./interaction_buffer.js";
import { duration, setText } from "./page.js";

const BATCH_MS = 5000;
/** Below the 64 KiB that a request may carry while its page goes away. */
const LARGEST_BATCH = 200;

export class InteractionLog {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
    this.buffer = new InteractionBuffer();
    /** What is on its way, until all of it has arrived. @type {Promise<void> | null} */
    this.sending = null;
    this.isMoreWanted = false;
    window.setInterval(() => void this.flush(), BATCH_MS);
    document.addEventListener("visibilitychange", () => {
      this.note("visibility", { visible: !document.hidden });
      if (document.hidden) void this.flush({ keepalive: true });
    });
    // Not sendBeacon: it cannot carry the CSRF token, and a request kept alive arrives as well.
    window.addEventListener("pagehide", () => void this.flush({ keepalive: true }));
  }

  /**
   * @param {string} kind
   * @param {Record<string, unknown>} [detail]
   */
  note(kind, detail = {}) {
    this.buffer.add(kind, detail, new Date());
    if (this.buffer.waiting.length >= LARGEST_BATCH) void this.flush();
  }

  /**
   * One batch after another, so that the server keeps what was done in its order; a page that goes
   * away cannot wait. Resolves when everything noted before has been sent.
   */
  flush({ keepalive = false } = {}) {
    if (keepalive) return this.#send({ keepalive });
    if (this.sending) {
      this.isMoreWanted = true;
      return this.sending;
    }
    this.sending = this.#sendAll();
    return this.sending;
  }

  async #sendAll() {
    do {
      this.isMoreWanted = false;
      await this.#send();
    } while (this.isMoreWanted);
    this.sending = null;
  }

  async #send({ keepalive = false } = {}) {
    const events = this.buffer.take(LARGEST_BATCH);
    if (events.length === 0) return;
    try {
      const { spent_s } = await postJson(this.url, { events }, { keepalive });
      setText("time-spent", duration(spent_s));
      document.body.dataset.spent = String(spent_s);
    } catch (error) {
      if (!(error instanceof ServerError && error.permanent)) this.buffer.putBack(events);
    }
  }
}
