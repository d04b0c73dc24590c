"""The worklist is asked for every two seconds by everybody: what it says, and what it costs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from flask import Flask

from core.records import IMPORTED, Correction, DoseFigure
from core.rules import for_training
from core.store import Store
from core.tables import case
from core.volume import Volume
from core.worklist_store import PAGE_ROWS
from review_ui.accounts import create_user
from tests.support.review_case import (
    ASSEMBLY,
    NOW,
    PASSWORD,
    ROUTING,
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


def searched(who: Reviewer, words: str) -> dict[str, Any]:
    form = {"q": words, "csrf_token": who.csrf_token, "order": "", "show": ""}
    answer = who.client.post("/search", data=form)
    assert answer.status_code == 303
    return worklist(who, answer.headers["Location"].removeprefix("/"))


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


def test_fifty_cases_cost_as_many_statements_as_one(anna: Reviewer, store: Store) -> None:
    full_case(store)
    worklist(anna)
    with statements(store) as of_one:
        assert len(worklist(anna)["cases"]) == 1
    for number in range(49):
        if number % 5:
            put_case(store, CT, prediction=BOX if number % 2 else None)
        else:
            full_case(store)
    with statements(store) as of_fifty:
        assert len(worklist(anna)["cases"]) == 50
    assert any("dose_figure" in statement for statement in of_one)
    assert len(of_fifty) == len(of_one)


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


def many(store: Store, number: int, **values: Any) -> None:
    """So many copies of the one case there is."""
    with store.engine.begin() as connection:
        template = dict(connection.execute(sa.select(case)).mappings().first() or {})
        copies = [
            {
                **template,
                "id": f"{index:032x}",
                "series_instance_uid": f"2.25.{index}",
                "patient_id": f"M-{index:05d}",
                "created_at": NOW + timedelta(seconds=index),
                **values,
            }
            for index in range(1, number + 1)
        ]
        connection.execute(sa.insert(case), copies)


def test_a_page_of_ten_thousand_cases_costs_as_many_statements_as_one_of_one(
    anna: Reviewer, store: Store
) -> None:
    put_case(store, CT)
    worklist(anna)
    with statements(store) as of_one:
        assert worklist(anna)["total"] == 1
    many(store, 9_999)
    with statements(store) as of_all:
        last = worklist(anna, "?page=200&order=arrival")
    assert (last["total"], last["waiting"], last["page"], last["pages"]) == (
        10_000,
        10_000,
        200,
        200,
    )
    assert [row["patient"]["id"] for row in last["cases"]][-1] == "P-001"
    assert len(last["cases"]) == PAGE_ROWS
    assert len(of_all) == len(of_one)
    found = searched(anna, "m-09999")
    assert [row["patient"]["id"] for row in found["cases"]] == ["M-09999"]


def test_every_case_stands_on_exactly_one_page(anna: Reviewer, store: Store) -> None:
    put_case(store, CT)
    many(store, 2 * PAGE_ROWS)
    pages = [worklist(anna, f"?page={number}") for number in (1, 2, 3)]
    ids = [row["id"] for page in pages for row in page["cases"]]
    assert [len(page["cases"]) for page in pages] == [PAGE_ROWS, PAGE_ROWS, 1]
    assert len(set(ids)) == 2 * PAGE_ROWS + 1
    # Beyond the end is the last page, and nonsense is the first.
    assert worklist(anna, "?page=99")["page"] == 3
    assert worklist(anna, "?page=x&order=x&show=x")["page"] == 1


def test_the_words_of_a_search_are_sought_in_name_patient_id_and_series(
    anna: Reviewer, store: Store
) -> None:
    put_case(store, CT, patient_id="P-77", patient_name="Doe^Anna")
    put_case(store, CT, patient_id="P_78", patient_name="Roe^Berta")
    for words, ids in (
        ("doe, anna", ["P-77"]),
        ("thorax p-77", ["P-77"]),
        ("P_", ["P_78"]),
        ("doe berta", []),
    ):
        found = searched(anna, words)["cases"]
        assert [row["patient"]["id"] for row in found] == ids, words


def test_no_address_carries_what_is_searched_for(anna: Reviewer, app: Flask, store: Store) -> None:
    put_case(store, CT, patient_name="Doe^Anna")
    put_case(store, CT, patient_name="Roe^Berta")
    form = {"q": "Doe", "order": "arrival", "show": "all", "csrf_token": anna.csrf_token}
    where = anna.client.post("/search", data=form).headers["Location"]
    assert "doe" not in where.lower()
    assert "order=arrival" in where
    page = anna.get(where).text
    assert 'value="Doe"' in page
    assert "Berta" not in page
    # A number is of whoever searched; for others, and after a restart, it means nothing.
    create_user(app, "carla", PASSWORD)
    other = Reviewer.log_in(app, "carla").get(where).text
    assert "Berta" in other
    assert 'value="Doe"' not in other
    assert anna.client.post("/search", data={**form, "q": " "}).headers["Location"].count("q=") == 0


def test_cases_stand_in_the_order_that_is_asked_for(anna: Reviewer, store: Store) -> None:
    urgent = replace(ROUTING, priority="urgent")
    ids = {
        "done": put_case(store, CT, routing=urgent),
        "urgent": put_case(store, CT, routing=urgent),
        "small": put_case(store, CT),
        "large": put_case(store, CT),
    }
    values: dict[str, dict[str, Any]] = {
        "done": {"state": "REJECTED", "expected_impact_gy": 9.0},
        "small": {"expected_impact_gy": 0.2},
        "large": {"expected_impact_gy": 1.5},
    }
    with store.engine.begin() as connection:
        for minutes, (name, case_id) in enumerate(ids.items()):
            changed = {"created_at": NOW + timedelta(minutes=minutes), **values.get(name, {})}
            connection.execute(sa.update(case).where(case.c.id == case_id).values(changed))
    names = {case_id: name for name, case_id in ids.items()}

    def order(query: str) -> list[str]:
        return [names[row["id"]] for row in worklist(anna, query)["cases"]]

    assert order("") == ["urgent", "large", "small", "done"]
    assert order("?order=arrival") == ["large", "small", "urgent", "done"]
    assert order("?order=impact") == ["large", "small", "urgent", "done"]
    assert order("?show=waiting&order=arrival") == ["large", "small", "urgent"]
    assert order("?show=finished") == ["done"]


def test_the_next_case_is_nobody_else_s_and_follows_the_one_that_is_left(
    anna: Reviewer, store: Store
) -> None:
    first, second, held, theirs = (put_case(store, CT) for _ in range(4))
    now = datetime.now(UTC)
    store.reviews.open(held, "Heart", who="berta", tab=TAB, now=now, lock_s=600)
    with store.engine.begin() as connection:
        for minutes, case_id in enumerate((first, second, held, theirs)):
            at = {"created_at": NOW + timedelta(minutes=minutes)}
            connection.execute(sa.update(case).where(case.c.id == case_id).values(at))
        for_berta = sa.update(case).where(case.c.id == theirs).values(assigned_to="berta")
        connection.execute(for_berta)
    for after, following in (("", first), (first, second), (second, first), (held, first)):
        answer = anna.get(f"/api/next?after={after}").json
        assert answer == {"next": following}


def test_what_was_contoured_elsewhere_is_nobody_s_work(anna: Reviewer, store: Store) -> None:
    """Neither counted nor offered as next: an approval would be refused."""
    imported = put_case(store, CT, patient_id="P-1", routing=for_training("Heart"))
    waits = put_case(store, CT, patient_id="P-2")
    made = Correction(
        "i", imported, ASSEMBLY, "Heart", None, "otto", NOW, "d" * 64, (), 0, IMPORTED
    )
    assert store.teaching.import_correction(made, instance_id=1, to_judge=True)
    listed = worklist(anna)
    assert [row["id"] for row in listed["cases"]] == [waits, imported]
    assert (listed["total"], listed["waiting"]) == (2, 1)
    assert row_of(anna, imported)["words"] == "contoured elsewhere, judges"
    assert [row_of(anna, c)["reviewable"] for c in (waits, imported)] == [True, False]
    assert anna.get(f"/api/next?after={waits}").json == {"next": None}


def test_what_a_prediction_may_change_of_the_dose_is_kept_with_its_case(store: Store) -> None:
    case_id = put_case(store, CT, prediction=BOX, dose=DOSE)
    made = store.cases.latest_prediction(store.cases.get(case_id), "Heart")
    assert made is not None
    dose_id = store.instances.attached(case_id, kind="dose")[0].id
    error = {"value": 0.4, "low": 0.1, "high": 0.9}
    store.doubts.add_dose(made.id, dose_id, {"signs": {}, "error_gy": error})
    assert store.cases.get(case_id).expected_impact_gy == 0.4
    other = put_prediction(store, case_id, BOX, roi_name="Esophagus")
    store.doubts.add_dose(other.id, dose_id, {"signs": {}, "error_gy": None})
    assert store.cases.get(case_id).expected_impact_gy == 0.4  # of what is reviewed, not of others
