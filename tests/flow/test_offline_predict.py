"""Prediction from files alone, with a network whose answer is known."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.offline import compare_command
from app.offline_predict import predict_command
from core.config import Settings
from core.errors import ModelUnavailableError
from core.geometry import Mask
from core.rasterise import mask_of_contours
from core.records import ModelVersion, Round
from core.store import open_store
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.difference import dice
from model.registry import ModelDescription, publish
from tests.support import synthetic_dicom as synthetic
from tests.support.brightness import brightness_cascade
from tests.support.settings import config_of, settings_for, small_model

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path, model=small_model(4.0, fine_mm=2.0))


@pytest.fixture
def ct_folder(tmp_path: Path) -> Path:
    """A ball of 30 mm radius at 200 HU in water."""
    ct = synthetic.ct_series(
        shape=(24, 48, 48),
        spacing_mm=(4.0, 2.0, 2.0),
        hu=synthetic.ball_hu((5.0, -3.0, 2.0), 30.0, inside=200.0),
    )
    synthetic.written(ct, tmp_path / "CT")
    return tmp_path / "CT"


def ball(ct_folder: Path) -> Mask:
    return np.asarray(read_ct(ct_paths_in(ct_folder)).volume.values > 100)


def model_in(root: Path, settings: Settings, *, bias: float, roi_name: str = "Heart") -> Path:
    """A network that finds what is bright; with a low bias it finds nothing."""
    config = config_of(settings.model)
    cascade = brightness_cascade(config, bias=bias)
    description = ModelDescription(
        roi_name=roi_name,
        config=config,
        code_version="0.1.0",
        parent=None,
        training_set=(),
        scores={},
        created_at=NOW.isoformat(),
    )
    return root / publish(root, cascade.state_dict(), description)


def test_a_prediction_from_a_model_folder_finds_the_ball(
    tmp_path: Path, settings: Settings, ct_folder: Path
) -> None:
    model, out = model_in(tmp_path / "m", settings, bias=-26.0), tmp_path / "RS.dcm"
    (row,) = predict_command(
        ct_folder, out, settings=settings, roi_name="Heart", model=model, made_at=NOW
    )
    structure_set = read_structure_set(out)
    roi = structure_set.roi_named("heart")
    assert roi is not None
    assert structure_set.approval_status == "UNAPPROVED"
    geometry = read_ct(ct_paths_in(ct_folder)).geometry
    mask = mask_of_contours([c.points_mm for c in roi.contours], geometry).mask
    assert dice(mask, ball(ct_folder)) > 0.9
    assert row["volume_cc"] == pytest.approx(geometry.volume_cc(mask))
    assert row["model_version"] == model.name
    (compared,) = compare_command(ct_folder, out, out, None)
    assert compared["dice"] == 1.0


def test_the_model_in_service_is_taken_where_none_is_named(
    tmp_path: Path, settings: Settings, ct_folder: Path
) -> None:
    version = model_in(settings.data_folder / "models", settings, bias=-26.0).name
    released = ModelVersion(version, "Heart", None, 0.9, {}, (), NOW)
    store = open_store(settings).learning
    store.start_round(
        Round("r", "Heart", (), "RUNNING", 0, 1, None, None, "", NOW, None)
    )  # fmt: skip
    store.finish_round("r", verdict="better", now=NOW, released=released)
    (row,) = predict_command(
        ct_folder, tmp_path / "RS.dcm", settings=settings, roi_name="Heart", model=None
    )
    assert row["model_version"] == version


def test_before_any_model_is_released_the_command_says_so_and_leaves_nothing(
    tmp_path: Path, settings: Settings, ct_folder: Path
) -> None:
    with pytest.raises(ModelUnavailableError, match="No model of Heart"):
        predict_command(ct_folder, tmp_path / "RS.dcm", settings=settings, roi_name="Heart",
                        model=None)  # fmt: skip
    assert not settings.data_folder.exists()
    assert not (tmp_path / "RS.dcm").exists()


def test_a_model_of_another_structure_is_refused(
    tmp_path: Path, settings: Settings, ct_folder: Path
) -> None:
    model = model_in(tmp_path / "m", settings, bias=-26.0, roi_name="Lung_L")
    with pytest.raises(ModelUnavailableError, match="contours Lung_L, not Heart"):
        predict_command(ct_folder, tmp_path / "RS.dcm", settings=settings, roi_name="Heart",
                        model=model)  # fmt: skip


def test_nothing_found_is_an_empty_structure_and_a_note(
    tmp_path: Path, settings: Settings, ct_folder: Path
) -> None:
    model, out = model_in(tmp_path / "m", settings, bias=-100.0), tmp_path / "RS.dcm"
    (row,) = predict_command(ct_folder, out, settings=settings, roi_name="Heart", model=model)
    assert row["volume_cc"] == 0.0
    assert "found nothing" in row["note"]
    assert read_structure_set(out).rois[0].contours == ()


def test_two_runs_write_two_objects(tmp_path: Path, settings: Settings, ct_folder: Path) -> None:
    model = model_in(tmp_path / "m", settings, bias=-26.0)
    uids = set()
    for minute in (0, 1, 0):
        out = tmp_path / "RS.dcm"
        predict_command(
            ct_folder,
            out,
            settings=settings,
            roi_name="Heart",
            model=model,
            made_at=NOW.replace(minute=minute),
        )
        uids.add(read_structure_set(out).sop_instance_uid)
    assert len(uids) == 2
