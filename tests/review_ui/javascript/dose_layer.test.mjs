// Dose between dose voxels, its colours and levels; boxes of bytes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Boxed } from "../../../review_ui/static/js/boxed.js";
import { doseTable, isodoseLevels, paintDose } from "../../../review_ui/static/js/dose_colours.js";
import { DoseGrid } from "../../../review_ui/static/js/dose_grid.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { paintBytes, uncertaintyTable } from "../../../review_ui/static/js/byte_colours.js";

const grid = new Grid([9, 7, 6], [1, 2, 3]);
const shape = [5, 4, 4];
// Where CT voxels lie in the dose grid; the first column and the last slices are not covered.
const at = [
  [-0.4, 0, 0.5, 1.25, 2, 2.5, 3.3, 3.75, 4],
  [0, 0.3, 0.9, 1.5, 2, 2.6, 3],
  [0, 0.75, 1.5, 3, 3.004, 3.2],
];
const valuesGy = Float32Array.from({ length: 80 }, (_, i) => ((i * 37) % 101) / 4);
const dose = new DoseGrid(shape, valuesGy, at, { rims: [0.005, 0.005, 0.005] });

/** Straight from the definition: eight neighbours, a share for each. */
function expectedGy(voxel) {
  let sum = 0;
  for (let z = 0; z < 4; z++) {
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 5; x++) {
        const share = [x, y, z].map((index, axis) => {
          const place = Math.min(at[axis][voxel[axis]], shape[axis] - 1);
          return Math.max(0, 1 - Math.abs(place - index));
        });
        sum += share[0] * share[1] * share[2] * valuesGy[x + 5 * (y + 4 * z)];
      }
    }
  }
  return sum;
}

const isCovered = ([x, , z]) => x > 0 && z < 5;

test("the dose at a voxel is what lies linearly between the dose voxels around, or unknown", () => {
  for (let z = 0; z < 6; z++) {
    for (let y = 0; y < 7; y++) {
      for (let x = 0; x < 9; x++) {
        const gy = dose.at([x, y, z]);
        if (isCovered([x, y, z])) assert.ok(Math.abs(gy - expectedGy([x, y, z])) < 1e-4, `${[x, y, z]}`);
        else assert.ok(Number.isNaN(gy));
      }
    }
  }
});

for (const plane of Object.values(PLANES)) {
  test(`${plane.name}: a slice holds the dose of its voxels, top row of the screen first`, () => {
    const [width, height] = grid.sizeOf(plane);
    const field = new Float32Array(width * height);
    for (let slice = 0; slice < grid.dims[plane.normal]; slice++) {
      dose.slice(plane, slice, field);
      for (let i = 0; i < field.length; i++) {
        const voxel = [0, 0, 0];
        voxel[plane.normal] = slice;
        voxel[plane.across] = i % width;
        const row = Math.floor(i / width);
        voxel[plane.down] = plane.flipped ? height - 1 - row : row;
        const gy = dose.at(voxel);
        assert.ok(Number.isNaN(gy) ? Number.isNaN(field[i]) : Math.abs(field[i] - gy) < 1e-4);
      }
    }
  });
}

test("what the server sends becomes the grid, and what is not covered stays unknown", () => {
  const rims = [0.01, 0, 0];
  const header = JSON.stringify({ id: 7, exact: false, shape: [2, 1, 1], rims, x: [-0.009, 1], y: [0], z: [0] });
  const told = new TextEncoder().encode(header.padEnd(Math.ceil(header.length / 4) * 4));
  const body = new Uint8Array(4 + told.length + 8);
  new DataView(body.buffer).setInt32(0, told.length, true);
  body.set(told, 4);
  new DataView(body.buffer).setFloat32(4 + told.length, 20.5, true);
  new DataView(body.buffer).setFloat32(8 + told.length, NaN, true);
  const read = DoseGrid.read(body.buffer);
  assert.ok(Math.abs(read.at([0, 0, 0]) - 20.5) < 1e-5);
  assert.ok(Number.isNaN(read.at([1, 0, 0])));
  assert.ok(Math.abs(read.maxGy - 20.5) < 1e-5);
  assert.deepEqual([read.id, read.isExact], [7, false]);
});

