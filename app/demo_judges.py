"""Phantoms of the demo that judge: contoured elsewhere, imported, never learned from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.clinic_contours import write_contours
from app.clinic_dicom import write_patient
from app.experiment.physician import opinion_of
from dicom_node.objects.ct_reader import read_ct

# As many as the gate resamples (model/gate.py).
SEEDS = (41, 42, 43, 44, 45)


def write_judges(
    folder: Path,
    roi_name: str,
    spacing_mm: tuple[float, float, float],
    should_stop: Callable[[], bool],
) -> None:
    """CT, dose and structure set of each, as another system exports them; a folder for each."""
    for seed in SEEDS:
        if should_stop():
            return
        place = folder / str(seed)
        patient = write_patient(place, seed, spacing_mm=spacing_mm)
        truth, geometry = patient.phantom.heart, patient.phantom.volume.geometry
        opinion = opinion_of(truth, geometry, np.random.default_rng([seed, 1]))
        ct = read_ct(list(patient.ct_paths))
        write_contours(place / "RS.dcm", ct, opinion.meant, roi_name)
