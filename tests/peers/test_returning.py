"""A structure set of ours, taken in and exported anew by another program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.peers import require_program
from tests.support.returned_files import SENT, Delivered, deliver_a_case


def exported_by_plastimatch(delivered: Delivered, folder: Path) -> Path:
    """What plastimatch makes of it: painted, outlined and written with UIDs of its own."""
    (folder / "CT").mkdir()
    for path in (folder / "pushed").glob("*.dcm"):
        if dcmread(path, stop_before_pixels=True).Modality == "CT":
            shutil.copy(path, folder / "CT")
    words: list[str | Path] = [require_program("plastimatch"), "convert"]
    words += ["--input", delivered.structure_set, "--referenced-ct", folder / "CT"]
    subprocess.run([*words, "--output-dicom", folder / "out"], check=True, capture_output=True)
    (found,) = (folder / "out").glob("*.dcm")
    return found


@pytest.mark.peer
def test_what_plastimatch_exports_anew_is_confirmed_voxel_for_voxel(tmp_path: Path) -> None:
    delivered = deliver_a_case(tmp_path, returning="learn")
    back = dcmread(exported_by_plastimatch(delivered, tmp_path))
    assert back.SOPInstanceUID != delivered.received_by_tps().SOPInstanceUID
    delivered.comes_back(back)
    (row,) = delivered.room.store.returned.all()
    assert (row.matched_by, row.unchanged, row.note) == ("series_and_roi", True, "")
    assert row.returned_cc == pytest.approx(int(SENT.sum()) * 0.012)
