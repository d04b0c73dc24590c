"""Synthetic doses before foreign readers: the same dose at the same places."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from core.volume import Volume
from dicom_node.objects.rtdose_reader import read_dose
from tests.support.peers import require_program
from tests.support.synthetic_dicom import PATIENT_POSITIONS, rtdose, written

pytestmark = pytest.mark.peer

# Plastimatch 1.9.4 puts these elsewhere than SimpleITK and the formula of PS3.3 C.7.6.2.1.1.
_PLASTIMATCH_CANNOT = {"HFDR", "HFDL"}


def _slope_gy(x: Any, y: Any, z: Any) -> Any:
    return 30.0 + 0.1 * x + 0.2 * y + 0.3 * z


def _require_same(image: sitk.Image, dose: Volume, *, scaling: float = 1.0) -> None:
    turned = sitk.DICOMOrient(image, "LPS")  # type: ignore[no-untyped-call]
    assert turned.GetOrigin() == pytest.approx(dose.geometry.origin_mm, abs=1e-3)
    assert turned.GetSpacing()[::-1] == pytest.approx(dose.geometry.spacing_mm, abs=1e-4)
    assert np.allclose(sitk.GetArrayFromImage(turned) * scaling, dose.values, atol=1e-4)


@pytest.mark.parametrize("offsets", ["relative", "descending"])
@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_simpleitk_and_plastimatch_find_the_same_dose(
    patient_position: str, offsets: str, tmp_path: Path
) -> None:
    ds = rtdose(
        _slope_gy,
        patient_position=patient_position,
        offsets=offsets,
        bits=16,
        centre_mm=(5.0, -3.0, 12.0),
        spacing_mm=(3.0, 2.0, 2.5),
    )
    (path,) = written([ds], tmp_path)
    dose = read_dose(path).volume
    image = sitk.ReadImage(str(path))
    scaled = np.issubdtype(sitk.GetArrayFromImage(image).dtype, np.floating)
    _require_same(image, dose, scaling=1.0 if scaled else float(ds.DoseGridScaling))
    if patient_position in _PLASTIMATCH_CANNOT:
        return
    found = tmp_path / "dose.nrrd"
    command: list[str | Path] = [require_program("plastimatch"), "convert"]
    command += ["--input-dose-img", path, "--output-dose-img", found]
    subprocess.run(command, check=True, capture_output=True)
    _require_same(sitk.ReadImage(str(found)), dose)
