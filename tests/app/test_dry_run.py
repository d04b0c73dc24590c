"""`recontour rules`: which rule fires for files, and why, without a node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.dry_run import dry_run
from core.errors import UnreadableObjectError
from tests.support import synthetic_dicom as synthetic
from tests.support.settings import write_config

WHAT = {"structures": ["Heart"], "destinations": ["TPS"]}
RULES = [
    {"name": "knee", "when": {"body_part_examined": "KNEE"}, **WHAT},
    {"name": "breast", "when": {"protocol_name": "Breast*", "calling_ae_title": "TPS"}, **WHAT},
    {"name": "ct", "when": {"modality": "CT"}, **WHAT},
]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A CT of three slices under the protocol Breast DIBH, and a dose on it."""
    ct = synthetic.ct_series(shape=(3, 8, 8))
    for ds in ct:
        ds.ProtocolName = "Breast DIBH"
    folder = tmp_path / "series"
    synthetic.written(ct, folder)
    dose = synthetic.rtdose(lambda x, y, z: 1.0 + 0 * x, shape=(3, 4, 4), ct=ct[0])
    (folder / "RD.dcm").write_bytes(synthetic.encoded(dose))
    return folder


def recontour(tmp_path: Path, *words: str) -> Result:
    config = write_config(tmp_path, rules=RULES)
    return CliRunner().invoke(app, [*words, "--config", str(config)])


def decisions(result: Result) -> dict[str, str]:
    return {row["rule"]: row["decision"] for row in json.loads(result.output)}


def test_it_says_for_every_rule_whether_it_fires_and_why(tmp_path: Path, series: Path) -> None:
    result = recontour(tmp_path, "rules", "test", str(series), "--calling", "TPS", "--json")
    assert result.exit_code == 0, result.output
    assert decisions(result) == {
        "knee": "does not fit",
        "breast": "fires",
        "ct": "fits, but comes later",
    }
    knee, breast, _ = json.loads(result.output)
    assert knee["why"] == "body_part_examined does not fit KNEE"
    assert breast["why"] == "calling_ae_title fits TPS, protocol_name fits Breast*"


def test_another_caller_makes_another_rule_fire(tmp_path: Path, series: Path) -> None:
    result = recontour(tmp_path, "rules", "test", str(series), "--calling", "PACS", "--json")
    assert decisions(result)["ct"] == "fires"


def test_the_table_shows_what_was_found_once_a_series_and_what_no_rule_is_asked_for(
    tmp_path: Path, series: Path
) -> None:
    result = recontour(tmp_path, "rules", "test", str(series))
    assert result.exit_code == 0, result.output
    assert result.output.count("protocol_name Breast DIBH") == 1
    assert "a RTDOSE joins one" in result.output


def test_a_series_that_no_rule_fits_ends_with_exit_code_1(tmp_path: Path, series: Path) -> None:
    config = write_config(tmp_path, rules=RULES[:2])
    result = CliRunner().invoke(app, ["rules", "test", str(series), "--config", str(config)])
    assert result.exit_code == 1


def test_the_rules_are_listed_in_their_order(tmp_path: Path) -> None:
    result = recontour(tmp_path, "rules", "list", "--json")
    listed = json.loads(result.output)
    assert [row["rule"] for row in listed] == ["knee", "breast", "ct"]
    assert listed[1]["when"] == "calling_ae_title TPS, protocol_name Breast*"
    assert (listed[1]["priority"], listed[1]["returning"]) == ("normal", "compare")


def test_a_file_that_is_not_dicom_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(UnreadableObjectError, match=r"^letter\.txt: "):
        dry_run([tmp_path / "letter.txt"], [], calling_ae_title="")
