/** Small helpers for finding and filling elements. */

/**
 * The element with this id; it is part of the template, so its absence is our mistake.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}.`);
  return element;
}

/** @param {string} id @returns {HTMLButtonElement} */
export function button(id) {
  return /** @type {HTMLButtonElement} */ (byId(id));
}

/** @param {string} id @returns {HTMLDialogElement} */
export function dialog(id) {
  return /** @type {HTMLDialogElement} */ (byId(id));
}

/** @param {string} id @returns {HTMLCanvasElement} */
export function canvas(id) {
  return /** @type {HTMLCanvasElement} */ (byId(id));
}

/**
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A new element with a class and text.
 * @param {string} tag
 * @param {{className?: string, text?: string, title?: string}} [options]
 * @param {(Node | string)[]} children
 */
export function make(tag, { className = "", text = "", title = "" } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  if (title) element.title = title;
  element.append(...children);
  return element;
}

/** After the next picture; soon where the page is hidden and draws none. @returns {Promise<void>} */
export function nextPicture() {
  return new Promise((resolve) => {
    window.setTimeout(resolve, 100);
    requestAnimationFrame(() => window.setTimeout(resolve));
  });
}

/** Local time as 14:02:11. @param {Date} when */
export function clockTime(when) {
  return when.toLocaleTimeString("en-GB");
}

/** A moment as "23 Nov 2026, 14:02", local time. @param {string} when  ISO 8601 */
export function dayAndTime(when) {
  return new Date(when).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** A time that work took, as "4 min 10 s". @param {number} seconds */
export function duration(seconds) {
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/**
 * A difference with its sign; a true minus, so columns line up.
 * @param {number} value
 * @param {number} digits
 */
export function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return `±${text}`;
  return (value < 0 ? "−" : "+") + text;
}

/**
 * Call `work` again and again, `pauseMs` after each end; pauses while the page is hidden.
 * @param {() => Promise<void>} work
 * @param {number} pauseMs
 */
export function poll(work, pauseMs) {
  const next = async () => {
    if (!document.hidden) await work();
    window.setTimeout(next, pauseMs);
  };
  void next();
}
