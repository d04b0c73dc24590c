"""The commands that need no node, on real cases and on synthetic ones with a known answer."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from rich.console import Console

from app.dose_rows import Row
from app.dvh_table import DvhTable
from app.offline import compare_command, dose_command
from app.tables import print_table, show
from core.errors import GeometryMismatchError
from dose.dvh import Dvh
from tests.support import synthetic_dicom as synthetic
from tests.support.polygon_dose import polygon_dose
from tests.support.shared_data import shared_data


@pytest.fixture(scope="module")
def eclipse() -> Path:
    """A plan as Varian Eclipse exported it."""
    return shared_data("eclipse-breast-dicompyler")


@pytest.fixture(scope="module")
def chest() -> Path:
    return shared_data("chest-crlm-1006")


@pytest.fixture
def block_case(tmp_path: Path) -> Path:
    """A CT, a dose of 0.5 Gy/mm to the left on x >= 0 mm only, and structure sets with a block."""
    ct = synthetic.ct_series(shape=(6, 40, 40), spacing_mm=(3.0, 1.0, 1.0))
    synthetic.written(ct, tmp_path / "CT")
    dose = synthetic.rtdose(
        lambda x, y, z: 0.5 * x, shape=(12, 25, 11), spacing_mm=(2.5, 2.0, 2.0),
        centre_mm=(10.0, 0.0, 0.0), ct=ct[0],
    )  # fmt: skip
    (tmp_path / "RD.dcm").write_bytes(synthetic.encoded(dose))
    first = {"Block": block(ct, 0.0, 8.0), "Whole": block(ct, -8.0, 8.0), "Empty": []}
    second = {"BLOCK ": block(ct, 4.0, 12.0), "New": block(ct, 0.0, 8.0)}
    for name, rois in (("first", first), ("second", second)):
        ds = synthetic.rtstruct(ct, rois, name=name)
        (tmp_path / f"{name}.dcm").write_bytes(synthetic.encoded(ds))
    return tmp_path


def block(ct: list[Any], left: float, right: float) -> list[tuple[list[list[float]], str]]:
    """Contours from x = `left` to `right` and y = -10 to 10 mm on the four inner slices."""
    corners = [(left, -10.0), (right, -10.0), (right, 10.0), (left, 10.0)]
    return [
        ([[x, y, float(s.ImagePositionPatient[2])] for x, y in corners], str(s.SOPInstanceUID))
        for s in ct[1:5]
    ]


def row_of(rows: list[Row], roi_name: str) -> Row:
    return next(row for row in rows if row["roi_name"].strip().casefold() == roi_name.casefold())


@pytest.mark.parametrize("with_ct", [True, False], ids=["on the CT", "from the contours alone"])
def test_the_mean_heart_dose_is_that_of_eclipse(eclipse: Path, with_ct: bool) -> None:
    expected = json.loads((eclipse / "expected.json").read_text())["heart"]
    ct = eclipse / "CT_synthetic" if with_ct else None
    files = eclipse / "rtss.dcm", eclipse / "rtdose.dcm"
    heart = row_of(dose_command(*files, ct), "heart")
    assert heart["mean_gy"] == pytest.approx(expected["mean_gy"]["eclipse_dvh_sequence"], rel=0.005)
    assert heart["max_gy"] == pytest.approx(expected["max_gy"]["eclipse"], rel=0.01)
    assert heart["volume_cc"] == pytest.approx(437.46, rel=0.01)
    assert (heart["coverage"], heart["note"]) == (1.0, "")
    slabs = row_of(dose_command(*files, ct, ends="whole"), "heart")
    independent = [
        expected[of]["independent_polygon_xor_trilinear"] for of in ("volume_cc", "mean_gy")
    ]
    assert [slabs["volume_cc"], slabs["mean_gy"]] == pytest.approx(independent, rel=0.001)


def test_every_structure_of_the_eclipse_plan_has_its_row(eclipse: Path) -> None:
    """Means within 1 %, BODY and structures below 1 cc too; figures asked for stand beside them."""
    expected = json.loads((eclipse / "expected.json").read_text())["eclipse_mean_gy"]
    asked = ("mean", "D2cc", "V5Gy")
    rows = dose_command(eclipse / "rtss.dcm", eclipse / "rtdose.dcm", None, metrics=asked)
    assert len(rows) == 10
    for name, mean_gy in expected.items():
        row = row_of(rows, name)
        assert row["mean_gy"] == pytest.approx(mean_gy, rel=0.01), name
        assert row["mean (Gy)"] == pytest.approx(row["mean_gy"]), name
    assert row_of(rows, "Scar")["D2cc (Gy)"] is None
    assert 40.0 < row_of(rows, "Breast")["V5Gy (%)"] < 50.0
    areola = row_of(rows, "Areola")
    assert (areola["volume_cc"], areola["mean_gy"], areola["note"]) == (
        0.0,
        None,
        "It has no contours.",
    )


@pytest.mark.parametrize("with_ct", [True, False], ids=["on the CT", "from the contours alone"])
@pytest.mark.parametrize("roi_name", ["Heart", "BODY"])
def test_dose_of_the_chest_case_agrees_with_polygons(
    chest: Path, roi_name: str, with_ct: bool
) -> None:
    structures, dose = chest / "rt" / "RS.silver.dcm", chest / "rt" / "RD.synthetic.dcm"
    oracle = polygon_dose(structures, dose, roi_name, slice_mm=5.0, step_mm=1.0)
    ct = chest / "CT" if with_ct else None
    found = row_of(dose_command(structures, dose, ct, ends="whole"), roi_name)
    assert found["mean_gy"] == pytest.approx(oracle.mean_gy, rel=0.01)
    assert found["volume_cc"] == pytest.approx(oracle.volume_cc, rel=0.01)
    assert found["max_gy"] == pytest.approx(oracle.maximum_gy, rel=0.01)
    assert found["coverage"] == pytest.approx(oracle.coverage, abs=1e-3)


def test_a_dose_grid_over_half_the_structure_is_reported_and_not_filled(block_case: Path) -> None:
    """Of 16 columns 8 lie on x >= 0; their mean is 0.5 Gy/mm times 4 mm."""
    rows = dose_command(block_case / "first.dcm", block_case / "RD.dcm", block_case / "CT")
    whole = row_of(rows, "Whole")
    # Between the first and the last of four contours.
    assert whole["volume_cc"] == pytest.approx(16 * 20 * 3 * 0.003)
    assert whole["coverage"] == pytest.approx(0.5)
    assert whole["mean_gy"] == pytest.approx(2.0, rel=1e-3)
    assert "covers 50.0 %" in whole["note"]


def test_histograms_go_to_a_table_whose_sums_are_the_figures(block_case: Path) -> None:
    table = block_case / "dvh.csv"
    rows = dose_command(
        block_case / "first.dcm", block_case / "RD.dcm", block_case / "CT", dvh=table
    )
    with table.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["roi_name"] for line in lines} == {"Block", "Whole"}
    block = [line for line in lines if line["roi_name"] == "Block"]
    volume_cc = row_of(rows, "Block")["volume_cc"]
    assert float(block[0]["cumulative_cc"]) == pytest.approx(volume_cc, rel=1e-5)
    assert float(block[0]["cumulative_percent"]) == 100.0
    assert sum(float(line["differential_cc"]) for line in block) == pytest.approx(volume_cc)
    middles = [
        (float(line["dose_gy"]) + 0.025) * float(line["differential_percent"]) for line in block
    ]
    assert sum(middles) / 100.0 == pytest.approx(row_of(rows, "Block")["mean_gy"], abs=0.03)


def test_a_name_that_looks_like_a_formula_is_text_in_the_table(tmp_path: Path) -> None:
    table = DvhTable()
    table.add("=1+1", Dvh.from_voxels(np.array([1.0, 2.0]), voxel_volumes_cc=0.5))
    table.add("nothing", Dvh.from_voxels(np.empty(0), voxel_volumes_cc=0.5))
    table.write(tmp_path / "dvh.csv")
    lines = (tmp_path / "dvh.csv").read_text().splitlines()
    assert lines[1] == "'=1+1,0.00,1,100,0,0"
    assert len(lines) == 1 + 42


def test_what_was_left_out_is_said(block_case: Path) -> None:
    """A contour beyond the CT's last slice, an open line and a point."""
    ct = synthetic.ct_series(shape=(6, 40, 40), spacing_mm=(3.0, 1.0, 1.0))
    beyond = [([[x, y, 99.0] for x, y in ((0, 0), (5, 0), (5, 5))], None)]
    rois: dict[str, Any] = {
        "Block": [*block(ct, 0.0, 8.0), *beyond],
        "Isocentre": [([[0.0, 0.0, 0.0]], None)],
    }
    ds = synthetic.rtstruct(ct, rois)
    (block_case / "odd.dcm").write_bytes(synthetic.encoded(ds))
    rows = dose_command(block_case / "odd.dcm", block_case / "RD.dcm", block_case / "CT")
    assert "lie on no slice were left out: 1 of 5." in row_of(rows, "Block")["note"]
    assert row_of(rows, "Isocentre")["note"] == (
        "It has no contours. Points and open lines were left out: 1."
    )


