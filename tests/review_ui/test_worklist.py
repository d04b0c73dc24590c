"""The worklist is asked for every two seconds by everybody: what it says, and what it costs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from core.records import Correction, DoseFigure
from core.store import Store
from core.tables import case
from core.volume import Volume
from review_ui.worklist import NEWEST_FINISHED
from tests.support.review_case import (
    ASSEMBLY,
    NOW,
    Reviewer,
    another_object,
    box_mask,
    put_case,
    put_dose,
    put_prediction,
    small_geometry,
)

GEOMETRY = small_geometry((4, 5, 6))
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
DOSE = Volume(np.ones(GEOMETRY.shape, np.float32), GEOMETRY)
BOX = box_mask(GEOMETRY, (slice(1, 3), slice(1, 3), slice(1, 3)))
TAB = "a" * 32


def worklist(who: Reviewer, query: str = "") -> dict[str, Any]:
    answer = who.get(f"/api/worklist{query}").json
    assert answer is not None
    return dict(answer)


def row_of(who: Reviewer, case_id: str) -> dict[str, Any]:
    (row,) = (row for row in worklist(who)["cases"] if row["id"] == case_id)
    return dict(row)


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Every SQL statement of the store while this lasts."""
    heard: list[str] = []

    def listen(*event: Any) -> None:
        heard.append(event[2])

    sa.event.listen(store.engine, "before_cursor_execute", listen)
    yield heard
    sa.event.remove(store.engine, "before_cursor_execute", listen)


def approved(store: Store, case_id: str, *, destinations: tuple[str, ...] = ()) -> Correction:
    base = store.cases.latest_prediction(store.cases.get(case_id), "Heart")
    store.reviews.open(case_id, "Heart", who="anna", tab=TAB, now=NOW, lock_s=60)
    made = Correction(
        id=uuid.uuid4().hex,
        case_id=case_id,
        assembly=ASSEMBLY,
        roi_name="Heart",
        prediction_id=base.id if base else None,
        approved_by="anna",
        approved_at=NOW,
        mask_digest="d" * 64,
        slices_seen=(),
        journal_seq=0,
    )
    return store.reviews.approve(made, tab=TAB, destinations=destinations, now=NOW)


def sent(store: Store, case_id: str) -> None:
    for delivery in store.deliveries.all(case_id=case_id):
        store.deliveries.sent(delivery.id, sop_instance_uid="1.2.3", now=NOW)


def figure(case_id: str, source: str, source_id: str, dose_id: int, mean_gy: float) -> DoseFigure:
    return DoseFigure(
        case_id, "Heart", source, source_id, dose_id, 600.0, mean_gy, 0.1, 9.0, 1.0, NOW
    )


def full_case(store: Store) -> str:
    """A case on which something of everything hangs."""
    case_id = put_case(store, CT, prediction=BOX, dose=DOSE)
    dose_id = store.instances.attached(case_id, kind="dose")[0].id
    refused = another_object(store, case_id, modality="RTSTRUCT")
    current = store.cases.get(case_id)
    store.instances.attach(current, refused, kind="refused", note="It is empty.", now=NOW)
    another_object(store, case_id, kept_aside=True)
    made = approved(store, case_id, destinations=("TPS", "Archive"))
    assert made.prediction_id is not None
    store.cases.add_dose_figure(figure(case_id, "prediction", made.prediction_id, dose_id, 3.5))
    store.cases.add_dose_figure(figure(case_id, "correction", made.id, dose_id, 4.5))
    return case_id


def test_a_hundred_cases_cost_as_many_statements_as_one(anna: Reviewer, store: Store) -> None:
    full_case(store)
    worklist(anna)
    with statements(store) as of_one:
        assert len(worklist(anna)["cases"]) == 1
    for number in range(99):
        if number % 5:
            put_case(store, CT, prediction=BOX if number % 2 else None)
        else:
            full_case(store)
    with statements(store) as of_hundred:
        assert len(worklist(anna)["cases"]) == 100
    assert any("dose_figure" in statement for statement in of_one)
    assert len(of_hundred) == len(of_one)


