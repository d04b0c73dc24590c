// Interpolation between drawn slices against brute force, in every plane, anisotropic and uneven.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Grid } from "../../../review_ui/static/js/geometry.js";
import { interpolated } from "../../../review_ui/static/js/interpolate.js";
import { blobs, changed, containsOf, dice, grids, maskWhere, places, planes, voxelsWhere } from "./support.mjs";

/** Signed distance to the border within one slice, by comparing every voxel with every other. */
function signedOf(grid, plane, slice, mask) {
  const here = voxelsWhere(grid, (voxel) => voxel[plane.normal] === slice);
  return here.map((index) => {
    const others = here.filter((other) => mask[other] !== mask[index]);
    const mm = (i, axis) => places(grid)[i].mm[axis];
    const gaps = others.map((other) =>
      Math.hypot(mm(other, plane.across) - mm(index, plane.across), mm(other, plane.down) - mm(index, plane.down)),
    );
    return (mask[index] ? 1 : -1) * Math.min(...gaps);
  });
}

for (const [name, grid] of Object.entries(grids))
  for (const plane of planes)
    test(`${name} ${plane.name}: in between is where the weighted distances are above zero`, () => {
      const mask = blobs(grid, 7, 16);
      const isDrawn = (slice) => places(grid).some(({ voxel }, i) => voxel[plane.normal] === slice && mask[i]);
      const start = Array.from({ length: 7 }, (_, i) => i).find((i) => [i, i + 4, i + 7].every(isDrawn));
      const drawn = [start + 4, start, start + 7, start + 7];
      const expected = mask.slice();
      for (const [first, last] of [[start, start + 4], [start + 4, start + 7]]) {
        const before = signedOf(grid, plane, first, mask);
        const after = signedOf(grid, plane, last, mask);
        assert.ok(before.some((mm) => mm > 0) && after.some((mm) => mm > 0));
        const centres = grid.centresMm[plane.normal];
        for (let slice = first + 1; slice < last; slice++) {
          const share = (centres[slice] - centres[first]) / (centres[last] - centres[first]);
          voxelsWhere(grid, (voxel) => voxel[plane.normal] === slice).forEach((index, i) => {
            expected[index] = Number((1 - share) * before[i] + share * after[i] > 1e-9);
          });
        }
      }
      const change = interpolated(grid, plane, containsOf(mask), drawn);
      assert.equal(change.slices, 5);
      assert.notDeepEqual(expected, mask);
      assert.deepEqual(changed(mask, change), expected);
    });

test("every third slice of an ellipsoid gives it back", () => {
  const grid = new Grid([70, 56, 28], [0.98, 1.27, 2.5]);
  const middle = [0, 1, 2].map((axis) => grid.extentMm(axis) / 2);
  const radii = [29, 30, 33];
  const truth = maskWhere(grid, (_, mm) => mm.reduce((sum, p, i) => sum + ((p - middle[i]) / radii[i]) ** 2, 0) <= 1);
  const drawn = [1, 4, 7, 10, 13, 16, 19, 22, 25].filter((z) => truth.subarray(z * grid.sliceCount, (z + 1) * grid.sliceCount).some(Boolean));
  const drawnOnly = truth.map((inside, i) => Number(inside && drawn.includes(Math.floor(i / grid.sliceCount))));
  const whole = changed(drawnOnly, interpolated(grid, planes[0], containsOf(drawnOnly), drawn));
  const within = (mask) => mask.subarray(drawn[0] * grid.sliceCount, (drawn.at(-1) + 1) * grid.sliceCount);
  assert.ok(dice(within(whole), within(truth)) > 0.97, String(dice(within(whole), within(truth))));
});

test("not over an empty slice, not over a long way, not beyond the drawn slices", () => {
  const grid = grids.even;
  const mask = maskWhere(grid, (voxel) => voxel[2] === 2 && voxel[0] > 4 && voxel[0] < 9);
  const change = (drawn, plane = planes[0]) => {
    const { added, removed, slices } = interpolated(grid, plane, containsOf(mask), drawn);
    return [added.length, removed.length, slices];
  };
  assert.deepEqual(change([2, 5]), [0, 0, 0]);
  assert.deepEqual(change([2]), [0, 0, 0]);
  assert.deepEqual(change([]), [0, 0, 0]);
  mask.set(mask.slice(2 * grid.sliceCount, 3 * grid.sliceCount), 13 * grid.sliceCount);
  assert.deepEqual(change([2, 13]), [0, 0, 0]);
});
