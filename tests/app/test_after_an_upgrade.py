"""What is measured of old approvals waits behind what somebody waits for, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.jobs import Jobs
from app.room import Room
from app.workflows import FEW, LAST, Story
from core.store import open_store
from core.volume import Volume
from model.predict import Predictor
from tests.support.review_case import NOW, box_mask, put_case, put_dose, small_geometry
from tests.support.room import approve_mask
from tests.support.settings import settings_for

GRID = small_geometry()
MASK = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 9)))
CT = Volume(np.zeros(GRID.shape, np.int16), GRID)
DOSE = Volume(np.ones(GRID.shape, np.float32), GRID)


class Noted(Jobs):
    """Notes what is asked for; what is `paused` failed and waits for its next try."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int | None]] = []
        self.paused: set[str] = set()

    def ensure(
        self,
        workflow: Callable[..., Any],
        key: str,
        *args: Any,
        queue: str,
        priority: int | None = None,
    ) -> bool:
        assert callable(workflow)
        assert args
        if key not in self.paused:
            self.asked.append((key, queue, priority))
        return key not in self.paused


@pytest.fixture
def room(tmp_path: Path) -> Room:
    settings = settings_for(tmp_path)
    minutes = count()
    return Room(settings, open_store(settings), lambda: NOW + timedelta(minutes=next(minutes)))


def test_a_few_old_approvals_are_measured_at_a_time_after_all_else(room: Room) -> None:
    made = []
    for number in range(2 * FEW + 1):
        case_id = put_case(room.store, CT, prediction=MASK, patient_id=f"P-{number}")
        made.append(approve_mask(room, case_id, MASK))
    put_dose(room.store, made[0].case_id, DOSE)
    jobs = Noted()
    story = Story(room, Predictor(room.settings.model), jobs)
    newest = [one.id for one in reversed(made)]

    story.reconcile()
    for kind, names in (
        ("compare", [f"compare-1-{one}" for one in newest]),
        ("approved", [f"approved-{one}-0" for one in newest]),
    ):
        asked = [each for each in jobs.asked if each[0].startswith(f"{kind}-")]
        assert asked == [(name, "dose", LAST) for name in names[:FEW]]
    # What a physician waits for has no priority: it goes before all that has one.
    measured = [each for each in jobs.asked if each[0].startswith("measure-")]
    assert {(queue, priority) for _, queue, priority in measured} == {("dose", None)}

    # What cannot be measured does not keep the others from it.
    jobs.asked.clear()
    jobs.paused = {f"approved-{one}-0" for one in newest[:FEW]}
    story.reconcile()
    asked = [each for each in jobs.asked if each[0].startswith("approved-")]
    assert [name for name, _, _ in asked] == [f"approved-{one}-0" for one in newest[FEW : 2 * FEW]]
