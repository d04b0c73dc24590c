/** The keys of whoever is logged in, as they are now: from the page, changed by the key sheet. */
import { BINDINGS } from "./keyboard.js";
import { titleWithKey, keyCap, withOwnKeys } from "./keymap.js";

/** @typedef {import("./keymap.js").OwnKeys} OwnKeys */

/** @type {OwnKeys} */
let own = JSON.parse(document.body.dataset.ownKeys ?? "{}");
let bindings = withOwnKeys(BINDINGS, own);

/** What the account has changed. */
export const ownKeys = () => own;

/** Every action with its keys. */
export const bindingsNow = () => bindings;

/** @param {OwnKeys} next */
export function useOwnKeys(next) {
  own = next;
  bindings = withOwnKeys(BINDINGS, own);
}

/** The first key of an action; undefined where it has none. @param {string} action */
export function keyOf(action) {
  return bindings.find((binding) => binding.action === action)?.keys[0];
}

/**
 * Write the keys on buttons, into their titles, and wherever a page names an action.
 * @param {Readonly<Record<string, string>>} buttons  action by id
 */
export function printKeys(buttons) {
  for (const [id, action] of Object.entries(buttons)) {
    const element = document.getElementById(id);
    if (!element) continue;
    const key = keyOf(action);
    if (element.title) element.title = titleWithKey(element.title, key);
    const cap = element.querySelector("small, kbd");
    if (cap) cap.textContent = shortCap(key);
  }
  for (const element of document.querySelectorAll("kbd[data-action]")) {
    element.textContent = shortCap(keyOf(element.getAttribute("data-action") ?? ""));
  }
}

/** @param {string | undefined} key */
function shortCap(key) {
  if (key === undefined) return "";
  return key.length > 1 ? keyCap(key, "+").replace("Shift+", "⇧") : keyCap(key);
}
