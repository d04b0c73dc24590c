// A simulated physician with a round brush corrects a phantom, without propagation and with it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { forEachVoxelInCapsule } from "../../../review_ui/static/js/brush.js";
import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { Grid, PLANES } from "../../../review_ui/static/js/geometry.js";
import { propagatedEdit } from "../../../review_ui/static/js/propagate.js";
import { Stroke } from "../../../review_ui/static/js/strokes.js";
import { dice, maskWhere, random, voxelOf } from "./support.mjs";

const grid = new Grid([80, 66, 30], [0.98, 1.27, 2.5]);
const middle = [0, 1, 2].map((axis) => grid.extentMm(axis) / 2);
const plane = PLANES.axial;
const GOOD_DICE = 0.99;
const RADII_MM = [10, 7, 5, 3, 2, 1];
const POINTS_A_STROKE = 12;

const truth = maskWhere(grid, (_, mm) => Math.hypot(...mm.map((p, i) => p - middle[i])) <= 26);
/** Over nine slices, 8 to 11 mm beyond the organ or into it, drifting sideways. */
const bulge = maskWhere(grid, ([, , z], mm) => {
  const away = mm[2] - grid.centresMm[2][14];
  const radius = 12 - 0.25 * Math.abs(away);
  return z >= 10 && z <= 18 && Math.hypot(mm[0] - middle[0] - 23, mm[1] - middle[1] - 0.3 * away) <= radius;
});
const predictions = {
  "too much": truth.map((inside, i) => Number(inside || bulge[i])),
  "too little": truth.map((inside, i) => Number(inside && !bulge[i])),
};

function ctWith(outsideHu) {
  const next = random(3);
  const noise = () => 20 * (next() + next() + next() + next() - 2) * Math.sqrt(3);
  return Int16Array.from(truth, (inside) => Math.round((inside ? 45 : outsideHu) + noise()));
}

class Physician {
  constructor(prediction, ct) {
    this.layer = new CorrectionLayer(grid, prediction);
    this.ct = ct;
    this.strokes = 0;
    this.keys = 0;
  }

  isWrong(index) {
    return this.layer.contains(index) !== (truth[index] === 1);
  }

  /** Dice of one slice with the truth; of two empty ones 1. */
  diceAt(z) {
    const first = z * grid.sliceCount;
    const there = truth.subarray(first, first + grid.sliceCount);
    return dice(there.map((_, at) => Number(this.layer.contains(first + at))), there);
  }

  mask() {
    return truth.map((_, index) => Number(this.layer.contains(index)));
  }

  wrongAt(z) {
    const found = [];
    for (let i = z * grid.sliceCount; i < (z + 1) * grid.sliceCount; i++) if (this.isWrong(i)) found.push(i);
    return found;
  }

  /** The worst slice that is not good, or null. */
  worst() {
    const slices = Array.from({ length: grid.dims[2] }, (_, z) => z).filter((z) => this.diceAt(z) < GOOD_DICE);
    return slices.sort((a, b) => this.wrongAt(b).length - this.wrongAt(a).length)[0] ?? null;
  }

  correct({ propagates }) {
    for (let z = this.worst(); z !== null; z = this.worst()) {
      while (this.diceAt(z) < GOOD_DICE) this.paint(z);
      if (propagates) this.lookAtProposal();
      assert.ok(this.strokes < 200);
    }
  }

  /** Takes what is proposed where it makes more right than wrong. */
  lookAtProposal() {
    const found = propagatedEdit(this.layer, this.ct);
    if (!found) return;
    const voxels = [...found.change.added, ...found.change.removed];
    const right = voxels.filter((index) => this.isWrong(index)).length;
    if (right <= voxels.length / 2) return;
    this.layer.applyChange(found.change, { name: "propagate", plane: "axial", slice: found.slice });
    this.keys++;
  }

  /** One stroke with one brush: where it helps most first, then on to the next best place. */
  paint(z) {
    const wrong = this.wrongAt(z);
    const missing = wrong.filter((index) => truth[index]);
    const tool = missing.length * 2 > wrong.length ? "add" : "remove";
    const places = wrong.filter((index) => (truth[index] === 1) === (tool === "add")).map((index) => voxelOf(grid, index).slice(0, 2));
    const best = (from, radii) => {
      let most = { gain: 0 };
      for (const radiusMm of radii)
        for (const to of places) {
          const gain = this.gain(z, tool, { from: from ?? to, to, radiusMm });
          if (gain > most.gain) most = { gain, to, radiusMm };
        }
      return most;
    };
    const { to: at, radiusMm } = best(null, RADII_MM);
    const stroke = new Stroke(this.layer, this.ct, { plane, slice: z, tool, shape: "brush", radiusMm, toleranceHu: 50 }, at);
    stroke.extend(at, at);
    let here = at;
    for (let i = 0; i < POINTS_A_STROKE; i++) {
      const { gain, to } = best(here, [radiusMm]);
      if (gain <= 0) break;
      stroke.extend(here, to);
      here = to;
    }
    assert.notEqual(stroke.end(), null);
    this.strokes++;
  }

  /** Voxels that would come right, less twice those that would come wrong. */
  gain(z, tool, capsule) {
    let gain = 0;
    forEachVoxelInCapsule(grid, plane, z, capsule, (index) => {
      if ((truth[index] === 1) !== (tool === "add")) gain -= this.isWrong(index) ? 0 : 2;
      else if (this.isWrong(index)) gain++;
    });
    return gain;
  }
}

const slices = [10, 11, 12, 13, 14, 15, 16, 17, 18];

/** One who works without propagation and one who works with it, both until each slice is good. */
function work(prediction, ct) {
  return [false, true].map((propagates) => {
    const physician = new Physician(prediction, ct);
    assert.ok(slices.every((z) => physician.diceAt(z) < 0.98));
    physician.correct({ propagates });
    assert.ok(slices.every((z) => physician.diceAt(z) >= GOOD_DICE));
    assert.ok(dice(physician.mask(), truth) >= GOOD_DICE);
    return physician;
  });
}

for (const [what, prediction] of Object.entries(predictions)) {
  for (const [phase, outsideHu] of [["a border in the CT", -90], ["no border in the CT", 45]])
    test(`${what} on nine slices, ${phase}: with propagation a third of the strokes at most`, (context) => {
      const [alone, helped] = work(prediction, ctWith(outsideHu));
      context.diagnostic(`${alone.strokes} strokes alone; ${helped.strokes} and ${helped.keys} keys with propagation`);
      assert.ok(helped.strokes * 3 <= alone.strokes, `${helped.strokes} of ${alone.strokes}`);
    });
}