def test_rois_on_another_frame_of_reference_are_told_in_a_row_of_their_own(
    block_case: Path,
) -> None:
    ct = synthetic.ct_series(shape=(6, 40, 40), spacing_mm=(3.0, 1.0, 1.0))
    ds = synthetic.rtstruct(ct, {"Block": block(ct, 0.0, 8.0), "Other": block(ct, 0.0, 8.0)})
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    (block_case / "two.dcm").write_bytes(synthetic.encoded(ds))
    told = "On another frame of reference and left out: Other."
    rows = dose_command(block_case / "two.dcm", block_case / "RD.dcm", block_case / "CT")
    assert [row["roi_name"] for row in rows] == ["Block", "(structure set)"]
    assert rows[-1]["note"] == told
    rows = compare_command(
        block_case / "CT", block_case / "first.dcm", block_case / "two.dcm", None
    )
    assert row_of(rows, "(structure set)")["note"] == f"Second: {told}"


def test_the_grid_from_contours_gives_the_figures_of_the_ct(block_case: Path) -> None:
    rows = dose_command(block_case / "first.dcm", block_case / "RD.dcm", None)
    found = row_of(rows, "Block")
    assert found["volume_cc"] == pytest.approx(8 * 20 * 3 * 0.003, rel=1e-6)
    assert found["mean_gy"] == pytest.approx(2.0, rel=1e-3)
    assert row_of(rows, "Empty")["note"] == "It has no contours."


