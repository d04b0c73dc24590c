"""Foreign readers of RTSTRUCT that say which voxels a structure holds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from core.geometry import Mask
from tests.support.peers import missing, require_program


def by_plastimatch(rtstruct: Path, ct_folder: Path, out: Path) -> dict[str, Mask]:
    """Canonical masks (slice, row, column) by ROI name; plastimatch fills every polygon."""
    command: list[str | Path] = [require_program("plastimatch"), "convert"]
    command += ["--input", rtstruct, "--referenced-ct", ct_folder]
    command += ["--output-prefix", out, "--prefix-format", "nrrd"]
    subprocess.run(command, check=True, capture_output=True)
    return {path.stem: _canonical(path) for path in out.glob("*.nrrd")}


def by_dcmrtstruct2nii(rtstruct: Path, ct_folder: Path, out: Path) -> dict[str, Mask]:
    """Canonical masks (slice, row, column) by ROI name; dcmrtstruct2nii counts crossings."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()):
        # dcmrtstruct2nii 5 calls what pydicom 3 has taken away.
        patch.setattr(pydicom, "read_file", pydicom.dcmread, raising=False)
        try:
            from dcmrtstruct2nii import dcmrtstruct2nii  # noqa: PLC0415 (needs the line above)
        except ModuleNotFoundError as error:
            missing(f"dcmrtstruct2nii cannot be imported ({error.name})")
        dcmrtstruct2nii(
            str(rtstruct), str(ct_folder), str(out), gzip=False, convert_original_dicom=False
        )
    return {path.stem.removeprefix("mask_"): _canonical(path) for path in out.glob("*.nii")}


def folder_of(paths: Iterable[Path], folder: Path) -> Path:
    """A folder that holds these files alone."""
    folder.mkdir(parents=True)
    for path in paths:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def _canonical(path: Path) -> Mask:
    turned = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")  # type: ignore[no-untyped-call]
    return np.asarray(sitk.GetArrayFromImage(turned) > 0, np.bool_)
