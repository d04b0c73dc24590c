"""Rules of the house that no other tool holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.refuse_patient_data import reason_to_refuse
from tests.support.settings import REPOSITORY

LONGEST = 400
CODE = {".py", ".js", ".css", ".html", ".yaml", ".toml"}


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def test_no_file_has_more_than_one_purpose_s_worth_of_lines() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in tracked()
        if path.suffix in CODE and (lines := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}


def test_no_dicom_object_and_no_large_file_is_in_the_repository() -> None:
    assert [r for path in tracked() if (r := reason_to_refuse(path))] == []


def test_a_dicom_file_would_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"\0" * 128 + b"DICM")
    assert "is a DICOM file" in str(reason_to_refuse(path))
