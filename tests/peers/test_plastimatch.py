from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from core.geometry import Mask
from tests.dicom_node.structure_sets import ct_on_disk, heart_with_hole, structure_set_bytes
from tests.support.peers import require_program
from tests.support.synthetic_dicom import PATIENT_POSITIONS

pytestmark = pytest.mark.peer


def _by_plastimatch(folder: Path, roi_name: str) -> Mask:
    """The canonical mask (slice, row, column) that plastimatch finds on the CT beside it."""
    command: list[str | Path] = [require_program("plastimatch"), "convert"]
    command += ["--input", folder / "rs.dcm", "--referenced-ct", folder / "ct"]
    command += ["--output-prefix", folder / "out", "--prefix-format", "nrrd"]
    subprocess.run(command, check=True, capture_output=True)
    image = sitk.ReadImage(str(folder / "out" / f"{roi_name}.nrrd"))
    turned = sitk.DICOMOrient(image, "LPS")  # type: ignore[no-untyped-call]
    return np.asarray(sitk.GetArrayFromImage(turned) > 0, np.bool_)


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_plastimatch_reads_our_structure_set_as_the_same_voxels(
    patient_position: str, tmp_path: Path
) -> None:
    """Plastimatch fills the union of polygons: only a keyhole keeps the hole."""
    ct, _ = ct_on_disk(
        tmp_path / "ct",
        shape=(20, 48, 64),
        spacing_mm=(3.0, 2.0, 1.5),
        patient_position=patient_position,
    )
    heart = heart_with_hole(ct.geometry, radius_mm=25.0, hole_mm=10.0)
    voxel = np.zeros_like(heart)
    voxel[4, 3, 2] = True
    masks = {"Heart": heart, "Voxel": voxel}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    assert np.array_equal(_by_plastimatch(tmp_path, "Heart"), heart)
    assert np.array_equal(_by_plastimatch(tmp_path, "Voxel"), voxel)


def test_plastimatch_reads_a_sieve_with_islands_as_the_same_voxels(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path / "ct", shape=(4, 40, 40))
    sieve = np.zeros(ct.geometry.shape, np.bool_)
    sieve[1:3, 3:37, 3:37] = True
    sieve[1:3, 6:34:4, 6:34:4] = False
    sieve[1, 15:25, 15:25] = False
    sieve[1, 18:22, 18:22] = True
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, {"Heart": sieve}))
    found = _by_plastimatch(tmp_path, "Heart")
    dice = 2 * (found & sieve).sum() / (found.sum() + sieve.sum())
    assert dice >= 0.99
