"""A case with a known heart, and what the node keeps of a review of it."""

from __future__ import annotations

import numpy as np

from core.approval import replayed
from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from tests.browser.conftest import Site
from tests.browser.review_page import voxels_of

GEOMETRY = VolumeGeometry(
    shape=(40, 96, 96),
    origin_mm=(-86.0, -90.0, -60.0),
    spacing_mm=(3.0, 1.9, 1.6),
    frame_of_reference_uid="1.2.826.0.1.3680043.10.7",
)


def ellipsoid(centre: tuple[float, float, float], radii_mm: tuple[float, float, float]) -> Mask:
    """Voxels inside an ellipsoid; `centre` as fractions of the volume, (slice, row, column)."""
    indices = np.indices(GEOMETRY.shape, dtype=float)
    reach = [
        ((indices[i] - c * GEOMETRY.shape[i]) * GEOMETRY.spacing_mm[i] / radii_mm[i]) ** 2
        for i, c in enumerate(centre)
    ]
    return np.asarray(sum(reach) <= 1.0)


HEART = ellipsoid((0.5, 0.48, 0.55), (35.0, 30.0, 34.0))
BODY = ellipsoid((0.5, 0.5, 0.5), (200.0, 75.0, 72.0))
CT = Volume(np.where(HEART, 45, np.where(BODY, -80, -1000)).astype(np.int16), GEOMETRY)
DOSE = Volume(np.where(BODY, 3.0, 0.0).astype(np.float32), GEOMETRY)


def kept_strokes(site: Site, case_id: str) -> list[tuple[str, Mask]]:
    entries = site.store.reviews.entries(case_id, "Heart")
    return [(e.payload["tool"], voxels_of(e, GEOMETRY)) for e in entries if e.kind == "stroke"]


def corrected(site: Site, case_id: str, base: Mask | None = HEART) -> Mask:
    return replayed(site.store, site.store.cases.get(case_id), "Heart").corrected(base)
