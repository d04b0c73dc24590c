/**
 * Notes what the reviewer does (slices, zoom, tools, time away) and sends it in batches.
 *
 * These notes tell how long contouring takes. They are not the contour, so losing a batch is allowed.
 */
import { postJson } from "./api.js";

const BATCH_MS = 5000;
const LARGEST_BATCH = 200;

export class InteractionLog {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
    /** @type {{at: string, kind: string, detail: Record<string, unknown>}[]} */
    this.waiting = [];
    window.setInterval(() => void this.flush(), BATCH_MS);
    document.addEventListener("visibilitychange", () => {
      this.note("visibility", { visible: !document.hidden });
    });
    window.addEventListener("pagehide", () => void this.flush({ keepalive: true }));
  }

  /**
   * @param {string} kind
   * @param {Record<string, unknown>} detail
   */
  note(kind, detail) {
    this.waiting.push({ at: new Date().toISOString(), kind, detail });
    if (this.waiting.length >= LARGEST_BATCH) void this.flush();
  }

  async flush({ keepalive = false } = {}) {
    if (this.waiting.length === 0) return;
    const events = this.waiting.splice(0, LARGEST_BATCH);
    await postJson(this.url, { events }, { keepalive }).catch(() => undefined);
  }
}
