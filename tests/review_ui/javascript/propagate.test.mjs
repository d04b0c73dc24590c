// A correction on one slice proposed for its neighbours, on phantoms whose truth is known.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { propagated } from "../../../review_ui/static/js/propagate.js";
import { changed, containsOf, dice, maskWhere, random, voxelsWhere } from "./support.mjs";

const ORGAN_HU = 45;
const FAT_HU = -90;
const grid = new Grid([80, 66, 30], [0.98, 1.27, 2.5]);
const middle = [0, 1, 2].map((axis) => grid.extentMm(axis) / 2);

const ball = (centre, radius) => maskWhere(grid, (_, mm) => Math.hypot(...mm.map((p, i) => p - centre[i])) <= radius);
const organ = ball(middle, 24);
/** Reaches 8 mm beyond the organ, or as much into it; drifts from slice to slice. */
const bulgeAt = (offMm) =>
  maskWhere(grid, (_, mm) => {
    const shift = 0.4 * (mm[2] - middle[2]);
    return Math.hypot((mm[0] - middle[0] - offMm) / 12, (mm[1] - middle[1] - shift) / 12, (mm[2] - middle[2]) / 11) <= 1;
  });

function noisyCt(truth, outsideHu, seed = 3) {
  const next = random(seed);
  const noise = () => 20 * (next() + next() + next() + next() - 2) * Math.sqrt(3);
  return Int16Array.from(truth, (inside) => Math.round((inside ? ORGAN_HU : outsideHu) + noise()));
}

/** Correct the middle slice exactly, and see what is proposed for the others. */
function correctMiddle(prediction, truth, outsideHu, plane = PLANES.axial) {
  const slice = Math.round(grid.indexAt(plane.normal, middle[plane.normal] + (plane.normal === 0 ? 22 : 0)));
  const wrong = voxelsWhere(grid, (voxel) => voxel[plane.normal] === slice).filter((i) => prediction[i] !== truth[i]);
  const corrected = prediction.slice();
  for (const index of wrong) corrected[index] = truth[index];
  const edit = { plane, slice, changed: Uint32Array.from(wrong), added: truth[wrong[0]] === 1 };
  const proposal = propagated(grid, noisyCt(truth, outsideHu), containsOf(corrected), edit);
  return { corrected, proposal, after: changed(corrected, proposal), slice };
}

const both = (mask, other) => mask.map((inside, i) => Number(inside || other[i]));
const without = (mask, other) => mask.map((inside, i) => Number(inside && !other[i]));
const cases = {
  "too much": [both(organ, bulgeAt(21)), organ],
  "too little": [without(organ, bulgeAt(21)), organ],
};

for (const [what, [prediction, truth]] of Object.entries(cases))
  for (const plane of Object.values(PLANES))
    test(`${what}, ${plane.name}: where the CT shows the border, the neighbours come right`, () => {
      const { corrected, proposal, after, slice } = correctMiddle(prediction, truth, FAT_HU, plane);
      assert.equal(proposal.guide, "tissue");
      const wrongBefore = corrected.filter((inside, i) => inside !== truth[i]).length;
      const wrongAfter = after.filter((inside, i) => inside !== truth[i]).length;
      assert.ok(wrongAfter < 0.1 * wrongBefore, `${wrongAfter} of ${wrongBefore}`);
      // The edited slice is as the hand left it.
      const here = voxelsWhere(grid, (voxel) => voxel[plane.normal] === slice);
      assert.ok(here.every((i) => after[i] === corrected[i]));
      // All one way, like the edit.
      assert.equal((what === "too much" ? proposal.added : proposal.removed).length, 0);
    });

for (const [what, [prediction, truth]] of Object.entries(cases))
  for (const plane of [PLANES.axial, PLANES.coronal])
    test(`${what}, ${plane.name}: without a border in the CT the contour runs on as it does beside`, () => {
      const { corrected, proposal, after } = correctMiddle(prediction, truth, ORGAN_HU, plane);
      assert.equal(proposal.guide, "contour");
      const wrongBefore = corrected.filter((inside, i) => inside !== truth[i]).length;
      const wrongAfter = after.filter((inside, i) => inside !== truth[i]).length;
      assert.ok(wrongAfter < 0.2 * wrongBefore, `${wrongAfter} of ${wrongBefore}`);
      const proposed = [...proposal.added, ...proposal.removed];
      const harm = proposed.filter((i) => prediction[i] === truth[i]).length;
      assert.ok(harm < 0.1 * proposed.length, `${harm} of ${proposed.length}`);
      assert.equal((what === "too much" ? proposal.added : proposal.removed).length, 0);
    });

