"""What was said of a structure on a CT, and how much each voxel of it counts in learning.

Four things are said, and they are not worth the same: what somebody painted, what lay before his
eyes when he approved, what was approved unseen, and nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from core.geometry import Mask, VolumeGeometry
from model.preprocess import Values, mask_to_working_grid, share_on_working_grid

Source = Literal["approved", "strokes", "imported"]

# Only ratios matter: the loss divides by what is labelled. An error that the physician left alone
# becomes dense "truth", so only what was painted counts in full.
PAINTED_WEIGHT = 1.0
SEEN_NEAR_WEIGHT = 0.25
SEEN_FAR_WEIGHT = 0.05
# Approved with the rest, but nobody saw it: what stands there is the model's own word.
UNSEEN_NEAR_WEIGHT = 0.1
UNSEEN_FAR_WEIGHT = 0.02
UNLABELLED = 0.0
NEAR_MM = 20.0
# A stroke may be thinner than a working voxel.
STROKE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Labels:
    """What was said of one structure; masks lie on the CT grid.

    `structure` is the whole structure, None where only strokes speak. `added` and `removed` were
    painted. `slices_seen` are CT slices that were looked at, None where nobody counted them: then
    all of them count as seen.
    """

    source: Source
    structure: Mask | None
    added: Mask | None
    removed: Mask | None
    slices_seen: tuple[int, ...] | None

    @classmethod
    def approved(cls, structure: Mask, painted: Mask, *, slices_seen: Iterable[int] | None) -> Self:
        """A structure that a physician approved after painting `painted`.

        What was painted and is in the structure was added, what is not was removed: the approved
        mask is (prediction or added) and not removed.
        """
        seen = None if slices_seen is None else tuple(slices_seen)
        return cls("approved", structure, painted & structure, painted & ~structure, seen)

    @classmethod
    def strokes(cls, added: Mask, removed: Mask) -> Self:
        """Strokes that nobody approved: the painted voxels speak, the rest is unlabelled."""
        return cls("strokes", None, added, removed, None)

    @classmethod
    def imported(cls, structure: Mask) -> Self:
        """A reference contour made elsewhere: whole, nobody painted it here."""
        return cls("imported", structure, None, None, None)


@dataclass(frozen=True, slots=True)
class LabelledGrid:
    """`target` (structure or not) and `weight` (0: unlabelled) on one working grid."""

    target: Mask
    weight: Values


def label_grid(
    labels: Labels, geometry: VolumeGeometry, spacing_mm: tuple[float, float, float]
) -> LabelledGrid:
    """`labels`, whose masks lie on `geometry`, as the network learns them at `spacing_mm`."""
    added = _share(labels.added, geometry, spacing_mm)
    removed = _share(labels.removed, geometry, spacing_mm)
    if labels.structure is None:
        target = np.asarray(added > removed, bool)
        weight = np.full(target.shape, UNLABELLED, np.float32)
    else:
        target = mask_to_working_grid(labels.structure, geometry, spacing_mm)
        weight = _confirmed(target, _seen(labels, geometry, spacing_mm), spacing_mm)
    painted = added + removed > STROKE_SHARE
    return LabelledGrid(target, np.where(painted, np.float32(PAINTED_WEIGHT), weight))


def _confirmed(target: Mask, seen: Mask, spacing_mm: tuple[float, float, float]) -> Values:
    """Weights of a whole structure; `seen` has one entry for each working slice."""
    near = np.zeros(target.shape, bool)
    near[_box_around(target, spacing_mm)] = True
    known = seen[:, None, None]
    return np.where(
        near,
        np.where(known, SEEN_NEAR_WEIGHT, UNSEEN_NEAR_WEIGHT),
        np.where(known, SEEN_FAR_WEIGHT, UNSEEN_FAR_WEIGHT),
    ).astype(np.float32)


def _seen(labels: Labels, geometry: VolumeGeometry, spacing_mm: tuple[float, float, float]) -> Mask:
    """For each working slice, whether more than half of it was looked at."""
    slices = geometry.shape[0]
    looked_at = np.full((slices, 1, 1), labels.slices_seen is None)
    looked_at[[k for k in labels.slices_seen or () if k < slices]] = True
    # One column of voxels is enough: a slice is seen whole or not at all.
    column = replace(
        geometry,
        shape=looked_at.shape,
        spacing_mm=(geometry.spacing_mm[0], spacing_mm[1], spacing_mm[2]),
    )
    return mask_to_working_grid(looked_at, column, spacing_mm)[:, 0, 0]


def _share(
    mask: Mask | None, geometry: VolumeGeometry, spacing_mm: tuple[float, float, float]
) -> Values:
    """How much of each working voxel lies in `mask`, 0..1; a single 0 where there is none."""
    if mask is None:
        return np.zeros((), np.float32)
    return share_on_working_grid(mask, geometry, spacing_mm)


def _box_around(target: Mask, spacing_mm: tuple[float, float, float]) -> tuple[slice, ...]:
    if not target.any():
        return (slice(0, 0),) * 3
    margin = np.rint(NEAR_MM / np.asarray(spacing_mm)).astype(int)
    voxels = np.argwhere(target)
    low = np.maximum(voxels.min(0) - margin, 0)
    high = voxels.max(0) + margin + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
