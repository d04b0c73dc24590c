// Outlines and isolines against what can be counted voxel by voxel.
import assert from "node:assert/strict";
import { test } from "node:test";

import { isolines, maskOutline } from "../../../review_ui/static/js/contour_lines.js";

/** Numbers between 0 and 1 that are the same every time. */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

function boxOf(inside, width) {
  const box = { left: width, right: -1, top: inside.length, bottom: -1 };
  inside.forEach((value, i) => {
    if (!value) return;
    const [column, row] = [i % width, Math.floor(i / width)];
    box.left = Math.min(box.left, column);
    box.right = Math.max(box.right, column);
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row);
  });
  return box;
}

/** Even-odd rule, over all loops. */
function contains(loops, x, y) {
  let inside = false;
  for (const loop of loops) {
    for (let i = 0, j = loop.length - 2; i < loop.length; j = i, i += 2) {
      const crosses = loop[i + 1] > y !== loop[j + 1] > y;
      const at = ((loop[j] - loop[i]) * (y - loop[i + 1])) / (loop[j + 1] - loop[i + 1]) + loop[i];
      if (crosses && x < at) inside = !inside;
    }
  }
  return inside;
}

/** The curve that is drawn: from middle to middle, each point a handle. */
function drawn(loop) {
  const points = [];
  const count = loop.length / 2;
  const at = (i) => [loop[2 * ((i + count) % count)], loop[2 * ((i + count) % count) + 1]];
  for (let i = 0; i < count; i++) {
    const [before, here, after] = [at(i - 1), at(i), at(i + 1)];
    for (const t of [0, 0.25, 0.5, 0.75]) {
      for (const axis of [0, 1]) {
        const start = (before[axis] + here[axis]) / 2;
        const end = (here[axis] + after[axis]) / 2;
        points.push((1 - t) ** 2 * start + 2 * t * (1 - t) * here[axis] + t * t * end);
      }
    }
  }
  return points;
}

const area = (loop) => {
  let twice = 0;
  for (let i = 0, j = loop.length - 2; i < loop.length; j = i, i += 2) {
    twice += loop[j] * loop[i + 1] - loop[i] * loop[j + 1];
  }
  return twice / 2;
};

function disc(size, radius, centre = size / 2 + 0.3) {
  const inside = new Uint8Array(size * size);
  for (let i = 0; i < inside.length; i++) {
    const [x, y] = [i % size, Math.floor(i / size)];
    inside[i] = Math.hypot(x - centre, y - centre) <= radius ? 1 : 0;
  }
  return { inside, centre };
}

test("exactly the inside pixels have their centres within the smooth line, as it is drawn", () => {
  const random = randomFrom(7);
  for (let round = 0; round < 60; round++) {
    const [width, height] = [9, 7];
    const share = 0.15 + 0.7 * random();
    const inside = Uint8Array.from({ length: width * height }, () => (random() < share ? 1 : 0));
    if (!inside.includes(1)) continue;
    const loops = maskOutline(inside, width, boxOf(inside, width));
    const curves = loops.map(drawn);
    for (let row = -1; row <= height; row++) {
      for (let column = -1; column <= width; column++) {
        const isIn = row >= 0 && row < height && column >= 0 && column < width;
        const expected = isIn && inside[row * width + column] === 1;
        assert.equal(contains(loops, column, row), expected, `points, ${round}`);
        assert.equal(contains(curves, column, row), expected, `curve, ${round}`);
      }
    }
  }
});

