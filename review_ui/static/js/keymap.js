/**
 * Which key does what: the page's own table, with what an account has changed.
 *
 * @typedef {import("./keyboard.js").KeyBinding} KeyBinding
 * @typedef {Readonly<Record<string, readonly string[]>>} OwnKeys  keys by action
 */

/** What a browser keeps for itself, or the page needs for the mouse and for going from field to field. */
const RESERVED = new Set([
  " ", "tab", "enter", "f5", "f11", "f12", "ctrl+t", "ctrl+n", "ctrl+w", "ctrl+q", "ctrl+r",
  "ctrl+shift+t", "ctrl+shift+n", "ctrl+shift+w", "ctrl+shift+r", "ctrl+shift+i",
]); // prettier-ignore
const MODIFIERS = new Set(["shift", "control", "alt", "altgraph", "meta", "capslock", "dead", "unidentified"]);
const KEY = /^(ctrl\+)?(shift\+)?(\+|[^\s+]{1,20})$/;

/** @type {Readonly<Record<string, string>>} */
const KEY_NAMES = Object.freeze({
  arrowup: "↑",
  arrowdown: "↓",
  arrowleft: "←",
  arrowright: "→",
  pageup: "Page Up",
  pagedown: "Page Down",
  escape: "Esc",
  home: "Home",
  end: "End",
  delete: "Delete",
  insert: "Insert",
  backspace: "Backspace",
  ctrl: "Ctrl",
  shift: "Shift",
});

/**
 * The table with an account's keys. What is not known or not a key is left out; a key the account gave to
 * one action is taken from the others, so no press ever means two things.
 * @param {readonly KeyBinding[]} bindings
 * @param {OwnKeys} own
 * @returns {KeyBinding[]}
 */
export function withOwnKeys(bindings, own) {
  /** @type {Map<string, string>} */
  const owner = new Map();
  for (const { action } of bindings) {
    for (const key of ownKeys(own, action)) if (!owner.has(key)) owner.set(key, action);
  }
  return bindings.map((binding) => {
    const mine = ownKeys(own, binding.action);
    const keys = (mine.length ? mine : binding.keys).filter((key) => (owner.get(key) ?? binding.action) === binding.action);
    return { ...binding, keys };
  });
}

/**
 * @param {OwnKeys} own
 * @param {string} action
 * @returns {string[]}
 */
function ownKeys(own, action) {
  const keys = Object.hasOwn(own, action) ? own[action] : [];
  return Array.isArray(keys) ? keys.filter((key) => typeof key === "string" && isFree(key)) : [];
}

/** @param {string} key */
const isFree = (key) => KEY.test(key) && !RESERVED.has(key) && !MODIFIERS.has(key);

/**
 * Why a key cannot be given to an action, in a sentence; empty where it can.
 * @param {readonly KeyBinding[]} bindings  as they are now
 * @param {string} action
 * @param {string} key
 */
export function refusalOf(bindings, action, key) {
  if (!isFree(key)) return `${keyCap(key)} belongs to the browser. Press another key.`;
  const taken = bindings.find((binding) => binding.action !== action && binding.keys.includes(key));
  return taken ? `${keyCap(key)} is taken: ${taken.label}. Give that another key first, or press another.` : "";
}

/**
 * The account's table after an action got another first key; its further keys stay.
 * @param {OwnKeys} own
 * @param {readonly KeyBinding[]} bindings  as they are now
 * @param {string} action
 * @param {string} key
 * @returns {OwnKeys}
 */
export function withKey(own, bindings, action, key) {
  const before = bindings.find((binding) => binding.action === action)?.keys ?? [];
  return { ...own, [action]: [key, ...before.slice(1).filter((other) => other !== key)] };
}

/** Whether a press is only half of one: Shift and the like. @param {string} key */
export const isModifier = (key) => MODIFIERS.has(key.toLowerCase());

/**
 * How the tables call a press.
 * @param {Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey" | "getModifierState">} event
 */
export function nameOf(event) {
  const key = event.key.toLowerCase();
  // On many keyboards AltGr makes [ and ]; some systems tell it as Ctrl and Alt.
  if (event.getModifierState("AltGraph")) return key;
  // Keys with Alt are the browser's own.
  const alt = event.altKey ? "alt+" : "";
  const shift = event.shiftKey && /^[a-z]$/.test(key) ? "shift+" : "";
  return alt + (event.ctrlKey || event.metaKey ? "ctrl+" : "") + shift + key;
}

/** A key as it is printed on a keyboard. @param {string} key  @param {string} [between] */
export function keyCap(key, between = " + ") {
  const [, ctrl = "", shift = "", last = key] = KEY.exec(key) ?? [];
  const parts = [ctrl && "ctrl", shift && "shift", last].filter((part) => part !== "");
  return parts.map((part) => KEY_NAMES[part] ?? (part === " " ? "Space" : part.toUpperCase())).join(between);
}

/**
 * Words with a key behind them: "Undo (Z)".
 * @param {string} words
 * @param {string | undefined} key  undefined where the action has none
 */
export function withCap(words, key) {
  return key === undefined ? words : `${words} (${keyCap(key, "+")})`;
}

/**
 * A button's title with the key it has now: "Add to Heart (Q)" becomes "Add to Heart (7)".
 * @param {string} title
 * @param {string | undefined} key
 */
export function titleWithKey(title, key) {
  return withCap(title.replace(/ \((?:\S+|\S*Page (?:Up|Down))\)$/, ""), key);
}
