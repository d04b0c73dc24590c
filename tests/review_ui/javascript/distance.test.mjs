// Distances and margins against brute force: every voxel with every other, in millimetres.
import assert from "node:assert/strict";
import { test } from "node:test";

import { signedDistances, squaredDistances } from "../../../review_ui/static/js/distance.js";
import { withMargin } from "../../../review_ui/static/js/margins.js";
import { blobs, changed, containsOf, grids, places } from "./support.mjs";

function bruteForce(grid, set) {
  const all = places(grid);
  const centres = Float64Array.from(all.filter((_, index) => set[index]).flatMap(({ mm }) => mm));
  return Float64Array.from(all, ({ mm: [x, y, z] }) => {
    let least = Infinity;
    for (let i = 0; i < centres.length; i += 3) {
      const squared = (x - centres[i]) ** 2 + (y - centres[i + 1]) ** 2 + (z - centres[i + 2]) ** 2;
      if (squared < least) least = squared;
    }
    return least;
  });
}

for (const [name, grid] of Object.entries(grids)) {
  const mask = blobs(grid, 7);
  const toInside = bruteForce(grid, mask);
  const toOutside = bruteForce(grid, mask.map((value) => 1 - value));

  test(`${name} slices: distances are those of brute force`, () => {
    const squared = squaredDistances(mask, grid.centresMm);
    squared.forEach((value, i) => assert.ok(Math.abs(value - toInside[i]) < 1e-9, `${value} ${toInside[i]}`));
    const signed = signedDistances(mask, grid.centresMm);
    signed.forEach((value, i) => {
      const expected = mask[i] ? Math.sqrt(toOutside[i]) : -Math.sqrt(toInside[i]);
      assert.ok(Math.abs(value - expected) < 1e-9);
    });
  });

  for (const marginMm of [0.98, 2, 2.5, 5.3, -0.98, -1.27, -3])
    test(`${name} slices: a margin of ${marginMm} mm takes exactly the voxels within it`, () => {
      const expected = mask.map((inside, i) => {
        const within = marginMm ** 2 + 1e-9;
        if (marginMm > 0) return Number(inside || toInside[i] <= within);
        return Number(inside && toOutside[i] > within);
      });
      assert.notDeepEqual(expected, mask);
      const change = withMargin(grid, containsOf(mask), marginMm);
      assert.deepEqual(changed(mask, change), expected);
      assert.equal(marginMm > 0 ? change.removed.length : change.added.length, 0);
    });
}

test("nothing set is infinitely far, and nothing grows from nothing", () => {
  const empty = new Uint8Array(grids.even.count);
  assert.ok(squaredDistances(empty, grids.even.centresMm).every((value) => value === Infinity));
  assert.equal(withMargin(grids.even, () => false, 5).added.length, 0);
});
