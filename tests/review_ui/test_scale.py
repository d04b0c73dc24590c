"""Pages about many cases ask the database as often for many as for few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from core.cohort_store import ApprovedFigure
from core.journal import mask_crc32
from core.records import ASSISTED, Change, DoseFigure
from core.store import Store
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.roles import PHYSICIST
from tests.support.review_case import (
    NOW,
    PASSWORD,
    Reviewer,
    box_mask,
    put_case,
    put_dose,
    small_geometry,
)

GRID = small_geometry()
CT = Volume(np.zeros(GRID.shape, np.int16), GRID)
DOSE = Volume(np.ones(GRID.shape, np.float32), GRID)
MASK = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 9)))
PAGES = (
    "/",
    "/api/worklist",
    "/api/status",
    "/deliveries/",
    "/work",
    "/work?user=anna",
    "/cohort/",
    "/models/",
    "/report/dose.csv",
    "/report/returned.csv",
)


def approve_another(anna: Reviewer, store: Store, number: int) -> str:
    """A case as it stands weeks after its approval."""
    case_id = put_case(store, CT, prediction=MASK, patient_id=f"P-{number}")
    dose_id = put_dose(store, case_id, DOSE)
    anna.open(case_id)
    shown = {"voxels": int(MASK.sum()), "crc32": mask_crc32(MASK), "slices_seen": [2]}
    assert (
        anna.post(f"/api/cases/{case_id}/approve", tab=anna.tab, seq=0, **shown).status_code == 200
    )
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    store.changes.add(Change(made.id, 1, 0.95, 1.0, 1.0, 0.0, 0.0, 0.0, 600.0, 9.0, 0.0, NOW))
    store.cohort.measured(ApprovedFigure(made.id, 0, 609.0, None, None))
    for source, source_id in (("prediction", made.prediction_id or ""), ("correction", made.id)):
        told = (600.0, 3.0, 0.1, 9.0, 1.0, NOW)
        store.cases.add_dose_figure(DoseFigure(case_id, "Heart", source, source_id, dose_id, *told))
    for who in ("anna", "phil"):
        begun = NOW + timedelta(minutes=number)
        store.timing.add(case_id, "Heart", [(begun, "open", {})], who=who, arm=ASSISTED)
    return case_id


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", note)


@pytest.fixture
def phil(app: Flask) -> Reviewer:
    create_user(app, "phil", PASSWORD, PHYSICIST)
    return Reviewer.log_in(app, "phil")


def asked_by_page(phil: Reviewer, store: Store) -> dict[str, int]:
    found = {}
    for page in PAGES:
        with statements(store) as asked:
            assert phil.get(page).status_code == 200, page
        found[page] = len(asked)
    return found


def test_no_page_asks_the_database_more_often_for_more_cases(
    anna: Reviewer, phil: Reviewer, store: Store
) -> None:
    approve_another(anna, store, 0)
    asked_by_page(phil, store)  # what is kept from the first time on is not counted
    few = asked_by_page(phil, store)
    last = [approve_another(anna, store, number) for number in range(1, 5)][-1]
    assert asked_by_page(phil, store) == few
    # And they tell of all of them.
    assert phil.get("/work").text.count("data-case-id") == 5
    assert "case 5: Dice 0.950" in phil.get("/cohort/").text
    assert last in phil.get("/report/dose.csv").text


def test_the_time_of_one_case_is_read_from_its_own_events(anna: Reviewer, store: Store) -> None:
    case_id = approve_another(anna, store, 0)
    approve_another(anna, store, 1)
    with statements(store) as asked:
        assert [work.who for work in store.timing.work_on(case_id)] == ["anna", "phil"]
    assert len(asked) == 1
