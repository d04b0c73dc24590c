"""A body with a heart in it, made of ellipsoids: small, and large enough to be taken for one."""

from __future__ import annotations

import numpy as np

from core.geometry import Mask, VolumeGeometry
from core.volume import Volume

GEOMETRY = VolumeGeometry(
    (24, 40, 52), (0.0, 0.0, 0.0), (8.0, 6.0, 6.0), "1.2.826.0.1.3680043.10.1"
)


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Mask:
    """True inside, in voxels of `GEOMETRY` (slice, row, column)."""
    index = np.moveaxis(np.indices(GEOMETRY.shape), 0, -1)
    return np.asarray((((index - centre) / np.asarray(radii)) ** 2).sum(-1) <= 1.0, bool)


BODY = ellipsoid((11.5, 19.5, 25.5), (1000.0, 17.0, 23.0))
HEART = ellipsoid((11.5, 17.5, 29.5), (6.0, 8.0, 9.0))
"""24 mm to the left of the middle, about 520 cc."""
FLIPPED: Mask = HEART[:, :, ::-1]
CT = Volume(np.where(HEART, 45, np.where(BODY, 0, -1000)).astype(np.int16), GEOMETRY)