test("a disc looks like a circle: within a third of a voxel, and without corners", () => {
  const { inside, centre } = disc(60, 20.4);
  const [loop, ...others] = maskOutline(inside, 60, boxOf(inside, 60));
  assert.equal(others.length, 0);
  let sharpest = 0;
  const count = loop.length / 2;
  for (let i = 0; i < count; i++) {
    const at = (k) => [loop[2 * ((i + k) % count)], loop[2 * ((i + k) % count) + 1]];
    const [[x0, y0], [x1, y1], [x2, y2]] = [at(0), at(1), at(2)];
    assert.ok(Math.abs(Math.hypot(x0 - centre, y0 - centre) - 20.4) < 0.34);
    const turn = Math.atan2(y2 - y1, x2 - x1) - Math.atan2(y1 - y0, x1 - x0);
    sharpest = Math.max(sharpest, Math.abs(Math.atan2(Math.sin(turn), Math.cos(turn))));
  }
  // On the steps of voxels it turns by 45 degrees.
  assert.ok(sharpest < (20 * Math.PI) / 180, `${(sharpest * 180) / Math.PI} degrees`);
  const voxels = inside.reduce((sum, value) => sum + value, 0);
  assert.ok(Math.abs(Math.abs(area(loop)) / voxels - 1) < 0.01);
});

test("a hole turns the other way, pieces that touch at a corner are apart", () => {
  const ring = Uint8Array.from([1, 1, 1, 1, 0, 1, 1, 1, 1]);
  const loops = maskOutline(ring, 3, boxOf(ring, 3));
  assert.equal(loops.length, 2);
  assert.ok(area(loops[0]) * area(loops[1]) < 0);
  const corner = Uint8Array.from([1, 0, 0, 1]);
  assert.equal(maskOutline(corner, 2, boxOf(corner, 2)).length, 2);
});

test("a single pixel does not shrink out of sight", () => {
  const inside = Uint8Array.from([1]);
  const [loop] = maskOutline(inside, 1, boxOf(inside, 1));
  const across = loop.filter((_, i) => i % 2 === 0);
  assert.ok(Math.max(...across) - Math.min(...across) > 0.39);
});

test("a line of equal dose crosses exactly where neighbours lie on both sides of it", () => {
  const random = randomFrom(3);
  const [width, height] = [8, 6];
  const field = Float32Array.from({ length: width * height }, () => random() * 10);
  field[11] = NaN;
  const levels = [2, 5, 7.5];
  const lines = isolines(field, width, height, levels);
  levels.forEach((level, i) => {
    const expected = new Set();
    const key = (x, y) => `${x.toFixed(4)} ${y.toFixed(4)}`;
    const cellKnown = (column, row) =>
      column >= 0 && row >= 0 && column < width - 1 && row < height - 1 &&
      [0, 1, width, width + 1].every((step) => !Number.isNaN(field[row * width + column + step]));
    for (let at = 0; at < field.length; at++) {
      const [x, y] = [at % width, Math.floor(at / width)];
      for (const [dx, dy] of [[1, 0], [0, 1]]) {
        if (x + dx >= width || y + dy >= height) continue;
        const other = field[at + dx + dy * width];
        if (!(field[at] >= level !== other >= level)) continue;
        if (!cellKnown(x, y) && !cellKnown(x - dy, y - dx)) continue;
        const share = (level - field[at]) / (other - field[at]);
        expected.add(key(x + dx * share, y + dy * share));
      }
    }
    const found = new Set();
    for (let p = 0; p < lines[i].length; p += 2) found.add(key(lines[i][p], lines[i][p + 1]));
    assert.deepEqual([...found].sort(), [...expected].sort());
    assert.ok(expected.size > 10);
  });
});

test("in a round field the line of a level is its circle", () => {
  const size = 41;
  const field = Float32Array.from({ length: size * size }, (_, i) =>
    Math.hypot((i % size) - 20, Math.floor(i / size) - 20),
  );
  const [pieces] = isolines(field, size, size, [12.3]);
  let length = 0;
  for (let i = 0; i < pieces.length; i += 4) {
    assert.ok(Math.abs(Math.hypot(pieces[i] - 20, pieces[i + 1] - 20) - 12.3) < 0.02);
    length += Math.hypot(pieces[i + 2] - pieces[i], pieces[i + 3] - pieces[i + 1]);
  }
  assert.ok(Math.abs(length - 2 * Math.PI * 12.3) < 0.2);
});
