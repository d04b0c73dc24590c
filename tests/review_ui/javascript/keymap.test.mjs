// An account's own keys: what wins, what is refused, and that no press means two things.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BINDINGS } from "../../../review_ui/static/js/keyboard.js";
import {
  isModifier, keyCap, nameOf, refusalOf, titleWithKey, withCap, withKey, withOwnKeys,
} from "../../../review_ui/static/js/keymap.js"; // prettier-ignore

const TABLE = [
  { keys: ["q"], action: "toolAdd", label: "Brush: add" },
  { keys: ["z", "ctrl+z"], action: "undo", label: "Undo" },
  { keys: ["h"], action: "shapeSmart", label: "Smart brush" },
];
const keysOf = (table) => Object.fromEntries(table.map(({ action, keys }) => [action, keys]));

test("without keys of one's own the table is as it comes", () => {
  assert.deepEqual(withOwnKeys(BINDINGS, {}), BINDINGS.map((binding) => ({ ...binding })));
});

test("in the table as it comes no key means two things, and each may be given anew", () => {
  const all = BINDINGS.flatMap(({ keys }) => keys);
  assert.equal(new Set(all).size, all.length);
  for (const { action, keys } of BINDINGS) {
    for (const key of keys) assert.equal(refusalOf(BINDINGS, action, key), "", `${action} ${key}`);
  }
});

test("another first key replaces the old one; further keys stay", () => {
  const own = withKey({}, TABLE, "undo", "7");
  assert.deepEqual(own, { undo: ["7", "ctrl+z"] });
  assert.deepEqual(keysOf(withOwnKeys(TABLE, own)), { toolAdd: ["q"], undo: ["7", "ctrl+z"], shapeSmart: ["h"] });
  assert.deepEqual(withKey({}, TABLE, "undo", "ctrl+z"), { undo: ["ctrl+z"] });
  assert.deepEqual(withKey({ toolAdd: ["w"] }, TABLE, "undo", "7"), { toolAdd: ["w"], undo: ["7", "ctrl+z"] });
});

test("what a newer page gives to another action stays where the account put it", () => {
  assert.deepEqual(keysOf(withOwnKeys(TABLE, { toolAdd: ["h"] })), { toolAdd: ["h"], undo: ["z", "ctrl+z"], shapeSmart: [] });
});

test("two actions may change places", () => {
  const own = { toolAdd: ["h"], shapeSmart: ["q"] };
  assert.deepEqual(keysOf(withOwnKeys(TABLE, own)), { toolAdd: ["h"], undo: ["z", "ctrl+z"], shapeSmart: ["q"] });
});

test("what is no key, of no action, or twice is left out", () => {
  const odd = { nothing: ["k"], toolAdd: ["tab", 7, "a b", ""], undo: "x", shapeSmart: ["k", "shift"], __proto__: { toolAdd: ["k"] } };
  assert.deepEqual(keysOf(withOwnKeys(TABLE, odd)), { toolAdd: ["q"], undo: ["z", "ctrl+z"], shapeSmart: ["k"] });
  const twice = withOwnKeys(TABLE, { toolAdd: ["k"], undo: ["k"] });
  assert.deepEqual(twice.flatMap(({ keys }) => keys).filter((key) => key === "k"), ["k"]);
});

test("a key that is taken is refused by name, one of the browser too", () => {
  assert.match(refusalOf(TABLE, "toolAdd", "h"), /^H is taken: Smart brush\. Give that another key first/);
  assert.equal(refusalOf(TABLE, "shapeSmart", "h"), "");
  assert.equal(refusalOf(TABLE, "toolAdd", "7"), "");
  for (const key of [" ", "tab", "enter", "f5", "ctrl+w", "shift"]) {
    assert.match(refusalOf(TABLE, "toolAdd", key), /belongs to the browser/, key);
  }
});

const press = (key, { held = "", ...more } = {}) =>
  nameOf({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more, getModifierState: (name) => name === held });

test("AltGr makes characters, Alt belongs to the browser", () => {
  assert.equal(press("[", { ctrlKey: true, altKey: true, held: "AltGraph" }), "[");
  assert.equal(press("}", { held: "AltGraph" }), "}");
  const own = press("d", { altKey: true });
  assert.equal(BINDINGS.find(({ keys }) => keys.includes(own)), undefined);
  assert.match(refusalOf(BINDINGS, "toolAdd", own), /belongs to the browser/);
});

test("a press is called the same with and without caps lock; Shift counts with letters alone", () => {
  assert.equal(press("q"), "q");
  assert.equal(press("Q"), "q");
  assert.equal(press("Q", { shiftKey: true }), "shift+q");
  assert.equal(press("{", { shiftKey: true }), "{");
  assert.equal(press("Z", { shiftKey: true, metaKey: true }), "ctrl+shift+z");
  assert.ok(isModifier("Shift") && isModifier("AltGraph") && !isModifier("s"));
});

test("keys are written as on a keyboard", () => {
  const caps = ["q", "shift+b", "ctrl+shift+z", "+", "ctrl++", "pageup", "escape", " "].map((key) => keyCap(key));
  assert.deepEqual(caps, ["Q", "Shift + B", "Ctrl + Shift + Z", "+", "Ctrl + +", "Page Up", "Esc", "Space"]);
});

test("a title tells the key of now", () => {
  assert.equal(titleWithKey("Add to Heart (Q)", "7"), "Add to Heart (7)");
  assert.equal(titleWithKey("Larger brush (])", "shift+l"), "Larger brush (Shift+L)");
  assert.equal(titleWithKey("Undo (Page Up)", undefined), "Undo");
  assert.equal(titleWithKey(titleWithKey("Grow (+)", "pageup"), ")"), "Grow ())");
  assert.equal(titleWithKey(titleWithKey("Grow (+)", "ctrl+pageup"), "g"), "Grow (G)");
  assert.equal(withCap("Undo: grow (axial)", "z"), "Undo: grow (axial) (Z)");
});
