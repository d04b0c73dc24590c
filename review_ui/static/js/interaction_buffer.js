/**
 * What the reviewer did and the server has not been told yet: thinned, bounded, in batches. No DOM.
 *
 * @typedef {{at: string, kind: string, detail: Record<string, unknown>}} Interaction
 */

/** What goes on for as long as a wheel turns: of a run of these only the newest is kept. */
const CONTINUOUS = new Set(["position", "zoom", "brush", "window"]);
/** So long a run lasts at most; far below the pause that counts as idle. */
const RUN_MS = 1000;
/** That wait at most, as while the server does not answer; the oldest go first. */
const MOST = 2000;

export class InteractionBuffer {
  constructor() {
    /** @type {Interaction[]} */
    this.waiting = [];
    /** The run that may still be replaced. */
    this.run = { kind: "", startedMs: 0 };
  }

  /**
   * @param {string} kind
   * @param {Record<string, unknown>} detail
   * @param {Date} at
   */
  add(kind, detail, at) {
    const goesOn = kind === this.run.kind && at.getTime() - this.run.startedMs < RUN_MS;
    const event = { at: at.toISOString(), kind, detail };
    if (goesOn && this.waiting.at(-1)?.kind === kind) this.waiting[this.waiting.length - 1] = event;
    else this.waiting.push(event);
    if (!goesOn) this.run = { kind: CONTINUOUS.has(kind) ? kind : "", startedMs: at.getTime() };
    this.#bound();
  }

  /** The oldest, out of the buffer. @param {number} count */
  take(count) {
    this.run = { kind: "", startedMs: 0 };
    return this.waiting.splice(0, count);
  }

  /** What could not be sent, for the next time. @param {Interaction[]} events */
  putBack(events) {
    this.waiting.unshift(...events);
    this.#bound();
  }

  #bound() {
    if (this.waiting.length > MOST) this.waiting.splice(0, this.waiting.length - MOST);
  }
}