def test_a_structure_on_one_plane_takes_its_thickness_from_the_others(tmp_path: Path) -> None:
    ct = synthetic.ct_series(shape=(6, 40, 40), spacing_mm=(3.0, 1.0, 1.0))
    rois = {"Thin": block(ct, 0.0, 8.0)[:1], "Thick": block(ct, 0.0, 8.0)}
    for name, chosen in (("both", rois), ("alone", {"Thin": rois["Thin"]})):
        ds = synthetic.rtstruct(ct, chosen, name=name)
        (tmp_path / f"{name}.dcm").write_bytes(synthetic.encoded(ds))
    dose = synthetic.rtdose(lambda x, y, z: 2.0 + 0 * x, shape=(12, 25, 25), ct=ct[0])
    (tmp_path / "RD.dcm").write_bytes(synthetic.encoded(dose))
    both = dose_command(tmp_path / "both.dcm", tmp_path / "RD.dcm", None)
    assert row_of(both, "Thin")["volume_cc"] == pytest.approx(8 * 20 * 3 / 1000)
    alone = row_of(dose_command(tmp_path / "alone.dcm", tmp_path / "RD.dcm", None), "Thin")
    assert alone["volume_cc"] is None
    assert "no thickness" in alone["note"]


def test_dose_on_another_frame_of_reference_is_refused(block_case: Path) -> None:
    other = synthetic.ct_series(name="other")
    dose = synthetic.rtdose(lambda x, y, z: 1.0 + 0 * x, ct=other[0])
    (block_case / "RD.other.dcm").write_bytes(synthetic.encoded(dose))
    with pytest.raises(GeometryMismatchError, match="Frame of Reference"):
        dose_command(block_case / "first.dcm", block_case / "RD.other.dcm", None)


