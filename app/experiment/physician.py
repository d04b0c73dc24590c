"""A simulated physician: skilled, not perfect, and content with a border that could be its own.

Eight physicians who contoured one breast differed less among themselves when they began with a
proposal (Jaccard index 0.92) than from scratch (0.86): people take a border as it is where it is as
good as theirs (Yang et al., Int J Radiat Oncol Biol Phys 89, 2014, 214).
"""

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
# A border as near as this to the one meant is left: the physician's own next one may lie there.
ACCEPTED_MM = 2 * BOUNDARY_SPREAD_MM

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
    crop = around(truth, geometry, 10.0)
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
    """The proposal after the physician was done with it, slice by slice.

    Where its border lies further than `ACCEPTED_MM` from the one meant, that stretch is painted
    over with the brush if it is noticed; the rest, and overlooked slices, are left as they are.
    """
    red, green = np.zeros_like(proposal), np.zeros_like(proposal)
    for number in np.flatnonzero((proposal | opinion.meant).any((1, 2)) & opinion.looked):
        meant, proposed = opinion.meant[number], proposal[number]
        missing, excess = meant & ~proposed, proposed & ~meant
        for painted, wrong, border, within in (
            (red, missing, proposed, meant),
            (green, excess, ~proposed, ~meant),
        ):
            stretch = _stretch(wrong, border, opinion.geometry)
            painted[number] = brushed(stretch, opinion.geometry, rng) & within
    return Corrected((proposal | red) & ~green, red, green, slices_seen(opinion))


def _stretch(wrong: Mask, border: Mask, geometry: VolumeGeometry) -> Mask:
    """The part of a slice's errors that lies too far from what it should join, and its edges."""
    if not border.any():
        return wrong
    pixel_mm = geometry.spacing_mm[1:]
    away_mm = ndimage.distance_transform_edt(~border, pixel_mm) - 0.5 * min(pixel_mm)
    far = wrong & (away_mm > ACCEPTED_MM)
    return np.asarray(ndimage.binary_dilation(far, _disc(*pixel_mm)) & wrong, bool)


def slices_seen(opinion: Opinion) -> tuple[int, ...]:
    """The slices that are looked at."""
    return tuple(int(number) for number in np.flatnonzero(opinion.looked))


def brushed(errors: Mask, geometry: VolumeGeometry, rng: np.random.Generator) -> Mask:
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


def around(mask: Mask, geometry: VolumeGeometry, margin_mm: float) -> _Crop:
    """The box around a mask with a margin."""
    margin = np.ceil(margin_mm / np.asarray(geometry.spacing_mm)).astype(int) + 1
    voxels = np.argwhere(mask)
    low, high = np.maximum(voxels.min(0) - margin, 0), voxels.max(0) + margin + 1
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return slices, rows, columns
