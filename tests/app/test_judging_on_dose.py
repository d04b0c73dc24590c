"""What a wrong contour costs in dose is measured on the held-out cases that have a dose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.judging import readable_cases
from app.room import Room
from core.store import open_store
from core.volume import Volume
from dose.metrics import roi_dose
from model.metrics import score_of
from model.samples import TrainingCase
from tests.app.test_model_commands import SMALL
from tests.support.bodies import CT, GEOMETRY, HEART
from tests.support.review_case import put_case, put_dose
from tests.support.room import approve_mask, taught
from tests.support.settings import settings_for

GRADIENT_GY = 0.5
"""Per column of the CT, which is one column of the fine working grid."""
RAMP = np.broadcast_to(GRADIENT_GY * np.arange(52, dtype=np.float32), GEOMETRY.shape).copy()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    settings = settings_for(tmp_path, model=SMALL)
    opened = Room(settings, open_store(settings))
    yield opened
    opened.store.engine.dispose()


def approve_one(room: Room, patient: str, *, dose: Volume | None = None) -> str:
    case_id = put_case(room.store, CT, patient_id=patient, dose=dose)
    approve_mask(room, case_id, HEART)
    return case_id


def held_out(room: Room) -> TrainingCase:
    (case,) = readable_cases(room, taught(room).validation, room.settings.model)
    return case


def test_the_mean_dose_error_of_a_contour_one_voxel_aside_is_the_gradient(room: Room) -> None:
    approve_one(room, "P-1")
    approve_one(room, "P-2", dose=Volume(RAMP, GEOMETRY))
    case = held_out(room)
    aside = np.roll(case.fine.target, 1, axis=2)
    assert score_of(case.fine.target, case).mean_dose_error_gy == 0.0
    error = score_of(aside, case).mean_dose_error_gy
    assert error == pytest.approx(GRADIENT_GY, abs=0.001)
    # The same as dose figures on the CT say.
    means = [roi_dose(Volume(RAMP, GEOMETRY), m, GEOMETRY).mean_gy for m in (HEART, aside)]
    assert error == pytest.approx(abs(np.subtract(*means)), abs=0.01)  # type: ignore[arg-type]


def test_beyond_the_dose_grid_nothing_was_calculated(room: Room) -> None:
    approve_one(room, "P-1")
    part = (slice(6, 18), slice(10, 30), slice(10, 40))
    approve_one(room, "P-2", dose=Volume(RAMP[part], GEOMETRY.cut(part)))
    dose_gy = held_out(room).fine.dose_gy
    assert dose_gy is not None
    assert np.isnan(dose_gy).mean() == pytest.approx(1.0 - 12 * 20 * 30 / RAMP.size, abs=0.001)
    assert dose_gy[10, 20, 25] == pytest.approx(25 * GRADIENT_GY, abs=0.01)


def test_a_dose_that_joins_later_is_judged_on_too(room: Room) -> None:
    approve_one(room, "P-1")
    case_id = approve_one(room, "P-2")
    assert held_out(room).fine.dose_gy is None
    put_dose(room.store, case_id, Volume(RAMP, GEOMETRY))
    assert held_out(room).fine.dose_gy is not None


def test_what_is_learned_carries_no_dose(room: Room) -> None:
    approve_one(room, "P-1", dose=Volume(RAMP, GEOMETRY))
    (case,) = readable_cases(room, taught(room).train, room.settings.model)
    assert case.fine.dose_gy is None


def test_a_dose_that_cannot_be_read_leaves_the_case_with_its_contour(room: Room) -> None:
    approve_one(room, "P-1")
    case_id = approve_one(room, "P-2", dose=Volume(RAMP, GEOMETRY))
    for path in room.store.files.folder(case_id).glob("dose-*"):
        path.unlink()
    assert held_out(room).fine.dose_gy is None