def test_the_dose_of_a_part_of_the_plan_is_said(block_case: Path) -> None:
    ds = dcmread(block_case / "RD.dcm")
    ds.DoseSummationType = "FRACTION"
    ds.save_as(block_case / "RD.dcm")
    rows = dose_command(block_case / "first.dcm", block_case / "RD.dcm", block_case / "CT")
    assert "(FRACTION), not of the whole plan" in row_of(rows, "(structure set)")["note"]
    sets = (block_case / "first.dcm", block_case / "second.dcm")
    rows = compare_command(block_case / "CT", *sets, block_case / "RD.dcm")
    assert "(FRACTION), not of the whole plan" in row_of(rows, "(structure set)")["note"]


def test_a_structure_set_compared_with_itself_agrees_entirely(chest: Path) -> None:
    structures = chest / "rt" / "RS.silver.dcm"
    rows = compare_command(chest / "CT", structures, structures, chest / "rt" / "RD.synthetic.dcm")
    assert {row["roi_name"] for row in rows} == {"Heart", "BODY"}
    for row in rows:
        assert (row["dice"], row["volume_difference_cc"], row["mean_difference_gy"]) == (1, 0, 0)
        assert row["note"] == ""
        assert row["mean_1_gy"] > 0


def test_a_block_moved_by_half_its_width_has_dice_one_half(block_case: Path) -> None:
    rows = compare_command(
        block_case / "CT", block_case / "first.dcm", block_case / "second.dcm",
        block_case / "RD.dcm",
    )  # fmt: skip
    moved = row_of(rows, "block")
    assert moved["dice"] == 0.5
    assert moved["volume_difference_cc"] == 0.0
    assert moved["mean_difference_gy"] == pytest.approx(0.5 * 4.0, rel=1e-3)


def test_structures_that_only_one_set_names_say_so(block_case: Path) -> None:
    rows = compare_command(
        block_case / "CT", block_case / "first.dcm", block_case / "second.dcm", None
    )
    assert [row["roi_name"].strip() for row in rows] == ["Block", "Whole", "Empty", "New"]
    assert row_of(rows, "New")["note"] == "First: It is not there."
    assert row_of(rows, "Whole")["dice"] is None
    assert all(row["mean_1_gy"] is None for row in rows)


def test_json_repeats_every_digit_and_tables_name_the_structures(
    block_case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = dose_command(block_case / "first.dcm", block_case / "RD.dcm", block_case / "CT")
    show(rows, "Dose", as_json=True)
    assert json.loads(capsys.readouterr().out) == rows
    show(rows, "Dose", as_json=False)
    table = capsys.readouterr().out
    for words in ("Block", "Whole", "covers 50.0 %"):
        assert words in table


def test_figures_and_odd_names_are_whole_on_a_narrow_terminal() -> None:
    figures = {f"column_{n}_cc": 1234567.891 for n in range(7)}
    console = Console(width=60, record=True, file=io.StringIO())
    rows: list[Row] = [{"roi_name": "[red]PTV", **figures, "note": ""}]
    print_table(rows, "Comparison", console=console)
    shown = console.export_text()
    assert shown.count("1234567.89") == 7
    assert "[red]PTV" in shown


def test_dose_and_comparison_load_no_torch() -> None:
    """They must answer in a moment, also where torch is not installed."""
    program = "import sys, app.offline, app.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_block_case_covers_what_it_says(block_case: Path) -> None:
    """The oracle on a case known by heart, so that agreement above means something."""
    found = polygon_dose(
        block_case / "first.dcm", block_case / "RD.dcm", "whole", slice_mm=3.0, step_mm=0.125
    )
    assert found.volume_cc == pytest.approx(3.84, rel=0.01)
    assert found.coverage == pytest.approx(0.5, abs=0.01)
    assert found.mean_gy == pytest.approx(2.0, rel=0.01)
    assert np.isclose(found.maximum_gy, 4.0, atol=0.1)
