"""Structure sets written for tests, and masks that are hard to write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from core.config import CodeSettings
from core.geometry import Mask, VolumeGeometry
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_writer import WrittenRoi, write_structure_set
from tests.support.synthetic_dicom import Field, ct_series, written

MADE_AT = datetime(2026, 3, 4, 5, 6, 7)  # noqa: DTZ001 (written as it stands)


def flat_hu(x: Any, y: Any, z: Any) -> Any:
    """Water everywhere: series of any size fit into 12 bits."""
    return 0.0 * x + 0.0 * y + 0.0 * z


def ct_on_disk(folder: Path, *, hu: Field = flat_hu, **series: Any) -> tuple[CtVolume, list[Path]]:
    """A CT as it is read back, and its files; `series` as for `ct_series`."""
    paths = written(ct_series(hu=hu, **series), folder)
    return read_ct(paths), paths


def ball(geometry: VolumeGeometry, radius_mm: float) -> Mask:
    """Voxels whose centre lies within `radius_mm` of the middle of the grid."""
    middle = geometry.index_to_mm((np.asarray(geometry.shape) - 1) / 2 + 0.15)
    indices = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    distance_mm = np.linalg.norm(geometry.index_to_mm(indices) - middle, axis=-1)
    return np.asarray(distance_mm <= radius_mm, np.bool_)


def heart_with_hole(geometry: VolumeGeometry, *, radius_mm: float, hole_mm: float) -> Mask:
    """A ball without its middle."""
    return ball(geometry, radius_mm) & ~ball(geometry, hole_mm)


def structure_set_bytes(
    ct: CtVolume,
    masks: Mapping[str, Mask],
    *,
    codes: Mapping[str, CodeSettings] = MappingProxyType({}),
    **changes: Any,
) -> bytes:
    """The RTSTRUCT of `masks`, unapproved unless `changes` say otherwise."""
    arguments: dict[str, Any] = {
        "sop_instance_uid": "2.25.11",
        "series_instance_uid": "2.25.12",
        "label": "Recontour",
        "made_at": MADE_AT,
        "approval": None,
        "software_versions": ("0.1.0", "model none"),
        "series_description": "Reviewed and approved",
    }
    rois = [
        WrittenRoi(name, mask, "ORGAN", (255, 209, 102), codes.get(name))
        for name, mask in masks.items()
    ]
    return write_structure_set(ct, rois, **(arguments | changes))
