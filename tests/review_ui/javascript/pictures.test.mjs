// Screen geometry, layers, windows and the CT stream.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { paintCt, paintLayers } from "../../../review_ui/static/js/slice_pixels.js";
import { Viewport } from "../../../review_ui/static/js/viewport.js";
import { readSlices } from "../../../review_ui/static/js/volume_stream.js";
import { adjusted, describeWindow, greyTable, packRgba, WINDOWS } from "../../../review_ui/static/js/window_level.js";

const grid = new Grid([8, 6, 4], [1, 2, 3]);
const near = (a, b) => Math.abs(a - b) < 1e-9;

for (const plane of Object.values(PLANES)) {
  const viewport = new Viewport(grid, plane);
  viewport.resize(400, 300);

  test(`${plane.name}: screen and voxel coordinates are each other's inverse`, () => {
    viewport.fit();
    viewport.zoomAt(120, 80, 1.7);
    viewport.panBy(13, -8);
    const [x, y] = viewport.toScreen(viewport.toVoxel(231, 77));
    assert.ok(near(x, 231) && near(y, 77));
  });

  test(`${plane.name}: what is under the pointer stays there while zooming`, () => {
    viewport.fit();
    const before = viewport.toVoxel(120, 80);
    viewport.zoomAt(120, 80, 2.5);
    const after = viewport.toVoxel(120, 80);
    assert.ok(near(before[0], after[0]) && near(before[1], after[1]));
  });

  test(`${plane.name}: another window size shows the same, larger or smaller`, () => {
    viewport.fit();
    viewport.resize(800, 600);
    const whole = viewport.scale;
    viewport.fit();
    assert.ok(near(viewport.scale, whole));
    viewport.resize(400, 300);
  });

  test(`${plane.name}: a millimetre is as long across as down`, () => {
    viewport.fit();
    const origin = viewport.toScreen([2, 2]);
    const across = viewport.toScreen([2 + 6 / grid.spacingMm[plane.across], 2]);
    const down = viewport.toScreen([2, 2 + 6 / grid.spacingMm[plane.down]]);
    assert.ok(near(Math.abs(across[0] - origin[0]), Math.abs(down[1] - origin[1])));
  });
}

test("superior is up in sagittal and coronal views, anterior is up in the axial one", () => {
  for (const [name, upwards] of [["axial", false], ["sagittal", true], ["coronal", true]]) {
    const viewport = new Viewport(grid, PLANES[name]);
    assert.equal(viewport.toScreen([0, 1])[1] < viewport.toScreen([0, 0])[1], upwards, name);
  }
});

test("each plane shows its own voxels of the CT", () => {
  const ct = Int16Array.from({ length: grid.count }, (_, i) => i);
  const table = Uint32Array.from({ length: 65536 }, (_, i) => i);
  const first = { axial: [2 * 48, 2 * 48 + 1], sagittal: [3 * 48 + 2, 3 * 48 + 10], coronal: [3 * 48 + 16, 3 * 48 + 17] };
  for (const plane of Object.values(PLANES)) {
    const [width, height] = grid.sizeOf(plane);
    const pixels = new Uint32Array(width * height);
    const arrived = new Uint8Array(4).fill(1);
    paintCt(plane, 2, { grid, ct, arrived }, table, pixels);
    assert.deepEqual([...pixels.slice(0, 2)], first[plane.name], plane.name);
    // Of what has not come nothing is shown, also where another picture was before.
    arrived[2] = 0;
    paintCt(plane, 2, { grid, ct, arrived }, table, pixels);
    const shown = plane.normal === 2 ? 0 : width * 3;
    assert.equal(pixels.filter((pixel) => pixel !== 0).length, shown, plane.name);
  }
});

test("layers show prediction, added and removed, and the box holds the corrected structure", () => {
  const prediction = new Uint8Array(grid.count);
  for (const x of [2, 3, 4]) for (const y of [1, 2, 3]) prediction[grid.indexOf([x, y, 1])] = 1;
  const layer = new CorrectionLayer(grid, prediction);
  layer.values[grid.indexOf([5, 2, 1])] = 1;
  layer.values[grid.indexOf([2, 1, 1])] = 2;
  const pixels = new Uint32Array(48);
  const inside = new Uint8Array(48);
  const colours = { prediction: 7, added: 8, removed: 9 };
  const { structure, painted } = paintLayers(PLANES.axial, 1, layer, colours, pixels, inside);
  assert.deepEqual(structure, { left: 2, right: 5, top: 1, bottom: 3 });
  assert.deepEqual(painted, structure);
  assert.deepEqual([...pixels.slice(8, 16)], [0, 0, 9, 7, 7, 0, 0, 0]);
  assert.deepEqual([...pixels.slice(16, 24)], [0, 0, 7, 7, 7, 8, 0, 0]);
  // With the prediction hidden, what was corrected alone is seen; the structure is the same.
  const hidden = paintLayers(PLANES.axial, 1, layer, { ...colours, prediction: 0 }, pixels, inside);
  assert.deepEqual(hidden, { structure, painted: { left: 2, right: 5, top: 1, bottom: 2 } });
});

test("a dragged window keeps its level when it gets wider, and its width when it gets brighter", () => {
  const wider = adjusted(WINDOWS[0], 100, 0);
  assert.deepEqual([wider.lowHu, wider.highHu], [-175, 300]);
  const higher = adjusted(WINDOWS[0], 0, 50);
  assert.deepEqual([higher.lowHu, higher.highHu], [-75, 300]);
  const closed = adjusted(WINDOWS[0], -9999, 0);
  assert.ok(closed.highHu - closed.lowHu >= 1);
  assert.equal(describeWindow(adjusted(WINDOWS[0], 5, -100)), "W 380 L −37 · own");
});

test("a window is black below, white above and grey between", () => {
  const table = greyTable(WINDOWS[0]);
  assert.equal(table[-1024 & 0xffff], packRgba(0, 0, 0, 255));
  assert.equal(table[3000], packRgba(255, 255, 255, 255));
  assert.equal(table[62], packRgba(127, 127, 127, 255));
});

function streamOf(chunks) {
  return new ReadableStream({
    start(controller) {
      chunks.forEach((chunk) => controller.enqueue(chunk));
      controller.close();
    },
  });
}

function records(order) {
  const bytes = new Uint8Array(order.length * (4 + grid.sliceCount * 2));
  const view = new DataView(bytes.buffer);
  order.forEach((slice, i) => {
    const start = i * (4 + grid.sliceCount * 2);
    view.setInt32(start, slice, true);
    for (let v = 0; v < grid.sliceCount; v++) view.setInt16(start + 4 + v * 2, slice * 100 - v, true);
  });
  return bytes;
}

test("slices find their place in whatever pieces and order they come", async () => {
  const bytes = records([2, 3, 1, 0]);
  for (const size of [1, 7, 100, 1000]) {
    const chunks = [];
    for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.slice(i, i + size));
    const ct = new Int16Array(grid.count);
    const seen = [];
    await readSlices(streamOf(chunks), grid, ct, (slice, received) => seen.push([slice, received]));
    assert.deepEqual(seen, [[2, 1], [3, 2], [1, 3], [0, 4]]);
    assert.ok(ct.every((hu, i) => hu === Math.floor(i / 48) * 100 - (i % 48)));
  }
});

test("a stream that ends early is an error, not a half volume", async () => {
  const short = records([2, 3, 1]);
  await assert.rejects(readSlices(streamOf([short]), grid, new Int16Array(grid.count), () => {}), /3 of 4/);
});
