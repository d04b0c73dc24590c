"""What the network learns from: approved masks as dense labels, painted voxels weighing more."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.config import ModelSettings
from core.errors import UnreadableObjectError
from core.files import read_array, write_array
from core.geometry import Mask
from core.volume import Volume
from model.preprocess import Values, mask_to_working_grid, tissue_on_working_grid

# Measured on phantoms: an error that the physician left alone becomes dense "truth", so only what
# was painted counts in full.
PAINTED_WEIGHT = 1.0
NEAR_WEIGHT = 0.25
FAR_WEIGHT = 0.05
NEAR_MM = 20.0
_RECIPE = "mix-2"
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """One approved structure on the working grid.

    `image` is in HU, `target` the approved mask, `weight` how much a voxel counts (0: unlabelled).
    `patient_key` names the patient without identifying anybody. `dose_gy` is the dose on the same
    grid (NaN where nothing was calculated), None without a dose.
    """

    case_id: str
    patient_key: str
    image: Values
    target: Mask
    weight: Values
    spacing_mm: tuple[float, float, float]
    dose_gy: Values | None = None


def make_training_case(
    volume: Volume,
    approved: Mask,
    *,
    painted: Mask | None,
    settings: ModelSettings,
    case_id: str,
    patient_key: str,
) -> TrainingCase:
    """The approved structure of a CT (`volume`, HU; masks on its grid) as the network learns it.

    Painted voxels weigh 1, the box around the structure grown by 20 mm weighs 0.25, the rest 0.05.
    """
    spacing_mm = settings.spacing_mm
    image = tissue_on_working_grid(volume, spacing_mm)
    target = mask_to_working_grid(approved, volume.geometry, spacing_mm)
    weight = np.full(target.shape, FAR_WEIGHT, np.float32)
    weight[_box_around(target, spacing_mm)] = NEAR_WEIGHT
    if painted is not None:
        # A stroke may be thinner than a working voxel.
        weight[mask_to_working_grid(painted, volume.geometry, spacing_mm, share=0.1)] = (
            PAINTED_WEIGHT
        )
    return TrainingCase(case_id, patient_key, image.values, target, weight, spacing_mm)


def cached_training_case(
    folder: Path,
    correction_id: str,
    settings: ModelSettings,
    make: Callable[[], TrainingCase],
    *,
    case_id: str,
    patient_key: str,
) -> TrainingCase:
    """The case of a correction from the cache in `folder`; made and kept where it is not there.

    The file's name carries the correction and the settings, so it never goes stale; its arrays
    are memory-mapped. A damaged file is made anew.
    """
    if not _SAFE_NAME.fullmatch(correction_id):
        raise UnreadableObjectError(
            f"{correction_id[:80]!r} cannot name a file; a correction's id has letters, digits, "
            "dots and dashes."
        )
    path = folder / f"{correction_id}.{_settings_digest(settings)}.npy"
    try:
        image, target, weight = read_array(path)
    except (OSError, ValueError, EOFError):
        made = make()
        write_array(path, np.stack([made.image, made.target.astype(np.float32), made.weight]))
        image, target, weight = read_array(path)
    return TrainingCase(case_id, patient_key, image, target > 0.5, weight, settings.spacing_mm)


def _box_around(target: Mask, spacing_mm: tuple[float, float, float]) -> tuple[slice, ...]:
    if not target.any():
        return (slice(0, 0),) * 3
    margin = np.rint(NEAR_MM / np.asarray(spacing_mm)).astype(int)
    voxels = np.argwhere(target)
    low = np.maximum(voxels.min(0) - margin, 0)
    high = voxels.max(0) + margin + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _settings_digest(settings: ModelSettings) -> str:
    values = [_RECIPE, settings.spacing_mm]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
