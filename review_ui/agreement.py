"""Volume and dose of a kept contour, and how far two of them agree; computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from core.case_files import CaseFiles
from core.errors import GeometryMismatchError
from core.geometry import VolumeGeometry
from core.records import Case
from core.surfaces import surface_distances
from dose.difference import dice
from dose.metrics import roi_dose
from review_ui.context import Desk
from review_ui.facts import newest_dose


@dataclass(frozen=True, slots=True)
class Contour:
    """Volume in cc, mean dose in Gy (None without a dose that reaches it) and its coverage."""

    volume_cc: float
    mean_gy: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Dice, mean and 95 % Hausdorff surface distance in mm; mean dose of the second minus first."""

    dice: float
    mean_mm: float
    hausdorff_95_mm: float
    mean_difference_gy: float | None


def contour_of(room: Desk, current: Case, mask_name: str) -> Contour:
    """Figures of a mask among the files of a case, on the dose that came last."""
    assert current.geometry is not None, "there are no contours without a volume"
    dose_id = newest_dose(room, current.id)
    return _contour(room.store.files, current.id, mask_name, current.geometry, dose_id)


def agreement_of(room: Desk, current: Case, first: str, second: str) -> Agreement:
    """How far two masks among the files of a case agree."""
    assert current.geometry is not None, "there are no contours without a volume"
    overlap, mean_mm, far_mm = _surfaces(
        room.store.files, current.id, first, second, current.geometry.spacing_mm
    )
    a, b = (contour_of(room, current, name).mean_gy for name in (first, second))
    return Agreement(overlap, mean_mm, far_mm, None if a is None or b is None else b - a)


@lru_cache(maxsize=512)  # the masks asked for never change
def _contour(
    files: CaseFiles, case_id: str, name: str, geometry: VolumeGeometry, dose_id: int | None
) -> Contour:
    mask = files.read_mask(case_id, name)
    if dose_id is None:
        return Contour(geometry.volume_cc(mask), None, 0.0)
    try:
        figures = roi_dose(files.read_dose(case_id, dose_id), mask, geometry)
    except GeometryMismatchError:  # the dose is of another frame of reference: volume alone
        return Contour(geometry.volume_cc(mask), None, 0.0)
    return Contour(figures.volume_cc, figures.mean_gy, figures.coverage)


@lru_cache(maxsize=512)
def _surfaces(
    files: CaseFiles, case_id: str, first: str, second: str, spacing_mm: tuple[float, float, float]
) -> tuple[float, float, float]:
    a, b = files.read_mask(case_id, first), files.read_mask(case_id, second)
    apart = surface_distances(a, b, spacing_mm)
    return dice(a, b), apart.mean_mm(), apart.hausdorff_95_mm()
