// Grids, random numbers and brute force that tests share.
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";

export const planes = Object.values(PLANES);
export const even = new Grid([22, 19, 14], [0.98, 1.27, 2.5]);
export const uneven = new Grid([22, 19, 14], [0.98, 1.27, 2.5], [0, 2, 4, 7, 10, 12, 14, 15, 16, 20, 24, 27, 30, 32.5]);
export const grids = { even, uneven };

export function random(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/** [x, y, z] of a flat index. */
export function voxelOf(grid, index) {
  return [index % grid.dims[0], Math.floor(index / grid.dims[0]) % grid.dims[1], Math.floor(index / grid.sliceCount)];
}

const placesOf = new WeakMap();

/** Every voxel of a grid and where its centre is, in flat order. */
export function places(grid) {
  if (!placesOf.has(grid)) {
    const all = Array.from({ length: grid.count }, (_, index) => {
      const voxel = voxelOf(grid, index);
      return { voxel, mm: voxel.map((place, axis) => grid.centresMm[axis][place]) };
    });
    placesOf.set(grid, all);
  }
  return placesOf.get(grid);
}

/** Flat indices of all voxels for which `holds(voxel, mm)`, ascending. */
export function voxelsWhere(grid, holds) {
  const found = [];
  places(grid).forEach(({ voxel, mm }, index) => {
    if (holds(voxel, mm)) found.push(index);
  });
  return found;
}

/** A mask of `grid` that is 1 where `holds(voxel, mm)`. */
export function maskWhere(grid, holds) {
  const mask = new Uint8Array(grid.count);
  for (const index of voxelsWhere(grid, holds)) mask[index] = 1;
  return mask;
}

/** Balls at random, with holes at random. */
export function blobs(grid, seed, count = 6) {
  const next = random(seed);
  const balls = Array.from({ length: count }, () => ({
    centre: [0, 1, 2].map((axis) => next() * grid.extentMm(axis)),
    radius: 2 + next() * 6,
  }));
  return maskWhere(grid, (_, mm) => {
    const covered = balls.filter(({ centre, radius }) => Math.hypot(...mm.map((p, i) => p - centre[i])) <= radius);
    return covered.length % 2 === 1 && next() > 0.03;
  });
}

export const containsOf = (mask) => (index) => mask[index] !== 0;

/** The mask after a change. */
export function changed(mask, { added, removed }) {
  const after = mask.slice();
  for (const index of added) after[index] = 1;
  for (const index of removed) after[index] = 0;
  return after;
}

export function dice(one, other) {
  let both = 0;
  let total = 0;
  for (let i = 0; i < one.length; i++) {
    both += one[i] && other[i] ? 1 : 0;
    total += (one[i] ? 1 : 0) + (other[i] ? 1 : 0);
  }
  return total ? (2 * both) / total : 1;
}
