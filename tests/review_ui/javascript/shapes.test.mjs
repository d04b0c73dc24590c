// Ball, smart brush, push and lasso against brute force in every plane, anisotropic and uneven.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { forEachVoxelInLasso } from "../../../review_ui/static/js/lasso.js";
import { forEachVoxelInBall, huRangeAt, pushAt } from "../../../review_ui/static/js/shapes.js";
import { Stroke } from "../../../review_ui/static/js/strokes.js";
import { blobs, containsOf, grids, maskWhere, places, planes, random, voxelsWhere } from "./support.mjs";

const collect = (cover) => {
  const found = [];
  cover((index) => found.push(index));
  return found.sort((a, b) => a - b);
};

function toLine(point, a, b) {
  const way = b.map((p, i) => p - a[i]);
  const length = way.reduce((sum, p) => sum + p * p, 0);
  const along = length ? way.reduce((sum, p, i) => sum + p * (point[i] - a[i]), 0) / length : 0;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(...point.map((p, i) => p - a[i] - t * way[i]));
}

/** A point of a plane in space, mm. */
function inSpace(grid, plane, slice, [across, down]) {
  const mm = [0, 0, 0];
  mm[plane.normal] = grid.centresMm[plane.normal][slice];
  mm[plane.across] = grid.mmAt(plane.across, across);
  mm[plane.down] = grid.mmAt(plane.down, down);
  return mm;
}

for (const [name, grid] of Object.entries(grids))
  for (const plane of planes) {
    const slice = Math.floor(grid.dims[plane.normal] / 2);
    const from = [6.3, 5.8];
    const to = [12.9, 9.1];
    const a = inSpace(grid, plane, slice, from);
    const b = inSpace(grid, plane, slice, to);
    const inSlice = (voxel) => voxel[plane.normal] === slice;
    const settings = { plane, slice, tool: "add", shape: "brush", radiusMm: 4.2, toleranceHu: 40 };

    for (const radiusMm of [0.5, 3, 7.5])
      test(`${name} ${plane.name}: a ball of ${radiusMm} mm is round in space`, () => {
        const painted = collect((visit) => forEachVoxelInBall(grid, plane, slice, { from, to, radiusMm }, visit));
        const expected = voxelsWhere(grid, (_, mm) => toLine(mm, a, b) <= radiusMm + 1e-9);
        assert.deepEqual(painted, expected);
      });

    test(`${name} ${plane.name}: a smart brush keeps to the tissue it starts on`, () => {
      const next = random(5);
      const ct = Int16Array.from({ length: grid.count }, () => Math.floor(next() * 400 - 200));
      const sample = voxelsWhere(grid, (v, mm) => inSlice(v) && toLine(mm, a, a) <= 2.5).map((i) => ct[i]);
      sample.sort((p, q) => p - q);
      const half = sample.length / 2;
      const middle = (sample[Math.ceil(half) - 1] + sample[Math.floor(half)]) / 2;
      assert.deepEqual(huRangeAt(grid, plane, slice, ct, from, 40), [middle - 40, middle + 40]);
      const layer = new CorrectionLayer(grid, new Uint8Array(grid.count));
      const stroke = new Stroke(layer, ct, { ...settings, shape: "smart" }, from);
      stroke.extend(from, from);
      stroke.extend(from, to);
      const near = voxelsWhere(grid, (v, mm) => inSlice(v) && toLine(mm, a, b) <= 4.2);
      const expected = near.filter((i) => Math.abs(ct[i] - middle) <= 40);
      assert.ok(expected.length > 3 && expected.length < near.length);
      assert.deepEqual([...stroke.end()], expected);
    });

    test(`${name} ${plane.name}: a disc pressed down anywhere fits to the border`, () => {
      const mask = blobs(grid, 23);
      const next = random(41);
      const centres = voxelsWhere(grid, inSlice);
      for (let i = 0; i < 60; i++) {
        const at = [next() * (grid.dims[plane.across] - 1), next() * (grid.dims[plane.down] - 1)];
        const { outwards, radiusMm } = pushAt(grid, plane, slice, containsOf(mask), at, 9);
        const point = inSpace(grid, plane, slice, at);
        const voxel = grid.voxelAt(plane, slice, at);
        assert.equal(outwards, mask[grid.indexOf(voxel)] !== 0);
        const other = centres.filter((index) => (mask[index] !== 0) !== outwards);
        const gaps = other.map((index) => toLine(places(grid)[index].mm, point, point));
        const nearest = Math.min(9, ...gaps);
        assert.ok(radiusMm < nearest || nearest === 9);
        assert.ok(radiusMm > nearest - 0.001);
      }
    });

    for (const [direction, start, end] of [["outwards", from, to], ["inwards", to, from]])
      test(`${name} ${plane.name}: pushing ${direction} moves the border by the disc, a press alone does not`, () => {
        const prediction = maskWhere(grid, (v, mm) => mm[plane.across] < (a[plane.across] + b[plane.across]) / 2);
        const layer = new CorrectionLayer(grid, prediction);
        const stroke = new Stroke(layer, new Int16Array(grid.count), { ...settings, shape: "push", radiusMm: 3 }, start);
        stroke.extend(start, start);
        assert.equal(layer.stroke.indices.length, 0);
        stroke.extend(start, end);
        const outwards = direction === "outwards";
        const expected = voxelsWhere(grid, (v, mm) => inSlice(v) && toLine(mm, a, b) <= stroke.radiusMm).filter(
          (i) => (prediction[i] !== 0) !== outwards,
        );
        assert.ok(expected.length > 0);
        assert.equal(stroke.tool, outwards ? "add" : "remove");
        assert.deepEqual([...stroke.end()], expected);
      });

    test(`${name} ${plane.name}: a lasso takes what it encircles an odd number of times`, () => {
      const next = random(9);
      for (let i = 0; i < 20; i++) {
        const size = grid.sizeOf(plane);
        const points = Array.from({ length: 3 + i }, () => [next() * (size[0] + 6) - 3, next() * (size[1] + 6) - 3]);
        const corners = points.map((point) => inSpace(grid, plane, slice, point));
        // Straight down instead of to the right: another way to count.
        const inside = (mm) =>
          corners.filter((end, k) => {
            const start = corners[(k + 1) % corners.length];
            const [p, q] = [plane.across, plane.down];
            if (start[p] > mm[p] === end[p] > mm[p]) return false;
            return start[q] + ((mm[p] - start[p]) / (end[p] - start[p])) * (end[q] - start[q]) > mm[q];
          }).length % 2 === 1;
        const painted = collect((visit) => forEachVoxelInLasso(grid, plane, slice, points, visit));
        assert.deepEqual(painted, voxelsWhere(grid, (v, mm) => inSlice(v) && inside(mm)));
      }
    });
  }

test("a lasso paints when it is closed, as one step", () => {
  const grid = grids.even;
  const layer = new CorrectionLayer(grid, new Uint8Array(grid.count));
  const settings = { plane: planes[0], slice: 4, tool: "add", shape: "lasso", radiusMm: 4, toleranceHu: 40 };
  const stroke = new Stroke(layer, new Int16Array(grid.count), settings, [2, 2]);
  const corners = [[9, 2], [9, 8], [2, 8]];
  let last = [2, 2];
  for (const corner of corners) {
    stroke.extend(last, corner);
    last = corner;
  }
  assert.equal(layer.voxels, 0);
  assert.equal(stroke.end().length, 7 * 6);
  assert.deepEqual(layer.undoSteps.at(-1).label, { name: "lasso", plane: "axial", slice: 4, tool: "add" });
  layer.undo();
  assert.equal(layer.voxels, 0);
});
