"""Rows of dose figures of ROIs, and what is said beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.contour_grid import grid_around
from app.dvh_table import DvhTable
from core.errors import UnreadableObjectError
from core.geometry import VolumeGeometry
from core.structures import Roi, StructureSet
from core.volume import Volume
from dose.dvh import Dvh
from dose.dvh_metrics import metric
from dose.grid import SampledDose
from dose.interpolation import Between
from dose.metrics import RoiDose, figures_of
from dose.solid import Ends, sample_contours

Row = dict[str, Any]
_NOTHING = SampledDose(np.empty(0), np.empty(0, bool), np.empty(0))


@dataclass(frozen=True, slots=True)
class DoseColumns:
    """What a row tells of the dose of one structure."""

    ends: Ends
    between: Between
    metrics: tuple[str, ...]
    curves: DvhTable | None = None

    def __post_init__(self) -> None:
        self.of(_NOTHING, "")  # a wrong name is refused before anything is computed

    def of(self, sampled: SampledDose | None, note: str, *, roi_name: str = "") -> Row:
        """The columns of one ROI; of one without figures where nothing was sampled.

        Its histogram goes to `curves`, if there is such a table.
        """
        figures = None if sampled is None else figures_of(sampled)
        row: Row = {
            "volume_cc": figures and figures.volume_cc,
            "mean_gy": figures and figures.mean_gy,
            "min_gy": figures and figures.minimum_gy,
            "max_gy": figures and figures.maximum_gy,
            "coverage": figures and figures.coverage,
        }
        dvh = Dvh.of(sampled or _NOTHING)
        if self.curves is not None:
            self.curves.add(roi_name, dvh)
        for found in (metric(dvh, name) for name in self.metrics):
            row[f"{found.name} ({found.unit})"] = found.value
        return row | {"note": sentences(note, coverage_note(figures))}


def dose_row(
    roi: Roi,
    structure_set: StructureSet,
    dose: Volume,
    ct: VolumeGeometry | None,
    columns: DoseColumns,
) -> Row:
    """The figures of `roi`, on the CT's voxels or without a CT on voxels around its contours."""
    row: Row = {"roi_number": roi.roi_number, "roi_name": roi.roi_name}
    if not roi.contours:
        return row | columns.of(_NOTHING, contour_note(roi, off_grid=0))
    try:
        geometry = ct or grid_around(roi.contours, structure_set)
    except UnreadableObjectError as error:
        # One ROI that needs the CT must not cost the figures of all others.
        return row | columns.of(None, str(error))
    contours = [contour.points_mm for contour in roi.contours]
    found = sample_contours(dose, contours, geometry, ends=columns.ends, between=columns.between)
    note = contour_note(roi, off_grid=found.contours_off_grid)
    return row | columns.of(found.sampled, note, roi_name=roi.roi_name)


def contour_note(roi: Roi, *, off_grid: int) -> str:
    """What could not be taken of the contours of `roi`, in sentences; "" where nothing is."""
    return sentences(
        "" if roi.contours else "It has no contours.",
        f"Contours that lie on no slice were left out: {off_grid} of {len(roi.contours)}."
        if off_grid
        else "",
        *roi.findings,
    )


def coverage_note(figures: RoiDose | None) -> str:
    """A sentence where the dose grid does not cover the whole structure, else ""."""
    if figures is None or not figures.volume_cc or figures.coverage == 1.0:
        return ""
    if figures.mean_gy is None:
        return "The dose grid does not reach it."
    return (
        f"The dose grid covers {_percent_below(figures.coverage)} % of it; the dose figures are "
        "of that part."
    )


def _percent_below(part: float) -> float:
    # Rounded down: 100.0 % would contradict the sentence it stands in.
    return math.floor(1000.0 * part) / 10.0


def sentences(*notes: str) -> str:
    """Those of `notes` that say something, one after the other."""
    return " ".join(note for note in notes if note)