test("levels are round, ascending, at most seven and below the highest dose", () => {
  assert.deepEqual(isodoseLevels(41.3), [10, 20, 30, 40]);
  assert.deepEqual(isodoseLevels(3), [0.5, 1, 1.5, 2, 2.5]);
  assert.deepEqual(isodoseLevels(50), [10, 20, 30, 40]);
  for (let gy = 0.013; gy < 200; gy *= 1.17) {
    const levels = isodoseLevels(gy);
    assert.ok(levels.length >= 1 && levels.length <= 7, `${gy}: ${levels}`);
    assert.ok(levels.at(-1) < gy);
  }
  assert.deepEqual(isodoseLevels(0), []);
});

test("the wash leaves the CT alone where there is little dose or none is known", () => {
  const pixels = new Uint32Array(4).fill(1);
  const table = doseTable();
  paintDose(Float32Array.from([NaN, 0.5, 30, 40]), 40, table, pixels);
  assert.deepEqual([...pixels.slice(0, 2)], [0, 0]);
  assert.equal(pixels[2], table[191]);
  const [red, green, blue] = [pixels[3] & 255, (pixels[3] >> 8) & 255, (pixels[3] >> 16) & 255];
  assert.ok(red > 200 && green < 60 && blue < 60);
});

test("a box of bytes lies in every plane where its voxels do, and is 0 around", () => {
  const values = Uint8Array.from({ length: 24 }, (_, i) => i + 1);
  const header = new Int32Array([2, 3, 1, 2, 3, 4]);
  const body = new Uint8Array(24 + 24);
  body.set(new Uint8Array(header.buffer));
  body.set(values, 24);
  const boxed = Boxed.read(body.buffer);
  assert.deepEqual([boxed.start, boxed.size], [[1, 3, 2], [4, 3, 2]]);
  const inBox = ([x, y, z]) => x >= 1 && x < 5 && y >= 3 && y < 6 && z >= 2 && z < 4;
  const expected = ([x, y, z]) => (inBox([x, y, z]) ? 1 + (x - 1) + 4 * (y - 3) + 12 * (z - 2) : 0);
  for (const plane of Object.values(PLANES)) {
    const [width, height] = grid.sizeOf(plane);
    for (let slice = 0; slice < grid.dims[plane.normal]; slice++) {
      const part = boxed.slice(grid, plane, slice);
      for (let i = 0; i < width * height; i++) {
        const [column, row] = [i % width, Math.floor(i / width)];
        const voxel = [0, 0, 0];
        voxel[plane.normal] = slice;
        voxel[plane.across] = column;
        voxel[plane.down] = plane.flipped ? height - 1 - row : row;
        assert.equal(boxed.at(voxel), expected(voxel));
        const { box } = part ?? { box: { left: 0, right: -1, top: 0, bottom: -1 } };
        const isIn = column >= box.left && column <= box.right && row >= box.top && row <= box.bottom;
        const shown = isIn ? part.values[(row - box.top) * part.width + column - box.left] : 0;
        assert.equal(shown, expected(voxel));
      }
    }
  }
  assert.deepEqual([...boxed.sums(6)], [0, 0, 78, 222, 0, 0]);
  const pixels = new Uint32Array(63);
  const loud = new Boxed([1, 3, 2], [4, 3, 2], values.map((v) => (v === 6 ? 255 : 10)));
  paintBytes(loud.slice(grid, PLANES.axial, 2), uncertaintyTable(), pixels, 9);
  assert.deepEqual([...pixels.keys()].filter((i) => pixels[i] !== 0), [2 + 4 * 9]);
});
