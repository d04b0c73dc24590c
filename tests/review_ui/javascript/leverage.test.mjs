// How far the mean dose can still move, and what is said of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { DoseGrid } from "../../../review_ui/static/js/dose_grid.js";
import { nextRanked, ranking, stopHere } from "../../../review_ui/static/js/leverage.js";
import { LiveDose } from "../../../review_ui/static/js/live_dose.js";
import { sentence } from "../../../review_ui/static/js/stop_here.js";
import { even, grids, maskWhere, random, voxelOf } from "./support.mjs";

const steps = (count) => Array.from({ length: count }, (_, index) => index);

/** A dose on the grid itself. */
function doseOn(grid, gyOf) {
  const values = Float32Array.from({ length: grid.count }, (_, index) => gyOf(voxelOf(grid, index)));
  return new DoseGrid(grid.dims, values, grid.dims.map(steps), { rims: [0, 0, 0] });
}

for (const [name, grid] of Object.entries(grids)) {
  test(`${name} slices: no contour of a thousand within reach passes the bound, the best one reaches it`, () => {
    const next = random(23);
    const middle = [0, 1, 2].map((axis) => grid.extentMm(axis) / 2);
    const heart = maskWhere(grid, (_, mm) => Math.hypot(...mm.map((p, i) => p - middle[i])) < 7);
    const layer = new CorrectionLayer(grid, heart);
    const dose = doseOn(grid, ([x, y, z]) => 40 / (1 + Math.exp(12 - x)) + 0.1 * y + 0.05 * z);
    const live = new LiveDose(layer, dose);
    const bound = stopHere(layer, live, 2.5);
    const gy = steps(grid.count).map((index) => live.gyAt(index));
    const cc = (index) => grid.voxelCc[Math.floor(index / grid.sliceCount)];
    const free = steps(grid.count).filter((index) => bound.leverage.at(voxelOf(grid, index)) > 0);
    const mean = (mask) => {
      let [sum, volume] = [0, 0];
      for (let i = 0; i < mask.length; i++) if (mask[i]) [sum, volume] = [sum + gy[i] * cc(i), volume + cc(i)];
      return sum / volume;
    };
    for (let trial = 0; trial < 1000; trial++) {
      const other = heart.slice();
      const level = bound.lowestGy + next() * (bound.highestGy - bound.lowestGy);
      const share = next();
      for (const index of free) if (next() < share) other[index] = Number(gy[index] > level === trial % 2 > 0);
      assert.ok(mean(other) <= bound.highestGy + 1e-9 && mean(other) >= bound.lowestGy - 1e-9);
    }
    const best = heart.slice();
    for (const index of free) best[index] = Number(gy[index] > bound.highestGy);
    assert.ok(Math.abs(mean(best) - bound.highestGy) < 1e-9);
    const way = bound.highestGy - bound.lowestGy;
    assert.ok(Math.abs(bound.bySlice.reduce((sum, gray) => sum + gray, 0) - way) < 1e-9);
  });
}

test("slices come in the order of what they can move, then from the start again", () => {
  const slices = ranking(Float64Array.from([0, 0.2, 0.5, 0, 0.3]));
  assert.deepEqual(slices, [2, 4, 1]);
  assert.deepEqual([7, 2, 4, 1].map((slice) => nextRanked(slices, slice)), [2, 4, 1, 2]);
  assert.equal(nextRanked([], 3), undefined);
});

test("without a structure or a dose within it there is no bound", () => {
  const none = doseOn(even, () => 1);
  const empty = new CorrectionLayer(even, new Uint8Array(even.count));
  assert.equal(stopHere(empty, new LiveDose(empty, none), 2.5), null);
});

test("one may stop only where that is proven", () => {
  const facts = { roi_words: "heart", stop_here: { within_mm: 2.5, tolerance_gy: 0.05 } };
  const bound = { largestGy: 0.05, leadingSlice: 36, uncovered: 0 };
  const stop = "No further correction within 2.5 mm moves the mean heart dose by more than 0.05 Gy.";
  assert.equal(sentence(bound, true, facts), stop);
  const far = sentence({ ...bound, largestGy: 0.0501 }, true, facts);
  assert.equal(far, "Corrections within 2.5 mm can move the mean heart dose by up to 0.06 Gy, the largest part on slice 37.");
  assert.match(sentence(bound, false, facts), /up to about 0\.05 Gy/);
  assert.match(sentence({ ...bound, uncovered: 3 }, true, facts), /up to 0\.05 Gy.*no dose and is not counted/);
});
