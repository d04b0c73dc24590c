// Pieces, holes and filled slices against a slow search that knows nothing of blocks.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Grid } from "../../../review_ui/static/js/geometry.js";
import { filledSlice, largestPiece, withoutHoles, withoutIslands } from "../../../review_ui/static/js/regions.js";
import { blobs, changed, containsOf, grids, planes, voxelOf } from "./support.mjs";

/** Sets of indices that hang together by faces, by spreading one step at a time. `axes` limits the ways. */
function piecesOf(grid, isSet, candidates, axes = [0, 1, 2]) {
  const left = new Set(candidates.filter(isSet));
  const found = [];
  while (left.size) {
    const [first] = left;
    left.delete(first);
    const piece = [first];
    for (const index of piece) {
      const voxel = voxelOf(grid, index);
      for (const axis of axes)
        for (const step of [-1, 1]) {
          const place = voxel[axis] + step;
          const next = index + step * grid.strides[axis];
          if (place < 0 || place >= grid.dims[axis] || !left.has(next)) continue;
          left.delete(next);
          piece.push(next);
        }
    }
    found.push(piece);
  }
  return found;
}

const ccOf = (grid, piece) => piece.reduce((sum, index) => sum + grid.voxelCc[voxelOf(grid, index)[2]], 0);
const touchesEnd = (grid, piece, axes) =>
  piece.some((index) => axes.some((axis) => [0, grid.dims[axis] - 1].includes(voxelOf(grid, index)[axis])));

for (const [name, grid] of Object.entries(grids))
  for (const seed of [3, 7, 19]) {
    const mask = blobs(grid, seed);
    const contains = containsOf(mask);
    const all = Array.from(mask.keys());

    test(`${name} ${seed}: the largest piece alone stays`, () => {
      const sets = piecesOf(grid, contains, all);
      assert.ok(sets.length > 1);
      const largest = sets.reduce((a, b) => (ccOf(grid, b) > ccOf(grid, a) ? b : a));
      const expected = new Uint8Array(grid.count);
      for (const index of largest) expected[index] = 1;
      assert.deepEqual(changed(mask, largestPiece(grid, contains)), expected);
    });

    test(`${name} ${seed}: pieces below a volume go`, () => {
      const sets = piecesOf(grid, contains, all);
      const limit = Math.min(...sets.map((piece) => ccOf(grid, piece))) + 1e-9;
      const expected = new Uint8Array(grid.count);
      for (const piece of sets) if (ccOf(grid, piece) >= limit) for (const index of piece) expected[index] = 1;
      assert.notDeepEqual(expected, mask);
      assert.deepEqual(changed(mask, withoutIslands(grid, contains, limit)), expected);
    });

    test(`${name} ${seed}: cavities are taken in, bays are not`, () => {
      const holes = piecesOf(grid, (i) => !mask[i], all).filter((piece) => !touchesEnd(grid, piece, [0, 1, 2]));
      assert.ok(holes.length > 0);
      const expected = mask.slice();
      for (const index of holes.flat()) expected[index] = 1;
      assert.deepEqual(changed(mask, withoutHoles(grid, contains)), expected);
    });

    for (const plane of planes)
      test(`${name} ${seed}: ${plane.name} slices are filled, and only they`, () => {
        let filled = 0;
        for (let slice = 0; slice < grid.dims[plane.normal]; slice++) {
          const here = all.filter((index) => voxelOf(grid, index)[plane.normal] === slice);
          const axes = [plane.across, plane.down];
          const holes = piecesOf(grid, (i) => !mask[i], here, axes).filter((piece) => !touchesEnd(grid, piece, axes));
          const expected = mask.slice();
          for (const index of holes.flat()) expected[index] = 1;
          filled += holes.length;
          assert.deepEqual(changed(mask, filledSlice(grid, contains, plane, slice)), expected);
        }
        assert.ok(filled > 0);
      });
  }

test("the largest piece stays even if it is small, and nothing has no pieces", () => {
  const grid = grids.even;
  const one = new Uint8Array(grid.count);
  one[100] = 1;
  assert.deepEqual(changed(one, withoutIslands(grid, containsOf(one), 10)), one);
  assert.equal(largestPiece(grid, () => false).removed.length, 0);
  assert.equal(withoutHoles(grid, () => false).added.length, 0);
});

test("a structure in more pieces than a function takes arguments is no trouble", () => {
  const wide = new Grid([130, 130, 40], [1, 1, 1]);
  const board = Uint8Array.from({ length: wide.count }, (_, i) => {
    return (i + Math.floor(i / 130) + Math.floor(i / 16900)) % 2;
  });
  board[2] = 1; // joins four of them
  const { removed, added } = largestPiece(wide, containsOf(board));
  const total = board.reduce((sum, value) => sum + value, 0);
  assert.ok(total > 300000 && added.length === 0);
  assert.equal(total - removed.length, 5);
});
