"""What a correction meant: overlap, volume and dose, before against after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import GeometryMismatchError
from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dose.metrics import RoiDose, roi_dose


@dataclass(frozen=True, slots=True)
class DoseDifference:
    """One structure as predicted and as corrected, on one dose grid.

    Differences are corrected minus predicted. They compare the covered parts: look at both
    coverages before trusting `mean_difference_gy`.
    """

    predicted: RoiDose
    corrected: RoiDose
    dice: float

    @property
    def mean_difference_gy(self) -> float | None:
        """Change of the mean dose in Gy; None where either mean is unknown."""
        if self.predicted.mean_gy is None or self.corrected.mean_gy is None:
            return None
        return self.corrected.mean_gy - self.predicted.mean_gy

    @property
    def volume_difference_cc(self) -> float:
        """Change of the volume in cc."""
        return self.corrected.volume_cc - self.predicted.volume_cc


def dose_difference(
    dose: Volume, predicted: Mask, corrected: Mask, geometry: VolumeGeometry
) -> DoseDifference:
    """Figures of both masks, which lie on `geometry`, under `dose` in Gy on its own grid."""
    return DoseDifference(
        predicted=roi_dose(dose, predicted, geometry),
        corrected=roi_dose(dose, corrected, geometry),
        dice=dice(predicted, corrected),
    )


def dice(a: Mask, b: Mask) -> float:
    """Overlap of two masks on one grid, 0..1 (twice the common voxels over the sum of both).

    Two empty masks agree: 1. Raises `GeometryMismatchError` where the shapes differ.
    """
    if a.shape != b.shape:
        raise GeometryMismatchError(
            f"Masks of shape {a.shape} and {b.shape} lie on different grids. "
            "Rasterise both structures on one geometry."
        )
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2.0 * int(np.count_nonzero(a & b)) / total if total else 1.0
