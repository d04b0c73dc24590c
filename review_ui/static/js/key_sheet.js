/** The sheet behind "?": every key, and a way to change it, kept with the account. */
import { postJson } from "./api.js";
import { isModifier, keyCap, nameOf, refusalOf, withKey } from "./keymap.js";
import { bindingsNow, ownKeys, useOwnKeys } from "./own_keys.js";
import { button, byId, dialog, make, setText } from "./page.js";

/** @typedef {import("./keymap.js").OwnKeys} OwnKeys */

/** The action that waits for a key; empty while none does. */
let waiting = "";

/** @param {() => void} onChange  after other keys are in use */
export function connectKeySheet(onChange) {
  const sheet = dialog("keys-dialog");
  button("close-keys").addEventListener("click", () => sheet.close());
  button("default-keys").addEventListener("click", () => void keep({}, "The keys are those of the page.", onChange));
  sheet.addEventListener("close", () => stopWaiting());
  sheet.addEventListener("keydown", (event) => {
    if (!waiting) return;
    event.preventDefault();
    event.stopPropagation();
    if (!isModifier(event.key)) void take(event, onChange);
  });
  show();
}

/**
 * @param {KeyboardEvent} event
 * @param {() => void} onChange
 */
async function take(event, onChange) {
  const key = nameOf(event);
  const action = waiting;
  if (key === "escape") return stopWaiting();
  const refusal = refusalOf(bindingsNow(), action, key);
  if (refusal) return say(refusal);
  const { label } = bindingsNow().find((binding) => binding.action === action) ?? { label: "" };
  await keep(withKey(ownKeys(), bindingsNow(), action, key), `${keyCap(key)}: ${label}.`, onChange);
}

/**
 * In use only once the server has it.
 * @param {OwnKeys} next
 * @param {string} words
 * @param {() => void} onChange
 */
async function keep(next, words, onChange) {
  const action = waiting;
  try {
    useOwnKeys((await postJson("/api/keys", { keys: next })).keys);
  } catch (error) {
    return say(`Not kept. ${error instanceof Error ? error.message : error}`);
  }
  waiting = "";
  show();
  say(words);
  onChange();
  document.getElementById(`change-${action}`)?.focus();
}

function stopWaiting() {
  const action = waiting;
  waiting = "";
  show();
  say("");
  document.getElementById(`change-${action}`)?.focus();
}

/** @param {string} words */
function say(words) {
  setText("keys-told", words);
}

function show() {
  const rows = bindingsNow().map(({ action, keys, label }) => {
    const caps = keys.map((key) => make("kbd", { text: keyCap(key, "+") }));
    const change = make("button", { className: "quiet", text: action === waiting ? "Press a key" : "Change" });
    change.id = `change-${action}`;
    change.setAttribute("aria-label", `Change the key for: ${label}`);
    change.addEventListener("click", () => {
      waiting = action;
      show();
      say(`Press the key for: ${label}. Esc leaves it as it is.`);
      document.getElementById(`change-${action}`)?.focus();
    });
    return make("div", { className: "row" }, make("span", { text: label }), make("span", {}, ...caps, change));
  });
  byId("key-list").replaceChildren(...rows);
  button("default-keys").disabled = Object.keys(ownKeys()).length === 0;
}
