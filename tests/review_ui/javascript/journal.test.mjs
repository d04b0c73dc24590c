// Entries reach the server in order and complete, whatever the network does.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Journal } from "../../../review_ui/static/js/journal.js";

/** A journal on a server that answers as told; resolves `quiet` when nothing is left to do. */
function journalOn(answers, acknowledged = 0) {
  const received = [];
  const pauses = [];
  const statuses = [];
  let settle;
  const quiet = new Promise((resolve) => (settle = resolve));
  const journal = new Journal({
    acknowledged,
    send: async (entry) => {
      const answer = answers.shift() ?? "ok";
      if (answer === "lost") throw Object.assign(new Error("no answer"), { permanent: false });
      if (answer === "no") throw Object.assign(new Error("refused"), { permanent: true });
      received.push(entry.seq);
    },
    onStatus: (status) => {
      statuses.push(status);
      if (status.condition === "refused" || status.pending === 0) settle();
    },
    pause: async (ms) => void pauses.push(ms),
  });
  return { journal, received, pauses, statuses, quiet };
}

test("entries are numbered on from what the server holds and sent one after the other", async () => {
  const { journal, received, quiet } = journalOn([], 7);
  for (let i = 0; i < 3; i++) journal.add({ kind: "undo" });
  await quiet;
  assert.deepEqual(received, [8, 9, 10]);
  assert.equal(journal.acknowledged, 10);
});

test("a lost connection is tried again with longer pauses, and nothing is lost or doubled", async () => {
  const { journal, received, pauses, quiet } = journalOn(["lost", "lost", "lost", "ok", "lost", "ok"]);
  journal.add({ kind: "undo" });
  journal.add({ kind: "redo" });
  await quiet;
  assert.deepEqual(received, [1, 2]);
  assert.deepEqual(pauses, [500, 1000, 2000, 500]);
});

test("pauses never pass ten seconds", async () => {
  const { journal, pauses, quiet } = journalOn(Array(12).fill("lost"));
  journal.add({ kind: "undo" });
  await quiet;
  assert.equal(Math.max(...pauses), 10000);
});

test("after a refusal nothing more is sent and the entries are still there", async () => {
  const { journal, received, statuses, quiet } = journalOn(["ok", "no"]);
  for (let i = 0; i < 3; i++) journal.add({ kind: "undo" });
  await quiet;
  journal.add({ kind: "undo" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(received, [1]);
  assert.equal(journal.pending, 3);
  assert.equal(journal.isRefused, true);
  assert.equal(statuses.at(-1).condition, "refused");
});

test("who waits for the end hears of it when all is kept, and when nothing more can be", async () => {
  const { journal } = journalOn(["lost", "ok", "ok", "no"]);
  await journal.settled();
  journal.add({ kind: "undo" });
  journal.add({ kind: "undo" });
  await journal.settled();
  assert.equal(journal.acknowledged, 2);
  journal.add({ kind: "undo" });
  await journal.settled();
  assert.equal(journal.pending, 1);
  await journal.settled();
});

test("the status says saving until the last entry is acknowledged", async () => {
  const { journal, statuses, quiet } = journalOn([]);
  journal.add({ kind: "undo" });
  journal.add({ kind: "undo" });
  await quiet;
  assert.deepEqual(statuses.map((s) => s.condition), ["saving", "saving", "saving", "saved"]);
});