test("where hardly any contour beside the correction is left, the slices become no worse", () => {
  // Sagittal at the end of the organ: the bulge is most of what is seen there.
  for (const [prediction, truth] of Object.values(cases)) {
    const { corrected, after } = correctMiddle(prediction, truth, ORGAN_HU, PLANES.sagittal);
    const wrong = (mask) => mask.filter((inside, i) => inside !== truth[i]).length;
    assert.ok(wrong(after) < wrong(corrected));
  }
});

for (const outsideHu of [FAT_HU, ORGAN_HU])
  for (const what of Object.keys(cases))
    test(`${what} on one slice alone, fat at ${outsideHu} HU: hardly anything is proposed for right slices`, () => {
      // The other slices are right already: whatever is proposed there is wrong.
      const slice = Math.round(grid.indexAt(2, middle[2]));
      const [wrongEverywhere, truth] = cases[what];
      const prediction = truth.map((inside, i) => (Math.floor(i / grid.sliceCount) === slice ? wrongEverywhere[i] : inside));
      const { proposal } = correctMiddle(prediction, truth, outsideHu);
      const proposed = proposal.added.length + proposal.removed.length;
      const edited = prediction.filter((inside, i) => inside !== truth[i]).length;
      assert.ok(proposed <= 0.1 * edited, `${proposed} beside ${edited}`);
    });

test("what is drawn where nothing was fades away, and never spreads", () => {
  const slice = Math.round(grid.indexAt(2, middle[2]));
  const drawn = voxelsWhere(grid, (voxel) => voxel[2] === slice).filter((i) => organ[i]);
  const mask = new Uint8Array(grid.count);
  for (const index of drawn) mask[index] = 1;
  const ct = noisyCt(organ, ORGAN_HU);
  const edit = { plane: PLANES.axial, slice, changed: Uint32Array.from(drawn), added: true };
  const proposal = propagated(grid, ct, containsOf(mask), edit);
  assert.equal(proposal.guide, "fading");
  const edited = new Set(drawn);
  let before = [drawn.length, drawn.length];
  for (let away = 1; away <= 8; away++) {
    const sizes = [slice - away, slice + away].map((z) => {
      const voxels = [...proposal.added].filter((i) => Math.floor(i / grid.sliceCount) === z);
      assert.ok(voxels.every((i) => edited.has(i + (slice - z) * grid.sliceCount)));
      return voxels.length;
    });
    sizes.forEach((size, i) => assert.ok(size > 0 && size < before[i]));
    before = sizes;
  }
});

test("the same tissue elsewhere is left alone", () => {
  // A second structure of the organ's HU, 4 mm beside the correction on all slices.
  const neighbour = maskWhere(grid, (_, mm) => Math.hypot(mm[0] - middle[0] - 36, mm[1] - middle[1]) <= 7);
  const [prediction, truth] = cases["too little"];
  const plane = PLANES.axial;
  const slice = Math.round(grid.indexAt(2, middle[2]));
  const wrong = voxelsWhere(grid, (v) => v[2] === slice).filter((i) => prediction[i] !== truth[i]);
  const corrected = prediction.slice();
  for (const index of wrong) corrected[index] = 1;
  const ct = noisyCt(both(organ, neighbour), FAT_HU);
  const edit = { plane, slice, changed: Uint32Array.from(wrong), added: true };
  const { added } = propagated(grid, ct, containsOf(corrected), edit);
  assert.ok(added.length > 500);
  assert.equal(added.filter((i) => neighbour[i] && !organ[i]).length, 0);
});

test("an edit of one voxel, and one at the end of the volume, do no harm", () => {
  const ct = noisyCt(organ, FAT_HU);
  for (const voxel of [[0, 0, 0], [79, 65, 29], [40, 33, 0]]) {
    const index = grid.indexOf(voxel);
    const contains = (i) => i === index;
    for (const plane of Object.values(PLANES)) {
      const edit = { plane, slice: voxel[plane.normal], changed: Uint32Array.of(index), added: true };
      const { added, removed } = propagated(grid, ct, contains, edit);
      assert.ok(!added.includes(index));
      assert.equal(removed.length, 0);
    }
  }
});
