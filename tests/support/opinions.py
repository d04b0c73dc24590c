"""A ball of 50 mm on a small grid, and a physician who is certain of what a heart is."""

from __future__ import annotations

import numpy as np

from app.experiment.physician import Opinion
from core.geometry import Mask, VolumeGeometry

GEOMETRY = VolumeGeometry(
    shape=(40, 60, 60),
    origin_mm=(0.0, 0.0, 0.0),
    spacing_mm=(3.0, 3.0, 3.0),
    frame_of_reference_uid="2.25.1",
)


def ball(radius_mm: float = 50.0, *, shift: int = 0) -> Mask:
    """In the middle, or `shift` voxels of 3 mm to the left."""
    index = np.moveaxis(np.indices(GEOMETRY.shape), 0, -1) - (20, 30, 30 + shift)
    return np.asarray(np.linalg.norm(3.0 * index, axis=-1) < radius_mm)


def certain(meant: Mask, *overlooked: int) -> Opinion:
    """Who means just this, and looks at every slice but these."""
    looked = np.ones(len(meant), bool)
    looked[list(overlooked)] = False
    return Opinion(meant, looked, GEOMETRY)


def rng() -> np.random.Generator:
    """The same numbers each time."""
    return np.random.default_rng(7)