def test_a_row_says_what_hangs_on_its_case_and_nothing_of_others(
    anna: Reviewer, store: Store
) -> None:
    case_id, other = full_case(store), put_case(store, CT)
    row, plain = row_of(anna, case_id), row_of(anna, other)
    assert row["mean_difference_gy"] == 1.0
    assert sorted(row["deliveries"]) == ["queued for Archive", "queued for TPS"]
    refused, aside, late = row["flags"]
    assert refused == "Not used: It is empty."
    assert aside.startswith("1 other object(s)")
    assert late.startswith("1 slice(s) came after")
    assert (plain["flags"], plain["deliveries"], plain["dose"]) == ([], [], False)
    assert (plain["model_version"], plain["mean_difference_gy"]) == (None, None)


def test_a_slice_that_comes_during_review_is_told_on_the_page_at_the_next_sign_of_life(
    anna: Reviewer, store: Store
) -> None:
    case_id = put_case(store, CT, prediction=BOX)
    opened = anna.open(case_id).json
    assert opened is not None
    assert opened["flags"] == []
    another_object(store, case_id)
    (flag,) = anna.stay(case_id).json["flags"]  # type: ignore[index]
    assert flag == "1 slice(s) came after the review began; they are not part of it."
    for said in (anna.get(f"/api/cases/{case_id}").json, row_of(anna, case_id)):
        assert said is not None
        assert said["flags"] == [flag]


def test_a_later_dose_makes_the_difference_unknown_until_it_is_measured(
    anna: Reviewer, store: Store
) -> None:
    case_id = full_case(store)
    put_dose(store, case_id, DOSE)
    row = row_of(anna, case_id)
    assert (row["dose"], row["mean_difference_gy"]) == (True, None)


def test_the_model_is_the_newest_until_the_case_is_opened_and_then_stays(
    anna: Reviewer, store: Store
) -> None:
    unopened, opened, rebuilt = (put_case(store, CT, prediction=BOX) for _ in range(3))
    store.reviews.open(opened, "Heart", who="anna", tab=TAB, now=NOW, lock_s=60)
    first = put_prediction(store, unopened, BOX)
    newest = replace(
        first, id=uuid.uuid4().hex, model_version="f" * 64, created_at=NOW + timedelta(minutes=1)
    )
    assert store.cases.predicted(newest)
    store.cases.assembled(rebuilt, assembly="b" * 64, instance_count=1, geometry=GEOMETRY, now=NOW)
    assert row_of(anna, unopened)["model_version"] == "f" * 64
    assert str(row_of(anna, opened)["model_version"]).startswith("c0ffee")
    assert row_of(anna, rebuilt)["model_version"] is None


def test_of_finished_cases_the_last_ones_are_shown_and_of_open_ones_all(store: Store) -> None:
    def shown(newest_finished: int | None) -> tuple[set[str], int]:
        summaries, older = store.worklist.read("Heart", now=NOW, newest_finished=newest_finished)
        return {s.case.id for s in summaries}, older

    waiting = put_case(store, CT)
    undelivered, *delivered = (put_case(store, CT, prediction=BOX) for _ in range(4))
    approved(store, undelivered, destinations=("TPS",))
    for minutes, case_id in enumerate(delivered):
        approved(store, case_id, destinations=("TPS",))
        sent(store, case_id)
        finished = {"updated_at": NOW + timedelta(minutes=minutes)}
        with store.engine.begin() as connection:
            connection.execute(sa.update(case).where(case.c.id == case_id).values(finished))
    everything = {waiting, undelivered, *delivered}
    assert shown(None) == (everything, 0)
    assert shown(3) == (everything, 0)
    # Not yet sent is not finished, however old.
    assert shown(1) == ({waiting, undelivered, delivered[-1]}, 2)
    assert shown(0) == ({waiting, undelivered}, 3)


@pytest.mark.parametrize(("query", "rows", "older"), [("", 201, 7), ("?all=1", 208, 0)])
def test_the_page_leaves_out_old_finished_cases_unless_asked(
    anna: Reviewer, store: Store, query: str, rows: int, older: int
) -> None:
    put_case(store, CT)
    (template,) = (dict(row) for row in _case_rows(store))
    with store.engine.begin() as connection:
        for _ in range(NEWEST_FINISHED + 7):
            names = {"id": uuid.uuid4().hex, "series_instance_uid": f"2.25.{uuid.uuid4().int}"}
            connection.execute(sa.insert(case).values({**template, **names, "state": "REJECTED"}))
    answer = worklist(anna, query)
    assert (len(answer["cases"]), answer["older"]) == (rows, older)
    assert f'"older": {older}' in anna.get(f"/{query}").text


def _case_rows(store: Store) -> list[sa.RowMapping]:
    with store.engine.connect() as connection:
        return list(connection.execute(sa.select(case)).mappings())
