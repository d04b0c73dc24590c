// Mean dose and DVH while painting: always what a full recomputation gives.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { DoseGrid } from "../../../review_ui/static/js/dose_grid.js";
import { axisEnd, axisTicks, curvePath } from "../../../review_ui/static/js/dvh.js";
import { DoseTally, LiveDose } from "../../../review_ui/static/js/live_dose.js";
import { grids, maskWhere, planes, random } from "./support.mjs";

/** A dose on a coarser grid that leaves the first columns and the last slices out. */
function doseFor(grid, seed = 3) {
  const next = random(seed);
  const shape = [10, 12, 9];
  const at = [0, 1, 2].map((axis) => Array.from(grid.centresMm[axis], (mm) => (mm - [3, -1, -2][axis]) / [2.2, 2.4, 3.9][axis]));
  const values = Float32Array.from({ length: 1080 }, () => 60 * next() ** 3);
  return new DoseGrid(shape, values, at, { rims: [0.01, 0.01, 0.01] });
}

/** A stroke, an undo or a redo at random. */
function paint(layer, next) {
  const turn = next();
  if (turn < 0.15) return layer.undo();
  if (turn < 0.25) return layer.redo();
  const { grid } = layer;
  const plane = planes[Math.floor(next() * 3)];
  const point = () => [next() * grid.dims[plane.across], next() * grid.dims[plane.down]];
  layer.beginStroke(["add", "remove", "erase"][Math.floor(next() * 3)]);
  for (let i = 0; i < 2; i++) {
    layer.paint(plane, Math.floor(next() * grid.dims[plane.normal]), { from: point(), to: point(), radiusMm: 1 + next() * 6 });
  }
  return layer.endStroke();
}

/** Straight from the definition. */
function recomputed(layer, dose) {
  let [volume, covered, sum] = [0, 0, 0];
  const { grid } = layer;
  for (let index = 0; index < grid.count; index++) {
    if (!layer.contains(index)) continue;
    const z = Math.floor(index / grid.sliceCount);
    volume += grid.voxelCc[z];
    const gy = dose.at([index % grid.dims[0], Math.floor(index / grid.dims[0]) % grid.dims[1], z]);
    if (Number.isNaN(gy)) continue;
    covered += grid.voxelCc[z];
    sum += gy * grid.voxelCc[z];
  }
  return { mean: covered ? sum / covered : null, volume, covered };
}

for (const [name, grid] of Object.entries(grids)) {
  test(`${name} slices: a thousand strokes, undos and redos keep the mean to a millionth of a gray`, () => {
    const next = random(17);
    const middle = [0, 1, 2].map((axis) => grid.extentMm(axis) / 2);
    const heart = maskWhere(grid, (_, mm) => Math.hypot(...mm.map((p, i) => p - middle[i])) < 8);
    const layer = new CorrectionLayer(grid, heart);
    for (let i = 0; i < 5; i++) paint(layer, next);
    const dose = doseFor(grid);
    const live = new LiveDose(layer, dose);
    layer.onVoxel = (index, inside) => live.flip(index, inside);
    const predicted = live.prediction.meanGy;
    for (let stroke = 1; stroke <= 1000; stroke++) {
      paint(layer, next);
      if (stroke % 20) continue;
      const { mean, volume, covered } = recomputed(layer, dose);
      assert.ok(Math.abs(live.correction.meanGy - mean) < 1e-6, `stroke ${stroke}`);
      assert.ok(Math.abs(live.correction.volumeCc - volume) < 1e-9);
      assert.ok(Math.abs(live.correction.coverage - covered / volume) < 1e-9);
      const fresh = new LiveDose(layer, dose).correction.atLeastCc();
      live.correction.atLeastCc().forEach((cc, bin) => assert.ok(Math.abs(cc - fresh[bin]) < 1e-9));
    }
    assert.equal(live.prediction.meanGy, predicted);
    while (layer.undo());
    const untouched = new LiveDose(new CorrectionLayer(grid, heart), dose);
    assert.ok(Math.abs(live.correction.meanGy - untouched.correction.meanGy) < 1e-9);
  });
}

test("without a voxel in the grid there is no mean", () => {
  const tally = new DoseTally(0.1);
  assert.equal(tally.meanGy, null);
  tally.take(NaN, 2, 1);
  assert.deepEqual([tally.meanGy, tally.coverage, tally.volumeCc], [null, 0, 2]);
  tally.take(3, 2, 1);
  assert.deepEqual([tally.meanGy, tally.coverage], [3, 0.5]);
  tally.take(3, 2, -1);
  assert.equal(tally.meanGy, null);
});

test("the curve falls from all of the volume to none, exact at the edges of bins", () => {
  const tally = new DoseTally(0.5);
  for (let gy = 0.25; gy < 40; gy += 0.5) tally.take(gy, 1, 1);
  const frame = { left: 10, right: 90, top: 0, bottom: 100 };
  const points = curvePath(tally, 40, frame).slice(1).split("L").map((pair) => pair.split(" ").map(Number));
  assert.deepEqual(points[0], [10, 0]);
  assert.deepEqual(points.at(-1), [90, 100]);
  // 80 voxels evenly from 0 to 40 Gy: at half the dose there is half the volume.
  assert.deepEqual(points.find(([x]) => x === 50), [50, 50]);
  assert.equal(tally.highestGy, 40);
  assert.equal(curvePath(new DoseTally(0.5), 40, frame), "");
});

test("the dose axis ends at a round number and has at most six ticks", () => {
  assert.deepEqual([axisEnd(41), axisEnd(3.1), axisEnd(0.02), axisEnd(50)], [50, 4, 0.1, 50]);
  assert.deepEqual(axisTicks(50), [0, 10, 20, 30, 40, 50]);
  for (let gy = 0.05; gy < 200; gy *= 1.13) {
    const end = axisEnd(gy);
    const ticks = axisTicks(end);
    assert.ok(end >= gy * 0.999 || gy < 0.1);
    assert.ok(ticks.length >= 3 && ticks.length <= 6, `${end}: ${ticks}`);
    assert.ok(ticks.at(-1) <= end * 1.0001);
  }
});
