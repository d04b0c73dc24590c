// Pieces, holes and cut ends against structures drawn for it; where to look next.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Boxed } from "../../../review_ui/static/js/boxed.js";
import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { DoseGrid } from "../../../review_ui/static/js/dose_grid.js";
import { Grid } from "../../../review_ui/static/js/geometry.js";
import * as guidance from "../../../review_ui/static/js/guidance.js";
import { shapeOf } from "../../../review_ui/static/js/shape.js";

const grid = new Grid([12, 10, 8], [1, 1, 2]);

function layerOf(isInside) {
  const prediction = new Uint8Array(grid.count);
  for (let z = 0; z < 8; z++) {
    for (let y = 0; y < 10; y++) {
      for (let x = 0; x < 12; x++) prediction[grid.indexOf([x, y, z])] = isInside(x, y, z) ? 1 : 0;
    }
  }
  return new CorrectionLayer(grid, prediction);
}

const between = (value, low, high) => value >= low && value <= high;
const block = (x, y, z) => between(x, 2, 6) && between(y, 2, 6) && between(z, 2, 5);

test("a block within the scan is one piece without holes", () => {
  assert.deepEqual(shapeOf(layerOf(block)), { pieces: 1, slicesWithHoles: [], cut: [] });
});

test("nothing has no shape", () => {
  assert.deepEqual(shapeOf(layerOf(() => false)), { pieces: 0, slicesWithHoles: [], cut: [] });
});

test("pieces share no face, corrections count, and a bridge joins them", () => {
  const layer = layerOf((x, y, z) => block(x, y, z) || (x === 9 && between(y, 2, 3) && z === 4));
  layer.values[grid.indexOf([7, 7, 5])] = 1; // touches the block at an edge only
  layer.voxelsPerSlice[5]++;
  assert.equal(shapeOf(layer).pieces, 3);
  for (const x of [7, 8]) layer.values[grid.indexOf([x, 2, 4])] = 1;
  assert.equal(shapeOf(layer).pieces, 2);
});

test("a hole is what a slice surrounds, open above and below or not", () => {
  const tunnel = layerOf((x, y, z) => block(x, y, z) && !(x === 4 && y === 4 && z !== 3));
  assert.deepEqual(shapeOf(tunnel).slicesWithHoles, [2, 4, 5]);
  // A gap at a corner is a way out.
  const ring = new Set(["2 2", "3 2", "4 2", "2 3", "4 3", "2 4", "3 4"]);
  const open = layerOf((x, y, z) => z === 3 && ring.has(`${x} ${y}`));
  assert.deepEqual(shapeOf(open).slicesWithHoles, []);
});

test("a structure that ends with the scan is cut there", () => {
  const cut = (inside) => shapeOf(layerOf(inside)).cut;
  assert.deepEqual(cut((x, y, z) => x === 5 && y === 5 && z >= 4), ["head"]);
  assert.deepEqual(cut((x, y, z) => x === 5 && y === 5 && z <= 4), ["feet"]);
  assert.deepEqual(cut((x, y, z) => x >= 9 && y === 5 && z === 4), ["side"]);
});

test("a quarter of the slices with any doubt stand out", () => {
  assert.deepEqual(guidance.doubtfulSlices([0, 3, 9, 1, 0, 8, 2, 2, 2, 1]), [2, 5]);
  assert.deepEqual(guidance.doubtfulSlices([0, 0]), []);
  assert.equal(guidance.highestSlice([0, 3, 9, 1]), 2);
  assert.equal(guidance.highestSlice([0, 0]), undefined);
});

test("the next slice is the nearest in that direction, and after the last the first", () => {
  assert.equal(guidance.nextOf([2, 5, 9], 5, 1), 9);
  assert.equal(guidance.nextOf([2, 5, 9], 9, 1), 2);
  assert.equal(guidance.nextOf([2, 5, 9], 4, -1), 2);
  assert.equal(guidance.nextOf([2, 5, 9], 2, -1), 9);
  assert.equal(guidance.nextOf([], 2, 1), undefined);
});

test("slices differ from a reference where the overlap is small, also where only one has anything", () => {
  const layer = layerOf(block);
  const values = new Uint8Array(5 * 5 * 4).fill(1);
  for (let i = 0; i < 10; i++) values[25 + i] = 0; // two of five rows in slice 3: Dice 0.75
  values[50] = 0; // one voxel in slice 4: Dice 0.98
  const reference = new Boxed([2, 2, 2], [5, 5, 4], values);
  assert.deepEqual(guidance.differingSlices(layer, reference), [3]);
  layer.values[grid.indexOf([2, 2, 6])] = 1;
  layer.voxelsPerSlice[6]++;
  assert.deepEqual(guidance.differingSlices(layer, reference), [3, 6]);
});

test("the hottest voxel lies within the structure", () => {
  const steps = (count) => Array.from({ length: count }, (_, i) => i);
  const valuesGy = new Float32Array(grid.count);
  valuesGy[grid.indexOf([11, 9, 7])] = 50;
  valuesGy[grid.indexOf([6, 3, 4])] = 30;
  const dose = new DoseGrid(grid.dims, valuesGy, [steps(12), steps(10), steps(8)], { rims: [0, 0, 0] });
  assert.deepEqual(guidance.hottestVoxel(layerOf(block), dose), [6, 3, 4]);
  assert.equal(guidance.hottestVoxel(layerOf(() => false), dose), null);
});
