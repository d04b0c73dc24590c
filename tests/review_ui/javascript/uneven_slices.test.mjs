// Slices that are not evenly spaced: screen, brush and volume follow their true places.
import assert from "node:assert/strict";
import { test } from "node:test";

import { forEachVoxelInCapsule } from "../../../review_ui/static/js/brush.js";
import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { Viewport } from "../../../review_ui/static/js/viewport.js";

// Two zones: 5 mm, then 2 mm apart.
const OFFSETS = [0, 5, 10, 15, 17, 19, 21];
const grid = new Grid([30, 40, 7], [1.5, 2, 3.5], OFFSETS);
const near = (a, b, within = 1e-9) => Math.abs(a - b) < within;

test("slices reach half way to their neighbours", () => {
  assert.ok(!grid.isEven);
  assert.deepEqual([...grid.centresMm[2]], OFFSETS.map((mm) => mm + 2.5));
  assert.deepEqual([...grid.edgesMm[2]], [0, 5, 10, 15, 18.5, 20.5, 22.5, 24.5]);
  assert.equal(grid.extentMm(2), 24.5);
});

test("positions and voxel coordinates are each other's inverse, and each slice owns its slab", () => {
  for (let index = -2; index < 9; index += 0.1) {
    assert.ok(near(grid.indexAt(2, grid.mmAt(2, index)), index, 1e-6), String(index));
  }
  for (let mm = 0.05; mm < 24.5; mm += 0.1) {
    const slice = Math.round(grid.indexAt(2, mm));
    assert.ok(grid.edgesMm[2][slice] <= mm && mm <= grid.edgesMm[2][slice + 1], String(mm));
  }
});

test("even offsets are the grid without offsets", () => {
  const even = new Grid([30, 40, 4], [1.5, 2, 3], [0, 3, 6, 9]);
  const plain = new Grid([30, 40, 4], [1.5, 2, 3]);
  assert.ok(even.isEven);
  assert.deepEqual(even.edgesMm, plain.edgesMm);
  assert.deepEqual([...plain.voxelCc], [0.009, 0.009, 0.009, 0.009]);
});

for (const name of ["sagittal", "coronal"]) {
  const plane = PLANES[name];
  const viewport = new Viewport(grid, plane);
  viewport.resize(400, 300);

  test(`${name}: a row of the picture is as high as its slice is thick`, () => {
    viewport.fit();
    for (let row = 0; row < 7; row++) {
      const heightMm = (viewport.rowTop(row + 1) - viewport.rowTop(row)) / viewport.scale;
      assert.ok(near(heightMm, [2, 2, 2, 3.5, 5, 5, 5][row]), `row ${row}: ${heightMm}`);
    }
    assert.ok(near(viewport.rowTop(7) - viewport.rowTop(0), 24.5 * viewport.scale));
  });

  test(`${name}: the pointer finds the slice that is drawn under it`, () => {
    viewport.fit();
    viewport.zoomAt(120, 80, 1.7);
    viewport.panBy(13, -8);
    for (let row = 0; row < 7; row++) {
      const y = (viewport.rowTop(row) + viewport.rowTop(row + 1)) / 2;
      assert.ok(near(viewport.toVoxel(100, y)[1], 6 - row, 1e-6));
    }
    const [x, y] = viewport.toScreen(viewport.toVoxel(231, 77));
    assert.ok(near(x, 231, 1e-6) && near(y, 77, 1e-6));
  });

  test(`${name}: the brush is round in millimetres`, () => {
    const from = [10.2, 1.3];
    const to = [12.7, 4.8];
    const [ax, ay] = [grid.mmAt(plane.across, from[0]), grid.mmAt(2, from[1])];
    const [bx, by] = [grid.mmAt(plane.across, to[0]), grid.mmAt(2, to[1])];
    const expected = [];
    for (let z = 0; z < 7; z++) {
      for (let across = 0; across < grid.dims[plane.across]; across++) {
        const [px, py] = [grid.centresMm[plane.across][across], grid.centresMm[2][z]];
        const along = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / Math.hypot(bx - ax, by - ay) ** 2;
        const t = Math.min(1, Math.max(0, along));
        if (Math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay)) <= 4.2) {
          expected.push(3 * grid.strides[plane.normal] + across * grid.strides[plane.across] + z * 1200);
        }
      }
    }
    const seen = [];
    forEachVoxelInCapsule(grid, plane, 3, { from, to, radiusMm: 4.2 }, (index) => seen.push(index));
    assert.ok(expected.length > 20);
    assert.deepEqual(seen.sort((a, b) => a - b), expected.sort((a, b) => a - b));
  });
}

test("the volume counts each slice with its thickness", () => {
  const prediction = new Uint8Array(grid.count);
  prediction[grid.indexOf([3, 4, 0])] = 1;
  prediction[grid.indexOf([3, 4, 3])] = 1;
  prediction[grid.indexOf([3, 5, 6])] = 1;
  const layer = new CorrectionLayer(grid, prediction);
  assert.ok(near(layer.volumeCc, ((5 + 3.5 + 2) * 1.5 * 2) / 1000));
});
