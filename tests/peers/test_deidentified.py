"""What foreign programs say of de-identified objects."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.objects.deidentify import Deidentifier
from tests.dicom_node.test_deidentify import TELLING, identified
from tests.support.peers import require_program
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import written

pytestmark = pytest.mark.peer


def _anonymous(paths: Sequence[Path], folder: Path) -> list[Path]:
    folder.mkdir()
    made = Deidentifier()
    for path in paths:
        made.look_for_whom(dcmread(path, stop_before_pixels=True))
    new = [folder / f"{n}.dcm" for n in range(len(paths))]
    for path, target in zip(paths, new, strict=True):
        target.write_bytes(made.deidentified(dcmread(path)).content)
    return new


def _errors(path: Path) -> set[str]:
    command = [str(require_program("dciodvfy")), str(path)]
    judged = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    assert judged.stderr
    return {line for line in judged.stderr.splitlines() if line.startswith("Error")}


def _judged_alike(paths: Sequence[Path], folder: Path) -> None:
    for before, after in zip(paths, _anonymous(paths, folder), strict=True):
        assert _errors(after) - _errors(before) == set()


def test_dciodvfy_finds_no_new_error_in_synthetic_objects(tmp_path: Path) -> None:
    _judged_alike(written(identified(), tmp_path / "before"), tmp_path / "after")


@pytest.mark.parametrize("files", ["eclipse-breast-dicompyler/rt*", "chest-crlm-1006/CT/1-01.dcm"])
def test_dciodvfy_finds_no_new_error_in_real_objects(files: str, tmp_path: Path) -> None:
    folder, pattern = files.split("/", 1)
    _judged_alike(sorted(shared_data(folder).glob(pattern)), tmp_path / "after")


def test_dcmtk_reads_every_object_and_prints_nobody(tmp_path: Path) -> None:
    for path in _anonymous(written(identified(), tmp_path / "before"), tmp_path / "after"):
        command = [str(require_program("dcmdump")), "+L", str(path)]
        dumped = subprocess.run(command, check=True, capture_output=True)
        text = dumped.stdout.decode("latin-1")
        assert "PatientIdentityRemoved" in text
        assert not any(word.casefold() in text.casefold() for word in TELLING)
