"""A model held against contours: known overlaps give known figures."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.clinic_dicom import write_patient
from app.evaluating import (
    Reference,
    Subject,
    approved_subjects,
    evaluate,
    folder_subjects,
)
from app.evaluation_report import COLUMNS, as_csv, as_page, heading_of, summary
from app.import_folder import import_folder
from app.importing import ImportPlan
from app.room import Room
from core.config import Settings
from core.errors import EvaluationError, ImportRefusedError
from core.geometry import VolumeGeometry
from core.store import open_store
from core.volume import CtVolume, SeriesIdentity, Volume
from model.predict import Predictor
from model.registry import LoadedModel, ModelDescription, load, publish
from review_ui.marks import Dot, Line
from review_ui.plots import Axis, Words, plot
from tests.support.brightness import brightness_cascade
from tests.support.labelled_patients import write_labelled
from tests.support.settings import config_of, settings_for, small_model, write_config

GRID = VolumeGeometry((16, 24, 24), (-46.0, -46.0, -30.0), (4.0, 4.0, 4.0), "2.25.1")
BRIGHT = np.zeros(GRID.shape, bool)
BRIGHT[4:12, 8:16, 8:16] = True
MODEL = small_model(4.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path, model=MODEL)


def bright_finder(root: Path, settings: Settings, *, taught: tuple[str, ...] = ()) -> Path:
    """The folder of a model that contours every voxel above 50 HU, and was taught `taught`."""
    config = config_of(settings.model)
    cascade = brightness_cascade(config, bias=-26.0)
    description = ModelDescription(
        roi_name="Heart",
        config=config,
        code_version="0.1.0",
        parent=None,
        training_set=taught,
        scores={},
        created_at="2026-01-05T12:00:00+00:00",
    )
    return root / publish(root, cascade.state_dict(), description)


def loaded(root: Path, settings: Settings, **how: Any) -> LoadedModel:
    folder = bright_finder(root, settings, **how)
    return load(folder.parent, folder.name)


def subject(mask: Any, *, dose: Volume | None = None, taught: tuple[str, ...] = ()) -> Subject:
    """A bright block in fat, contoured as `mask`."""
    values = np.where(BRIGHT, 200, -100).astype(np.int16)
    ct = CtVolume(Volume(values, GRID), (), SeriesIdentity("1", "2", "P", "N"))
    reference = Reference(ct, mask, dose)
    return Subject("one", "review", "train", frozenset(taught), lambda: reference)


def row_of(settings: Settings, model: LoadedModel, one: Subject) -> dict[str, Any]:
    told: list[int] = []
    (row,) = evaluate([one], model, settings.model, told.append)
    assert told == [1]
    return row


def test_a_contour_that_the_model_finds_exactly_scores_one(
    settings: Settings, tmp_path: Path
) -> None:
    model = loaded(tmp_path / "m", settings)
    found = row_of(settings, model, subject(BRIGHT))
    predicted = found["predicted_cc"]
    # The stem blurs by half a voxel; what it proposes is then the known answer.
    again = row_of(settings, model, subject(predicted_by(settings, model)))
    assert (again["dice"], again["surface_dice_2mm"], again["hausdorff_95_mm"]) == (1.0, 1.0, 0.0)
    assert again["reference_cc"] == again["predicted_cc"] == predicted
    assert (again["predicted_mean_gy"], again["mean_difference_gy"]) == (None, None)
    assert (again["learned_from"], again["flags"], again["note"]) == (False, "", "")


def predicted_by(settings: Settings, model: LoadedModel) -> Any:
    return Predictor(settings.model).predict(subject(BRIGHT).read().ct.volume, model).mask


def test_a_contour_shifted_by_a_slice_is_one_slice_away(settings: Settings, tmp_path: Path) -> None:
    model = loaded(tmp_path / "m", settings)
    mask = predicted_by(settings, model)
    slices = np.flatnonzero(mask.any((1, 2)))
    shifted = np.roll(mask, 1, axis=0)
    dose = Volume(np.indices(GRID.shape)[0].astype(np.float32), GRID)  # 1 Gy a slice
    row = row_of(settings, model, subject(shifted, dose=dose))
    assert row["dice"] == pytest.approx((len(slices) - 1) / len(slices), abs=0.03)
    assert row["hausdorff_95_mm"] == pytest.approx(4.0)
    assert row["surface_dice_3mm"] < 1.0
    assert row["mean_difference_gy"] == pytest.approx(-1.0, abs=1e-4)


def test_a_model_that_finds_nothing_is_flagged_and_has_no_distance(
    settings: Settings, tmp_path: Path
) -> None:
    model = loaded(tmp_path / "m", settings)
    dark = subject(BRIGHT)
    ct = dark.read().ct
    fat = replace(ct, volume=Volume(np.full(GRID.shape, -100, np.int16), GRID))
    row = row_of(settings, model, replace(dark, read=lambda: Reference(fat, BRIGHT, None)))
    assert (row["dice"], row["expected_dice"], row["predicted_cc"]) == (0.0, 0.0, 0.0)
    assert (row["hausdorff_95_mm"], row["flags"]) == (None, "nothing predicted")


def test_a_case_that_the_model_learned_from_says_so(settings: Settings, tmp_path: Path) -> None:
    model = loaded(tmp_path / "m", settings, taught=("a", "b"))
    assert row_of(settings, model, subject(BRIGHT, taught=("b",)))["learned_from"] is True
    assert row_of(settings, model, subject(BRIGHT, taught=("c",)))["learned_from"] is False


def test_a_case_that_cannot_be_read_has_a_sentence_and_no_figures(
    settings: Settings, tmp_path: Path
) -> None:
    def broken() -> Reference:
        raise ImportRefusedError("No RTSTRUCT beside the CT was drawn on it.")

    row = row_of(settings, loaded(tmp_path / "m", settings), replace(subject(BRIGHT), read=broken))
    assert row["note"] == "No RTSTRUCT beside the CT was drawn on it."
    assert row["dice"] is None
    assert summary([row]) == []
    assert "Left out: one: No RTSTRUCT" in as_page(
        heading_of("Heart", "c" * 64, None, [row]), [row]
    )


def test_only_training_cases_of_the_store_count_as_learned_from(
    settings: Settings, tmp_path: Path
) -> None:
    """Two imported patients: the first trains, the second validates; both folders are known."""
    for seed in (1, 2):
        write_labelled(tmp_path / "in" / f"p{seed}", seed)
    room = Room(settings, open_store(settings))
    with pytest.raises(EvaluationError, match="No Heart has been approved"):
        approved_subjects(room, "Heart")
    import_folder(
        room, tmp_path / "in", ImportPlan("Heart", (), "anna", False), lambda _a, _b: None
    )
    known = room.store.learning.learning_set("Heart")
    stored = approved_subjects(room, "Heart")
    assert [(s.origin, s.split, s.taught) for s in stored] == [
        ("imported", "train", frozenset({known.train[0].id})),
        ("imported", "validation", frozenset()),
    ]
    from_folder = folder_subjects(room, tmp_path / "in", ("Heart",))
    assert [(s.name, s.split, s.taught) for s in from_folder] == [
        ("p1", "train", frozenset({known.train[0].id})),
        ("p2", "validation", frozenset()),
    ]
    here, there = stored[0].read(), from_folder[0].read()
    np.testing.assert_array_equal(here.mask, there.mask)
    assert here.dose is not None
    assert there.dose is not None
    np.testing.assert_allclose(here.dose.values, there.dose.values)
    unknown = folder_subjects(None, tmp_path / "in", ("Heart",))
    assert [(s.split, s.taught) for s in unknown] == [("", frozenset())] * 2


def test_the_table_has_a_line_for_each_case_and_nothing_where_nothing_is_known() -> None:
    rows = [figures("a", 0.9), figures("b", 0.8, hausdorff_95_mm=None)]
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert tuple(read[0]) == COLUMNS
    assert [(r["case"], r["dice"], r["hausdorff_95_mm"]) for r in read] == [
        ("a", "0.9", "4.0"),
        ("b", "0.8", ""),
    ]


def figures(name: str, dice: float, **changes: Any) -> dict[str, Any]:
    known = {
        "case": name, "origin": "review", "split": "", "learned_from": False, "dice": dice,
        "surface_dice_2mm": 0.7, "surface_dice_3mm": 0.8, "hausdorff_95_mm": 4.0,
        "predicted_cc": 500.0, "reference_cc": 520.0, "predicted_mean_gy": 3.0,
        "reference_mean_gy": 3.5, "mean_difference_gy": -0.5, "expected_dice": 0.85,
        "seconds": 1.0, "flags": "", "note": "",
    }  # fmt: skip
    return known | changes


def test_the_summary_keeps_apart_what_the_model_has_seen() -> None:
    rows = [figures("a", 0.9), figures("b", 0.7), figures("c", 0.99, learned_from=True)]
    held_out, seen = summary(rows)
    assert (held_out["number"], held_out["median_dice"], held_out["lowest_dice"]) == (2, 0.8, 0.7)
    assert held_out["median_expected_minus_real_dice"] == pytest.approx(0.05)
    assert held_out["mean_absolute_mean_dose_difference_gy"] == 0.5
    assert (seen["number"], seen["median_dice"]) == (1, 0.99)


def test_every_plot_says_what_the_contours_are() -> None:
    rows = [figures("a", 0.9), figures("b", 0.7, origin="imported")]
    for kind, told in (
        (None, "Contours: 1 approved here, 1 imported."),
        ("silver", "Silver masks, not drawn by physicians: no figure is a clinical accuracy."),
        ("phantom", "Synthetic patients: no figure says anything about a patient."),
    ):
        page = as_page(heading_of("Heart", "c0ffee" + "0" * 58, kind, rows), rows)
        svgs = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
        assert len(svgs) == 3
        assert all(told in svg and "c0ffee000000" in svg for svg in svgs)
        assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_volumes_are_plotted_with_their_bias_and_limits() -> None:
    """Differences -20, 0 and +20 cc: bias 0, standard deviation 20."""
    rows = [
        figures(n, 0.9, predicted_cc=cc) for n, cc in (("a", 500.0), ("b", 520.0), ("c", 540.0))
    ]
    page = as_page(heading_of("Heart", "c" * 64, "silver", rows), rows)
    assert "bias 0.0 cc" in page
    assert "+1.96 SD 39.2 cc" in page
    assert "-1.96 SD -39.2 cc" in page


def test_a_dot_lies_where_its_numbers_say_and_a_name_is_text() -> None:
    marks = [Dot(0.0, 0.0, "<i>", hollow=True), Dot(10.0, 1.0, "top"), Dot(5.0, 7.0, "beyond")]
    line = Line((0.0, 0.5), (10.0, 0.5), "half")
    svg = plot(Words("t", "b"), Axis("x", 0.0, 10.0), Axis("y", 0.0, 1.0), [line, *marks])
    dots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="4.5" fill="[^"]*(#\w+)\)"', svg)
    assert dots == [
        ("70.0", "346.0", "#fff"), ("516.0", "58.0", "#1f5f8f"), ("293.0", "58.0", "#1f5f8f")
    ]  # fmt: skip
    assert "&lt;i&gt;" in svg
    assert "<i>" not in svg
    assert 'y1="202.0"' in svg


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-3.2, 41.0, [0, 10, 20, 30, 40])],
)
def test_ticks_are_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert Axis("", low, high).ticks() == pytest.approx(ticks)


def test_the_command_writes_table_and_plots_and_leaves_no_store(tmp_path: Path) -> None:
    config = write_config(tmp_path, model=MODEL)
    settings = settings_for(tmp_path, model=MODEL)
    write_labelled(tmp_path / "in" / "a", 1)
    write_patient(tmp_path / "in" / "b", 2, spacing_mm=(8.0, 8.0, 8.0))
    model = bright_finder(tmp_path / "m", settings)
    done = CliRunner().invoke(
        app,
        ["evaluate", "--out", str(tmp_path / "out"), "--data", str(tmp_path / "in"), "--model",
         str(model), "--reference-kind", "phantom", "--config", str(config)],
        catch_exceptions=False,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "cases.csv").read_text())))
    assert [(r["case"], r["note"]) for r in rows] == [
        ("a", ""), ("b", "No RTSTRUCT beside the CT was drawn on it.")
    ]  # fmt: skip
    assert rows[0]["reference_mean_gy"] != ""
    assert "Synthetic patients" in (tmp_path / "out" / "evaluation.html").read_text()
    assert not settings.data_folder.exists()
