// The brush against brute force: every voxel's distance to the line, in millimetres.
import assert from "node:assert/strict";
import { test } from "node:test";

import { forEachVoxelInCapsule, nextRadius } from "../../../review_ui/static/js/brush.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";

const grid = new Grid([60, 50, 40], [0.98, 1.27, 2.5]);

function distanceToLine([px, py], [ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length === 0) return Math.hypot(px - ax, py - ay);
  const along = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length ** 2;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay));
}

function bruteForce(plane, slice, { from, to, radiusMm }) {
  const mm = ([across, down]) => [
    across * grid.spacingMm[plane.across],
    down * grid.spacingMm[plane.down],
  ];
  const found = [];
  for (let z = 0; z < grid.dims[2]; z++)
    for (let y = 0; y < grid.dims[1]; y++)
      for (let x = 0; x < grid.dims[0]; x++) {
        const voxel = [x, y, z];
        if (voxel[plane.normal] !== slice) continue;
        const point = mm([voxel[plane.across], voxel[plane.down]]);
        if (distanceToLine(point, mm(from), mm(to)) <= radiusMm + 1e-9) {
          found.push(x + y * grid.dims[0] + z * grid.dims[0] * grid.dims[1]);
        }
      }
  return found;
}

const strokes = [
  { name: "a dab", from: [20.3, 18.8], to: [20.3, 18.8] },
  { name: "a stroke", from: [12.1, 8.4], to: [31.7, 29.2] },
  { name: "a stroke backwards", from: [38.2, 30.1], to: [15.4, 12.6] },
  { name: "a stroke over the edge", from: [-4.5, 10.2], to: [8.3, 45.9] },
  { name: "a dab outside", from: [-200, -200], to: [-200, -200] },
];

for (const plane of Object.values(PLANES))
  for (const radiusMm of [0.5, 3, 10, 30])
    for (const { name, from, to } of strokes)
      test(`${plane.name}, ${radiusMm} mm, ${name}: exactly the voxels within the radius`, () => {
        const slice = Math.floor(grid.dims[plane.normal] / 2);
        const painted = [];
        const capsule = { from, to, radiusMm };
        forEachVoxelInCapsule(grid, plane, slice, capsule, (index) => painted.push(index));
        assert.deepEqual(painted.sort((a, b) => a - b), bruteForce(plane, slice, capsule));
      });

test("a centre exactly on the rim is inside", () => {
  const unit = new Grid([11, 11, 1], [1, 1, 1]);
  const painted = [];
  const capsule = { from: [5, 5], to: [5, 5], radiusMm: 3 };
  forEachVoxelInCapsule(unit, PLANES.axial, 0, capsule, (index) => painted.push(index));
  assert.ok(painted.includes(5 + 8 * 11));
  assert.equal(painted.length, 29);
});

test("brush sizes go up and down through the same steps and stop at the ends", () => {
  const up = [0.5];
  for (let i = 0; i < 80; i++) up.push(nextRadius(up.at(-1), 1));
  const down = [60];
  for (let i = 0; i < 80; i++) down.push(nextRadius(down.at(-1), -1));
  assert.equal(up.at(-1), 60);
  assert.equal(down.at(-1), 0.5);
  assert.deepEqual([...new Set(up)], [...new Set(down)].reverse());
});
