/**
 * Where a corrected contour runs on another slice, told by the contour beside it. No DOM.
 *
 * Beside a correction the contour was left as it was, so from slice to slice it shows how the
 * structure grows or shrinks. The corrected part of the contour is moved as much. Where the structure
 * on the other slice no longer looks as it did before the correction, there is nothing to correct.
 *
 * @typedef {import("./blocks.js").Block} Block
 */
import { signedDistances, squaredDistances } from "./distance.js";

/** Voxels as far from the contour tell how it moves. */
const BAND_MM = 6;
/** So far around a correction the contour is looked at. */
export const BESIDE_MM = 20;
/** Closer to the correction it may be part of what was wrong. */
const TOUCHED_MM = 4;
/** Fewer voxels tell nothing. */
const FEWEST = 30;
/** So much of the correction must be wrong on the other slice as well. */
const STILL_WRONG = 0.4;

export class CarriedContour {
  /**
   * @param {Block} region  what was corrected, on its slice
   * @param {Uint8Array} before  the structure around it before the correction
   */
  constructor(region, before) {
    const { inside, centresMm, grid, dims } = region;
    this.centresMm = centresMm;
    this.before = before;
    const after = before.map((value, at) => (inside[at] ? 1 - value : value));
    this.beforeMm = signedDistances(before, centresMm);
    this.afterMm = signedDistances(after, centresMm);
    this.toRegion = squaredDistances(inside, centresMm);
    const inPlane = grid.spacingMm.filter((_, axis) => dims[axis] > 1);
    // Distances are between centres: the contour itself is half a voxel away from the nearest.
    this.halfMm = inPlane.length ? inPlane.reduce((sum, mm) => sum + mm, 0) / inPlane.length / 2 : 0;
  }

  /**
   * The corrected structure on another slice.
   * @param {Uint8Array} there  the structure as it is there
   * @returns {Uint8Array | null} 0 or 1 per voxel; null where no contour beside the correction tells
   */
  on(there) {
    const movedMm = this.#moved(there);
    if (movedMm === null) return null;
    const wanted = this.#shifted(this.afterMm, movedMm);
    const wrong = this.#shifted(this.beforeMm, movedMm);
    return isMoreLike(there, wrong, wanted) ? wanted : there;
  }

  /**
   * The inside of a contour that is moved outwards.
   * @param {Float64Array} distancesMm
   * @param {number} movedMm
   */
  #shifted(distancesMm, movedMm) {
    return Uint8Array.from(distancesMm, (mm) => Number(mm - Math.sign(mm) * this.halfMm + movedMm > 0));
  }

  /**
   * How much further out the contour beside the correction runs on the other slice, mm.
   * @param {Uint8Array} there
   */
  #moved(there) {
    const { before, beforeMm, toRegion } = this;
    const thereMm = signedDistances(there, this.centresMm);
    let sum = 0;
    let weights = 0;
    let count = 0;
    for (let at = 0; at < there.length; at++) {
      const near = Math.abs(beforeMm[at]);
      const away = toRegion[at];
      // On both slices on the same side, and nearer to the untouched contour than to the correction.
      if (there[at] !== before[at] || near > BAND_MM || Math.abs(thereMm[at]) > 2 * BAND_MM) continue;
      if (away < TOUCHED_MM * TOUCHED_MM || away < near * near || away > BESIDE_MM * BESIDE_MM) continue;
      const weight = 1 / away;
      sum += weight * (thereMm[at] - beforeMm[at]);
      weights += weight;
      count++;
    }
    return count < FEWEST ? null : sum / weights;
  }
}

/**
 * Whether a structure looks as one did before it was corrected, where that made a difference.
 * @param {Uint8Array} there
 * @param {Uint8Array} wrong
 * @param {Uint8Array} right
 */
function isMoreLike(there, wrong, right) {
  let different = 0;
  let still = 0;
  for (let at = 0; at < there.length; at++) {
    if (wrong[at] === right[at]) continue;
    different++;
    if (there[at] === wrong[at]) still++;
  }
  return still >= STILL_WRONG * different;
}

/**
 * Whether most of what was wrong on one slice is so on the next.
 * @param {Uint8Array} region  0 or 1 per voxel, what was wrong
 * @param {Uint8Array} possible  1 where the next slice could be wrong the same way
 */
export function continues(region, possible) {
  const wrong = region.reduce((sum, value) => sum + value, 0);
  const still = region.reduce((sum, value, at) => sum + (value && possible[at]), 0);
  return 2 * still >= wrong;
}
