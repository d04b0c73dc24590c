/** What a reviewer did, on its way to the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InteractionBuffer } from "../../../review_ui/static/js/interaction_buffer.js";

const at = (/** @type {number} */ ms) => new Date(Date.UTC(2026, 10, 23) + ms);
const kinds = (/** @type {InteractionBuffer} */ buffer) => buffer.waiting.map((event) => event.kind);

test("a wheel that turns for 10 s is about ten events, and the last one is where it stopped", () => {
  const buffer = new InteractionBuffer();
  for (let i = 0; i <= 1000; i++) buffer.add("position", { slice: i }, at(i * 10));
  assert.ok(buffer.waiting.length <= 11 && buffer.waiting.length >= 10, String(buffer.waiting.length));
  assert.deepEqual(buffer.waiting.at(-1)?.detail, { slice: 1000 });
  const gaps = buffer.waiting.slice(1).map((event, i) => Date.parse(event.at) - Date.parse(buffer.waiting[i].at));
  assert.ok(Math.max(...gaps) < 2000, "no pause is made up");
});

test("presses, undo and tools are kept one by one, and end a run", () => {
  const buffer = new InteractionBuffer();
  for (const kind of ["zoom", "zoom", "undo", "undo", "zoom"]) buffer.add(kind, {}, at(5));
  assert.deepEqual(kinds(buffer), ["zoom", "undo", "undo", "zoom"]);
});

test("what could not be sent comes before what was done meanwhile", () => {
  const buffer = new InteractionBuffer();
  buffer.add("open", {}, at(0));
  buffer.add("tool", {}, at(1));
  const taken = buffer.take(1);
  buffer.putBack(taken);
  assert.deepEqual(kinds(buffer), ["open", "tool"]);
});

test("a server that never answers does not fill the memory", () => {
  const buffer = new InteractionBuffer();
  for (let i = 0; i < 5000; i++) buffer.add("mouse-press", { i }, at(i));
  assert.equal(buffer.waiting.length, 2000);
  assert.deepEqual(buffer.waiting.at(-1)?.detail, { i: 4999 });
});
