"""The structures of a case in turn, where the database is PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.case import CaseState
from core.store import Store, open_store
from core.worklist_store import Asked
from tests.core.test_turns import (
    BOTH,
    CT,
    GULLET,
    HEART,
    LATER,
    approved,
    heart_approved,
    paint,
    send,
    take,
    turn,
)
from tests.support.postgresql import postgresql
from tests.support.review_case import NOW, put_case, put_prediction
from tests.support.settings import settings_for


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with postgresql() as url:
        opened = open_store(settings_for(tmp_path, database_url=url))
        yield opened
        opened.engine.dispose()


def test_what_is_approved_leaves_is_listed_and_is_undone_by_structure(store: Store) -> None:
    case_id = put_case(store, CT, prediction=HEART, routing=BOTH)
    put_prediction(store, case_id, GULLET, roi_name="Esophagus")
    take(store, case_id, "Heart")
    heart = heart_approved(store, case_id, hold_s=30)
    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")
    paint(store, case_id, "Esophagus")
    approved(store, case_id, "Esophagus", GULLET, hold_s=30)
    assert send(store, heart)
    assert store.cases.get(case_id).state is CaseState.APPROVED
    store.flow.take_back(case_id, "Esophagus", who="anna", tab="t1", now=NOW, lock_s=60)

    ((row,), _) = store.worklist.page("Heart", Asked(), now=NOW)
    assert row.roi_name == "Esophagus"
    assert row.approved_structures == {"Heart"}
    assert len(store.worklist.all("Heart", now=NOW)) == 2
    shipped = store.outbox.page(state=None, page=1, now=LATER).rows
    assert {(s.roi_name, s.state) for s in shipped} == {
        ("Heart", "delivered"),
        ("Esophagus", "undone"),
    }
    strokes = store.teaching.take_strokes("Esophagus", at_rest_since=LATER, now=LATER)
    assert [made.case_id for made in strokes] == [case_id]
    assert store.timing.contouring_s("Heart") == {}
    assert turn(store, case_id, "Heart") is CaseState.DELIVERED
