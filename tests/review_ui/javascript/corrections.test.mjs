// The correction layer: painting, undo and redo, replay, counting, checksum.
import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf } from "../../../review_ui/static/js/blocks.js";
import { crc32 } from "../../../review_ui/static/js/checksum.js";
import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { decodeRuns, encodeRuns, indicesOf, runsOf } from "../../../review_ui/static/js/runs.js";

const grid = new Grid([24, 20, 12], [1, 1.5, 3]);

function random(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

function newLayer() {
  const next = random(11);
  return new CorrectionLayer(grid, Uint8Array.from({ length: grid.count }, () => Number(next() > 0.7)));
}

/** Paint at random and write the journal as the page does. */
function paintAtRandom(layer, count, seed = 5) {
  const next = random(seed);
  const journal = [];
  const planes = Object.values(PLANES);
  const tools = ["add", "remove", "erase"];
  while (journal.length < count) {
    const turn = next();
    if (turn < 0.2 && layer.undo()) journal.push({ seq: journal.length + 1, kind: "undo" });
    else if (turn < 0.3 && layer.redo()) journal.push({ seq: journal.length + 1, kind: "redo" });
    else {
      const plane = planes[Math.floor(next() * 3)];
      const tool = tools[Math.floor(next() * 3)];
      const point = () => [next() * grid.dims[plane.across], next() * grid.dims[plane.down]];
      const slice = Math.floor(next() * grid.dims[plane.normal]);
      layer.beginStroke(tool);
      layer.paint(plane, slice, { from: point(), to: point(), radiusMm: 1 + next() * 5 });
      layer.paint(plane, slice, { from: point(), to: point(), radiusMm: 2 });
      const changed = layer.endStroke();
      if (changed) {
        journal.push({ seq: journal.length + 1, kind: "stroke", tool, runs: encodeRuns(runsOf(changed)) });
      }
    }
  }
  return journal;
}

function recount(layer) {
  let voxels = 0;
  for (let i = 0; i < grid.count; i++) voxels += Number(layer.contains(i));
  return voxels;
}

test("undo takes every stroke back, redo brings the last state again", () => {
  const layer = newLayer();
  const before = layer.voxels;
  paintAtRandom(layer, 60);
  while (layer.redo());
  const painted = layer.values.slice();
  while (layer.undo());
  assert.ok(layer.values.every((value) => value === 0));
  assert.equal(layer.voxels, before);
  while (layer.redo());
  assert.deepEqual(layer.values, painted);
});

test("a new stroke clears what could be redone", () => {
  const layer = newLayer();
  paintAtRandom(layer, 3);
  layer.undo();
  layer.beginStroke("add");
  layer.paint(PLANES.axial, 3, { from: [5, 5], to: [5, 5], radiusMm: 4 });
  assert.notEqual(layer.endStroke(), null);
  assert.equal(layer.redo(), false);
});

test("replaying the journal gives the same voxels, and undo goes on from there", () => {
  const layer = newLayer();
  const journal = paintAtRandom(layer, 80);
  const replayed = newLayer();
  for (const entry of journal) replayed.apply(entry);
  assert.deepEqual(replayed.values, layer.values);
  assert.equal(replayed.voxels, layer.voxels);
  layer.undo();
  replayed.undo();
  assert.deepEqual(replayed.values, layer.values);
});

test("the running counts are those of the voxels", () => {
  const layer = newLayer();
  paintAtRandom(layer, 50);
  assert.equal(layer.voxels, recount(layer));
  assert.equal(layer.voxelsPerSlice.reduce((a, b) => a + b, 0), layer.voxels);
});

test("removing beats the prediction, erasing brings it back", () => {
  const layer = new CorrectionLayer(grid, new Uint8Array(grid.count).fill(1));
  const dab = { from: [5, 5], to: [5, 5], radiusMm: 0.5 };
  const index = grid.indexOf([5, 5, 4]);
  for (const [tool, inside] of [["remove", false], ["erase", true], ["add", true]]) {
    layer.beginStroke(tool);
    layer.paint(PLANES.axial, 4, dab);
    layer.endStroke();
    assert.equal(layer.contains(index), inside, tool);
  }
});

test("a stroke that changes nothing is no step", () => {
  const layer = newLayer();
  layer.beginStroke("erase");
  layer.paint(PLANES.axial, 2, { from: [8, 8], to: [9, 9], radiusMm: 5 });
  assert.equal(layer.endStroke(), null);
  assert.equal(layer.undo(), false);
});

test("runs survive the way to the server and back", () => {
  const indices = Uint32Array.from([0, 1, 2, 7, 9, 10, 4294967290]);
  assert.deepEqual([...runsOf(indices)], [0, 3, 7, 1, 9, 2, 4294967290, 1]);
  assert.deepEqual(indicesOf(decodeRuns(encodeRuns(runsOf(indices)))), indices);
  assert.equal(encodeRuns(Uint32Array.from([5, 1])), "BQAAAAEAAAA=");
});

test("CRC-32 is zlib's, in one piece or several", () => {
  const text = new TextEncoder().encode("123456789");
  assert.equal(crc32(text), 0xcbf43926);
  assert.equal(crc32(text.subarray(4), crc32(text.subarray(0, 4))), 0xcbf43926);
});

test("the layer's checksum is that of one byte a voxel", () => {
  const layer = newLayer();
  paintAtRandom(layer, 20);
  const bytes = Uint8Array.from({ length: grid.count }, (_, i) => Number(layer.contains(i)));
  assert.equal(layer.checksum(), crc32(bytes));
});

test("the bounds of what is contoured hold all of it, and nothing where nothing is", () => {
  const layer = new CorrectionLayer(grid, new Uint8Array(grid.count));
  assert.equal(boundsOf(grid, (index) => layer.contains(index), layer.contouredBounds), null);
  for (const slice of [7, 3]) {
    layer.beginStroke("add");
    layer.paint(PLANES.axial, slice, { from: [5, 5], to: [9, 9], radiusMm: 3 });
    layer.endStroke();
    const whole = boundsOf(grid, (index) => layer.contains(index));
    assert.deepEqual(boundsOf(grid, (index) => layer.contains(index), layer.contouredBounds), whole);
    assert.equal(layer.contouredBounds.low[2], slice);
    assert.equal(layer.contouredBounds.high[2], 7);
  }
});
