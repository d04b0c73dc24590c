"""A simulated physician: skilled, not perfect, and the same for every recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from core.geometry import Mask, VolumeGeometry

# What the physician means differs from the truth by smooth noise of this spread and reach.
BOUNDARY_SPREAD_MM = 1.5
BOUNDARY_REACH_MM = 12.0
OVERLOOKED_SHARE = 0.10
# Errors of at least this area in a slice are always noticed, smaller ones at this chance.
NOTICED_MM2 = 40.0
SMALL_NOTICED_SHARE = 0.35
BRUSH_RADIUS_MM = 3.0
# A slice that is as good as this is left; a proposal worse than this is not corrected but redrawn.
GOOD_SLICE_DICE = 0.97
REDRAWN_BELOW_DICE = 0.5
# Drawn from scratch, this much around the heart is painted as background.
RING_MM = 12.0

_Crop = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Corrected:
    """What came of a proposal: the whole structure as approved, and what was painted for it.

    `slices_seen` are those that were looked at.
    """

    approved: Mask
    red: Mask
    green: Mask
    slices_seen: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the physician means by the heart of one patient, and the slices not looked at."""

    meant: Mask
    looked: npt.NDArray[np.bool_]
    geometry: VolumeGeometry


def opinion_of(truth: Mask, geometry: VolumeGeometry, rng: np.random.Generator) -> Opinion:
    """The physician's opinion on a patient: it does not depend on what a model proposes."""
    crop = _around(truth, geometry, 10.0)
    inside = truth[crop]
    # From voxel centre to the surface, which runs midway between centres.
    half_mm = 0.5 * float(np.mean(geometry.spacing_mm))
    depth_mm = ndimage.distance_transform_edt(inside, geometry.spacing_mm) - half_mm
    outside_mm = ndimage.distance_transform_edt(~inside, geometry.spacing_mm) - half_mm
    depth_mm = np.where(inside, depth_mm, -outside_mm)
    reach = BOUNDARY_REACH_MM / np.asarray(geometry.spacing_mm)
    noise = ndimage.gaussian_filter(rng.standard_normal(inside.shape), reach, mode="wrap")
    noise *= BOUNDARY_SPREAD_MM / noise.std()
    meant = np.zeros_like(truth)
    meant[crop] = depth_mm > noise
    return Opinion(meant, rng.random(len(truth)) >= OVERLOOKED_SHARE, geometry)


def correct(proposal: Mask, opinion: Opinion, rng: np.random.Generator) -> Corrected:
    """The proposal after the physician was done with it.

    A useful proposal is corrected slice by slice: errors that are seen are painted over with the
    brush, good slices and overlooked ones are left as they are. A useless one is drawn anew.
    """
    if _dice(proposal, opinion.meant) < REDRAWN_BELOW_DICE:
        return _drawn_anew(proposal, opinion)
    red, green = np.zeros_like(proposal), np.zeros_like(proposal)
    for number in np.flatnonzero((proposal | opinion.meant).any((1, 2))):
        meant, proposed = opinion.meant[number], proposal[number]
        good = meant.any() and _dice(meant, proposed) >= GOOD_SLICE_DICE
        if not opinion.looked[number] or good:
            continue
        red[number] = _brushed(meant & ~proposed, opinion.geometry, rng) & meant
        green[number] = _brushed(proposed & ~meant, opinion.geometry, rng) & ~meant
    return Corrected((proposal | red) & ~green, red, green, _seen(opinion))


def _drawn_anew(proposal: Mask, opinion: Opinion) -> Corrected:
    """The heart painted in every slice looked at, a ring around it, and what was proposed wrongly.

    What lies in overlooked slices is taken from the nearest slice that was drawn.
    """
    meant, looked = opinion.meant, opinion.looked
    spacing_mm = opinion.geometry.spacing_mm
    crop = _around(meant, opinion.geometry, RING_MM)
    ring = np.zeros_like(meant)
    ring[crop] = ndimage.distance_transform_edt(~meant[crop], spacing_mm) <= RING_MM
    red = meant & looked[:, None, None]
    green = (ring | proposal) & ~meant & looked[:, None, None]
    drawn = np.flatnonzero(red.any((1, 2)))
    approved = red.copy()
    for number in np.flatnonzero(meant.any((1, 2)) & ~looked):
        approved[number] = red[drawn[np.argmin(np.abs(drawn - number))]]
    return Corrected(approved, red, green, _seen(opinion))


def _seen(opinion: Opinion) -> tuple[int, ...]:
    return tuple(int(number) for number in np.flatnonzero(opinion.looked))


def _brushed(errors: Mask, geometry: VolumeGeometry, rng: np.random.Generator) -> Mask:
    """What a round brush covers that follows the noticed errors of one slice."""
    labels, count = ndimage.label(errors)
    if count == 0:
        return errors
    row_mm, column_mm = geometry.spacing_mm[1:]
    areas_mm2 = np.bincount(labels.ravel(), minlength=count + 1) * row_mm * column_mm
    noticed = (areas_mm2 >= NOTICED_MM2) | (rng.random(count + 1) < SMALL_NOTICED_SHARE)
    noticed[0] = False
    return np.asarray(ndimage.binary_dilation(noticed[labels], _disc(row_mm, column_mm)), bool)


def _disc(row_mm: float, column_mm: float) -> Mask:
    rows, columns = int(BRUSH_RADIUS_MM / row_mm), int(BRUSH_RADIUS_MM / column_mm)
    y, x = np.ogrid[-rows : rows + 1, -columns : columns + 1]
    return np.asarray((y * row_mm) ** 2 + (x * column_mm) ** 2 <= BRUSH_RADIUS_MM**2, bool)


def _around(mask: Mask, geometry: VolumeGeometry, margin_mm: float) -> _Crop:
    margin = np.ceil(margin_mm / np.asarray(geometry.spacing_mm)).astype(int) + 1
    voxels = np.argwhere(mask)
    low, high = np.maximum(voxels.min(0) - margin, 0), voxels.max(0) + margin + 1
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return slices, rows, columns


def _dice(a: Mask, b: Mask) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0
