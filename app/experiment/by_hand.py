"""A structure contoured by hand: every third slice is drawn, those between are interpolated."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.experiment.physician import Corrected, Opinion
from core.geometry import Mask

EVERY = 3


def draw(opinion: Opinion) -> tuple[Corrected, tuple[int, ...]]:
    """What the physician means, drawn on every third slice and at both ends; the slices drawn.

    Between two of them each slice is where the mean of their signed distances, weighted by how
    near they are, is positive.
    """
    meant = opinion.meant
    there = np.flatnonzero(meant.any((1, 2)))
    drawn = sorted({*(int(k) for k in there[::EVERY]), int(there[-1])})
    approved = np.zeros_like(meant)
    approved[drawn] = meant[drawn]
    pixel_mm = opinion.geometry.spacing_mm[1:]
    for low, high in pairwise(drawn):
        below, above = (_signed_mm(meant[k], pixel_mm) for k in (low, high))
        for k in range(low + 1, high):
            share = (k - low) / (high - low)
            approved[k] = (1 - share) * below + share * above > 0
    none = np.zeros_like(meant)
    return Corrected(approved, approved, none, tuple(int(k) for k in there)), tuple(drawn)


def _signed_mm(mask: Mask, pixel_mm: tuple[float, ...]) -> npt.NDArray[np.float64]:
    inside = ndimage.distance_transform_edt(mask, pixel_mm)
    return np.asarray(inside - ndimage.distance_transform_edt(~mask, pixel_mm))
