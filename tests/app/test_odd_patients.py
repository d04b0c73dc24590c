"""Synthetic patients on whom a model may fail: the picture is spoilt, never the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.calibrating import calibrate_on_synthetic
from app.odd_patients import FIRST_CALIBRATION_SEED, SPOILT, odd_patient
from app.phantom import make_phantom
from app.room import Room
from app.synthetic_cases import FIRST_SENTINEL_SEED
from core.store import open_store
from model.calibration import LEAST_CASES, read_calibration
from model.cascade import fresh_cascade
from model.registry import ModelDescription, publish
from tests.support.settings import config_of, settings_for, small_model

SEED = FIRST_CALIBRATION_SEED


@pytest.mark.parametrize("name", list(SPOILT))
def test_a_spoilt_picture_keeps_its_truth(name: str) -> None:
    phantom = make_phantom(SEED, spacing_mm=(8.0, 8.0, 8.0))
    spoilt = SPOILT[name](phantom, np.random.default_rng(0))
    if name == "cut":
        assert 0 < spoilt.heart.sum() < phantom.heart.sum()
        assert spoilt.heart[0].any() or spoilt.heart[-1].any()
        return
    np.testing.assert_array_equal(spoilt.heart, phantom.heart)
    assert (spoilt.volume.values != phantom.volume.values).any()


def test_a_seed_is_one_patient_with_a_dose_for_ever(tmp_path: Path) -> None:
    model = settings_for(tmp_path, model=small_model()).model
    first, again = odd_patient(SEED, model), odd_patient(SEED, model)
    np.testing.assert_array_equal(first.fine.packed, again.fine.packed)
    dose = first.fine.dose_gy
    assert dose is not None
    assert np.isfinite(dose[first.fine.target]).all()
    assert SEED + 10_000 < FIRST_SENTINEL_SEED


def test_too_few_patients_make_no_calibration(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, model=small_model())
    room = Room(settings, open_store(settings))
    config = config_of(settings.model)
    described = ModelDescription("Heart", config, "0", None, (), {}, "2026-01-01T00:00:00+00:00")
    weights = fresh_cascade(config, seed=0).state_dict()
    version = publish(room.models_folder, weights, described)
    assert not calibrate_on_synthetic(room, version, patients=LEAST_CASES - 1)
    assert read_calibration(room.models_folder, version) is None
    room.store.engine.dispose()
