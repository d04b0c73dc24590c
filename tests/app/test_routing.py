"""A case gets its rule when it is assembled, and again when a failed one is retried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from app import intake
from app.room import Room
from core.case import CaseState
from core.config import RuleSettings
from core.database import writing
from core.journal import encode_runs
from core.records import Case, JournalEntry
from tests.support.room import bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, written

KNEE = {
    "name": "knee",
    "when": {"body_part_examined": "KNEE"},
    "structures": ["Heart"],
    "destinations": ["TPS"],
}
ALL = {**KNEE, "name": "all", "when": {}, "priority": "urgent"}


def under(room: Room, *rules: object) -> Room:
    """The same node after a restart with other rules."""
    told = tuple(RuleSettings.model_validate(rule) for rule in rules)
    return replace(room, settings=room.settings.model_copy(update={"rules": told}))


def only_case(room: Room) -> Case:
    (case,) = room.store.cases.all()
    return case


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A node that has received a CT and not looked at it yet."""
    opened = open_room(tmp_path)
    receive(opened, written(ct_series(), tmp_path / "pushed"))
    return opened


def assembled_before_rules(room: Room) -> Case:
    bring_up_to_date(room)
    with writing(room.store.engine) as connection:
        connection.execute(sa.text('UPDATE "case" SET routing = NULL'))
    assert only_case(room).routing is None
    return only_case(room)


def test_a_series_that_no_rule_fits_fails_and_is_routed_anew_when_it_is_retried(
    room: Room,
) -> None:
    bring_up_to_date(under(room, KNEE))
    failed = only_case(room)
    assert failed.state is CaseState.FAILED
    assert "knee: body_part_examined does not fit KNEE" in failed.reason
    mended = under(room, KNEE, ALL)
    bring_up_to_date(mended)
    assert only_case(room).state is CaseState.FAILED  # nobody has asked yet
    assert room.store.cases.retry_failed(now=room.now()) == 1
    bring_up_to_date(mended)
    case = only_case(room)
    assert (case.state, case.reason) == (CaseState.ASSEMBLED, "")
    assert case.routing is not None
    assert (case.routing.rule, case.routing.priority) == ("all", "urgent")


def test_a_changed_rule_changes_no_case_under_way(room: Room) -> None:
    bring_up_to_date(room)
    before = only_case(room).routing
    bring_up_to_date(under(room, ALL))
    assert room.store.cases.to_route() == []
    assert only_case(room).routing == before


def test_a_case_from_before_there_were_rules_gets_its_rule(room: Room) -> None:
    case = assembled_before_rules(room)
    assert room.store.cases.to_route() == [case]
    assert intake.route_now(under(room, ALL), case)
    routing = only_case(room).routing
    assert routing is not None
    assert routing.rule == "all"
    assert room.store.cases.to_route() == []


def test_a_case_from_before_that_no_rule_fits_fails_with_the_sentence(room: Room) -> None:
    assert not intake.route_now(under(room, KNEE), assembled_before_rules(room))
    assert only_case(room).state is CaseState.FAILED
    assert "No rule fits this series" in only_case(room).reason


def test_a_painted_case_from_before_that_no_rule_fits_keeps_its_strokes(room: Room) -> None:
    case = assembled_before_rules(room)
    reviews, now = room.store.reviews, room.now()
    reviews.open(case.id, "Heart", who="anna", tab="t", now=now, lock_s=60)
    entry = JournalEntry(1, "stroke", {"tool": "add", "runs": encode_runs(np.array([5]))})
    reviews.append(case.id, "Heart", entry, who="anna", tab="t", now=now)
    assert not intake.route_now(under(room, KNEE), case)
    assert only_case(room).state is CaseState.IN_REVIEW
    assert reviews.last_seq(case.id, "Heart") == 1
