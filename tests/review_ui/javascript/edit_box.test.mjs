// The box that painting keeps to, on even and uneven slices, against brute force.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { EditBox, MARGIN_MM } from "../../../review_ui/static/js/edit_box.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { grids, maskWhere, planes, random, voxelOf, voxelsWhere } from "./support.mjs";

const wide = new Grid([70, 60, 40], [0.98, 1.27, 2.5]);
const isWithin = ({ low, high }, voxel) => voxel.every((at, axis) => at >= low[axis] && at <= high[axis]);

test("the proposed box reaches 20 mm around the structure, and no further than the volume", () => {
  const prediction = maskWhere(wide, ([x, y, z]) => x >= 25 && x <= 40 && y >= 30 && y <= 33 && z >= 3 && z <= 20);
  const box = EditBox.around(new CorrectionLayer(wide, prediction));
  const steps = wide.spacingMm.map((mm) => Math.ceil(MARGIN_MM / mm));
  assert.deepEqual(box.low, [25 - steps[0], 30 - steps[1], 0]);
  assert.deepEqual(box.high, [40 + steps[0], 33 + steps[1], 20 + steps[2]]);
  const all = EditBox.around(new CorrectionLayer(wide, new Uint8Array(wide.count)));
  assert.deepEqual([all.low, all.high], [[0, 0, 0], [69, 59, 39]]);
});

for (const [name, grid] of Object.entries(grids))
  test(`${name}: strokes and tools change nothing outside; undo and replay are not held back`, () => {
    const next = random(4);
    const layer = new CorrectionLayer(grid, maskWhere(grid, () => next() > 0.6));
    const before = layer.values.slice();
    const box = new EditBox(grid, { low: [4, 5, 3], high: [13, 12, 9] });
    layer.permits = (index) => box.has(index);
    for (const plane of planes) {
      const slice = Math.floor((box.low[plane.normal] + box.high[plane.normal]) / 2);
      layer.beginStroke("add");
      layer.paint(plane, slice, { from: [1, 1], to: [12, 11], radiusMm: 6 });
      const painted = layer.endStroke();
      assert.ok(painted.length > 20 && painted.every((index) => isWithin(box, voxelOf(grid, index))));
      layer.beginStroke("remove");
      layer.paint(plane, box.high[plane.normal] + 1, { from: [1, 1], to: [12, 11], radiusMm: 6 });
      assert.equal(layer.endStroke(), null);
    }
    const removed = Uint32Array.from(voxelsWhere(grid, () => true).filter((index) => layer.contains(index)));
    const change = layer.permitted({ added: new Uint32Array(), removed });
    assert.deepEqual(change.removed, removed.filter((index) => isWithin(box, voxelOf(grid, index))));
    assert.ok(layer.applyChange({ added: new Uint32Array(), removed }, { name: "shrink", plane: "axial", slice: 5 }));
    assert.ok(layer.values.every((value, index) => value === before[index] || isWithin(box, voxelOf(grid, index))));
    layer.permits = () => false;
    while (layer.undo());
    assert.deepEqual(layer.values, before);
  });

test("sides are found where they are seen, and follow the hand", () => {
  for (const grid of Object.values(grids))
    for (const plane of planes) {
      const box = new EditBox(grid, { low: [4, 5, 3], high: [13, 12, 9] });
      const slice = box.low[plane.normal];
      const middle = [plane.across, plane.down].map((axis) => (box.low[axis] + box.high[axis]) / 2);
      // Half a voxel before the first centre is its edge.
      const atLeft = [box.low[plane.across] - 0.5, middle[1]];
      assert.deepEqual(box.sidesAt(plane, slice, atLeft, 0.5), [{ axis: plane.across, end: "low" }]);
      const corner = [box.high[plane.across] + 0.5, box.low[plane.down] - 0.5];
      const sides = box.sidesAt(plane, slice, corner, 0.5);
      assert.deepEqual(sides, [{ axis: plane.across, end: "high" }, { axis: plane.down, end: "low" }]);
      assert.deepEqual(box.sidesAt(plane, slice, middle, 0.5), []);
      assert.deepEqual(box.sidesAt(plane, slice - 1, atLeft, 0.5), []);
      assert.deepEqual(box.sidesAt(plane, slice, [atLeft[0], -9], 0.5), []);
      box.move(sides, plane, [10.4, 6.7]);
      assert.deepEqual([box.high[plane.across], box.low[plane.down]], [10, 7]);
      box.move(sides, plane, [-50, 999]);
      assert.equal(box.high[plane.across], box.low[plane.across]);
      assert.equal(box.low[plane.down], box.high[plane.down]);
    }
});

test("it is touched where the structure reaches a side that is not the end of the scan", () => {
  const box = new EditBox(wide, { low: [4, 5, 0], high: [13, 12, 9] });
  const reaches = (low, high) => {
    const isIn = (voxel) => isWithin({ low, high }, voxel);
    return box.isTouchedBy(new CorrectionLayer(wide, maskWhere(wide, isIn)));
  };
  assert.equal(reaches([5, 6, 0], [12, 11, 8]), false);
  assert.equal(reaches([4, 6, 0], [12, 11, 8]), true);
  assert.equal(reaches([5, 6, 0], [12, 11, 20]), true);
  assert.equal(reaches([9, 9, 9], [8, 8, 8]), false);
});
