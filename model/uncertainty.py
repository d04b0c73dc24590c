"""What a prediction gives away about itself: how sure, how steady, where, and beside what.

None of these figures is a promise. `model.calibration` turns them into an expected Dice with an
interval, `model.oddities` into sentences.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy import ndimage

from core.geometry import Mask, VolumeGeometry
from core.suspicion import observe
from core.volume import Volume
from model.cascade import Found, Run, Scan, found_coarsely
from model.postprocess import largest_component, postprocessed
from model.preprocess import Values, dice, normalise
from model.registry import NetworkConfig

SIDES = ("lower", "upper", "front", "back", "right", "left")
"""Ends of the scan, in the order of the index axes (slice, row, column), first end first."""
LUNG_HU = -500.0
AROUND_MM = 12.0
# A little other than what the network saw: HU of another scanner, another voxel under the grid,
# another size of patient. (share of the window, voxels of shift, magnification)
VARIANTS = ((0.04, (1, 2, 3), 1.0), (-0.04, (3, 1, 2), 1.0), (0.0, (0, 0, 0), 1.12),
            (0.0, (2, 3, 1), 0.9))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """How large a structure is, where it lies and beside what; None where there is no body.

    `left_mm` and `back_mm` are from the middle of the body, `lung_share` is how much of the 12 mm
    around it is lung, `mean_hu` its own density.
    """

    volume_cc: float
    left_mm: float | None
    back_mm: float | None
    lung_share: float | None
    mean_hu: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Estimates:
    """Figures of one prediction, all 0..1 unless they say otherwise; of nothing found all are 0.

    `expected_dice` is the Dice its probabilities expect, `entropy_bits` the entropy of the averaged
    probability for each voxel of the mask, `agreement` the Dice of the coarse and the fine mask,
    `steadiness` the mean Dice of the mask with variants of itself and `least_steady` the worst,
    `largest_share` how much lies in the largest piece. `cut` names the ends of the scan that the
    mask touches; `fills_box` says that it touches its box within the scan.
    """

    expected_dice: float
    entropy_bits: float
    agreement: float
    steadiness: float
    least_steady: float
    largest_share: float
    cut: tuple[str, ...]
    fills_box: bool
    place: Place

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        place = Place(**values["place"])
        return cls(**{**values, "cut": tuple(values["cut"]), "place": place})


@dataclass(frozen=True, slots=True)
class Doubted:
    """Estimates of a prediction, and its probability averaged over the variants, in its box."""

    estimates: Estimates
    probability: Values


def doubted(
    run: Run,
    config: NetworkConfig,
    found: Found,
    coarse_hu: Scan,
    fine_hu: Scan,
    fine_shape: tuple[int, int, int],
) -> Doubted:
    """Look at a prediction from other sides; `fine_hu` is the scan in `found.box` (HU)."""
    if found.box is None:
        return Doubted(_nothing(), found.fine)
    mask = _finished(config, found.fine > 0.5)
    x = normalise(fine_hu, config.window_hu)
    varied = [_varied(run, x, *variant) for variant in VARIANTS]
    probability = np.asarray(np.mean([found.fine, *varied], axis=0), np.float32)
    if not mask.any():
        return Doubted(_nothing(), probability)
    steady = [dice(mask, _finished(config, p > 0.5)) for p in varied]
    raw, start = found.fine > 0.5, [part.start for part in found.box]
    on_coarse = _on_coarse(mask, start, config, found.coarse.shape)
    volume_cc = float(mask.sum()) * float(np.prod(config.fine.spacing_mm)) / 1000.0
    cut, fills_box = _touched(mask, start, fine_shape)
    estimates = Estimates(
        expected_dice=expected_dice(found.fine, mask),
        entropy_bits=float(entropy_bits(probability).sum()) / float(mask.sum()),
        agreement=dice(on_coarse, found_coarsely(found.coarse, config)),
        steadiness=float(np.mean(steady)),
        least_steady=float(np.min(steady)),
        largest_share=float(largest_component(raw).sum()) / float(raw.sum()),
        cut=cut,
        fills_box=fills_box,
        place=place_of(on_coarse, coarse_hu, config.coarse.spacing_mm, volume_cc=volume_cc),
    )
    return Doubted(estimates, probability)


def expected_dice(probability: Values, inside: Mask) -> float:
    """Dice of the mask `inside` with the truth, if the probabilities are right; 0 when empty.

    2 sum(p in the mask) / (voxels of the mask + sum p).
    """
    total = float(inside.sum()) + float(probability.sum(dtype=np.float64))
    return 2.0 * float(probability[inside].sum(dtype=np.float64)) / total if inside.any() else 0.0


def entropy_bits(probability: Values) -> Values:
    """How undecided each voxel is: 0 where the probability is 0 or 1, one bit at a half."""
    p = np.asarray(probability, np.float32)
    q = 1.0 - p
    bits = -(p * np.log2(np.where(p > 0, p, 1.0)) + q * np.log2(np.where(q > 0, q, 1.0)))
    return np.asarray(bits, np.float32)


def place_of(
    mask: Mask, values_hu: Scan, spacing_mm: tuple[float, float, float], *, volume_cc: float
) -> Place:
    """Where `mask` lies in a scan on the coarse grid (HU); `volume_cc` was measured finer."""
    slices, rows, columns = mask.shape
    geometry = VolumeGeometry((slices, rows, columns), (0.0, 0.0, 0.0), spacing_mm, "2.25.1")
    seen = observe(mask, Volume(np.asarray(values_hu), geometry))
    if not mask.any():
        return Place(volume_cc, None, None, None, None)
    reach = max(1, round(AROUND_MM / float(np.mean(spacing_mm))))
    around = ndimage.binary_dilation(mask, iterations=reach) & ~mask
    return Place(
        volume_cc=volume_cc,
        left_mm=seen.left_mm,
        back_mm=seen.back_mm,
        lung_share=float((values_hu[around] < LUNG_HU).mean()) if around.any() else None,
        mean_hu=float(values_hu[mask].mean()),
    )


def _varied(
    run: Run, x: Values, offset: float, shift: tuple[int, int, int], magnified: float
) -> Values:
    """Probability on the box as the fine network sees a variant of it; back in its place."""
    seen = np.clip(x + np.float32(2.0 * offset), -1.0, 1.0)
    if magnified != 1.0:
        seen = ndimage.zoom(seen, magnified, order=1, mode="nearest", grid_mode=True)
    seen = np.pad(seen, [(n, 0) for n in shift], mode="edge")
    moved = run("fine", np.asarray(seen, np.float32))
    back = moved[shift[0] :, shift[1] :, shift[2] :]
    if magnified == 1.0:
        return back
    factors = np.asarray(x.shape) / np.asarray(back.shape)
    resized = ndimage.zoom(back, factors, order=1, mode="nearest", grid_mode=True)
    return np.asarray(resized, np.float32)


def _finished(config: NetworkConfig, mask: Mask) -> Mask:
    return postprocessed(mask, keep_largest=config.keep_largest, fill_holes=config.fill_holes)


def _on_coarse(mask: Mask, start: list[int], config: NetworkConfig, shape: tuple[int, ...]) -> Mask:
    """The coarse voxels of which more than half lies in `mask`; both grids share a corner."""
    fine_mm, coarse_mm = np.asarray(config.fine.spacing_mm), np.asarray(config.coarse.spacing_mm)
    index = ((np.argwhere(mask) + start + 0.5) * fine_mm / coarse_mm).astype(int)
    flat = np.ravel_multi_index(tuple(np.minimum(index, np.asarray(shape) - 1).T), shape)
    share = np.bincount(flat, minlength=int(np.prod(shape))) * fine_mm.prod() / coarse_mm.prod()
    return np.asarray(share.reshape(shape) > 0.5, bool)


def _touched(
    mask: Mask, start: list[int], fine_shape: tuple[int, int, int]
) -> tuple[tuple[str, ...], bool]:
    """The ends of the scan that `mask` (in its box) touches, and whether it touches others."""
    cut, fills_box = [], False
    for axis in range(3):
        planes = np.moveaxis(mask, axis, 0)
        at = (start[axis], start[axis] + mask.shape[axis])
        for end, (plane, outermost) in enumerate(
            ((planes[0], at[0] == 0), (planes[-1], at[1] == fine_shape[axis]))
        ):
            if plane.any() and outermost:
                cut.append(SIDES[2 * axis + end])
            fills_box |= bool(plane.any()) and not outermost
    return tuple(cut), fills_box


def _nothing() -> Estimates:
    return Estimates(
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (), fills_box=False, place=Place(0.0, None, None, None, None)
    )
