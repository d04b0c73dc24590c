"""Taking back, rejecting, passing on, re-opening: what stays and what is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from core.case import CaseState
from core.errors import CaseLockedError, NoReasonError, TransitionError
from core.records import Correction, CorrectionCheck, DoseFigure, Prediction
from core.store import Store
from core.tables import audit
from core.volume import Volume
from tests.core.test_store import NOW, SHAPE, approve_all, paint, reviewed_case
from tests.support.review_case import put_dose

LATER = NOW + timedelta(seconds=31)


def held(store: Store, case_id: str, *, hold_s: float = 30.0) -> Correction:
    """An approval of two painted voxels that waits before it leaves."""
    paint(store, case_id, 1, [0, 1])
    return approve_again(store, case_id, hold_s=hold_s)


def approve_again(
    store: Store, case_id: str, *, hold_s: float = 30.0, minutes: int = 0
) -> Correction:
    made = Correction(
        id=f"{minutes:032d}" if minutes else "c" * 32,
        case_id=case_id,
        assembly="f" * 64,
        roi_name="Heart",
        prediction_id=None,
        approved_by="anna",
        approved_at=NOW + timedelta(minutes=minutes),
        mask_digest="d" * 64,
        slices_seen=(),
        journal_seq=1,
    )
    to = ["TPS", "Archive"]
    return store.reviews.approve(
        made, tab="t1", destinations=to, now=made.approved_at, hold_s=hold_s
    )


def take_back(store: Store, case_id: str) -> None:
    store.flow.take_back(case_id, "Heart", who="anna", tab="t2", now=NOW, lock_s=60)


def events(store: Store, case_id: str) -> list[str]:
    with store.engine.connect() as connection:
        query = sa.select(audit.c.event).where(audit.c.case_id == case_id).order_by(audit.c.id)
        return list(connection.scalars(query))


def send_all(store: Store, case_id: str) -> None:
    for row in store.deliveries.all(case_id=case_id):
        assert store.deliveries.begin(row.id, now=LATER) is not None
        store.deliveries.sent(row.id, sop_instance_uid="1.2.3", now=LATER)


def test_what_is_held_does_not_leave_before_its_time(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    held(store, case_id)
    rows = store.deliveries.all(case_id=case_id)
    assert store.deliveries.due(now=NOW + timedelta(seconds=29)) == []
    assert store.deliveries.begin(rows[0].id, now=NOW + timedelta(seconds=29)) is None
    assert len(store.deliveries.due(now=LATER)) == 2
    assert store.deliveries.begin(rows[0].id, now=LATER) is not None


def test_an_approval_that_is_taken_back_leaves_the_journal_and_the_audit_and_nothing_else(
    store: Store,
) -> None:
    case_id = reviewed_case(store, "P1", 1)
    geometry = store.cases.get(case_id).geometry
    assert geometry is not None
    made = held(store, case_id)
    dose_id = put_dose(store, case_id, Volume(np.ones(SHAPE, np.float32), geometry))
    figure = (case_id, "Heart", "correction", made.id, dose_id, 1.0, 2.0, 1.0, 3.0, 1.0, NOW)
    store.cases.add_dose_figure(DoseFigure(*figure))
    take_back(store, case_id)
    assert store.cases.get(case_id).state is CaseState.IN_REVIEW
    assert [e.seq for e in store.reviews.entries(case_id, "Heart")] == [1]
    assert store.reviews.correction_of(case_id, "Heart") is None
    assert store.deliveries.all(case_id=case_id) == []
    assert store.cases.dose_figures(case_id) == []
    undone = ["case.in_review", "delivery.undone", "delivery.undone"]
    assert events(store, case_id)[-4:] == ["case.approved", *undone]
    # The tab that undid it goes on, and may approve again.
    assert store.reviews.holder(case_id, now=NOW) == ("anna", "t2")
    store.reviews.open(case_id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    approve_again(store, case_id)
    assert store.cases.get(case_id).state is CaseState.APPROVED


def test_once_one_delivery_has_begun_nothing_is_taken_back(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    made = held(store, case_id)
    first, second = store.deliveries.all(case_id=case_id)
    assert store.deliveries.begin(first.id, now=LATER) is not None
    with pytest.raises(TransitionError, match="hold is over"):
        take_back(store, case_id)
    assert store.cases.get(case_id).state is CaseState.APPROVED
    assert store.reviews.correction_of(case_id, "Heart") == made
    assert store.deliveries.begin(second.id, now=LATER) is not None


def test_a_worker_that_comes_after_the_undo_finds_nothing_to_send(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    held(store, case_id)
    (row, _) = store.deliveries.due(now=LATER)
    take_back(store, case_id)
    assert store.deliveries.begin(row.id, now=LATER) is None
    assert store.deliveries.due(now=LATER) == []


def test_without_a_hold_there_is_nothing_to_take_back(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    held(store, case_id, hold_s=0)
    with pytest.raises(TransitionError, match="hold is over"):
        take_back(store, case_id)


def test_nothing_is_learned_from_an_approval_that_may_still_be_taken_back(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    made = held(store, case_id)
    assert store.checks.due("Heart") == []
    assert store.learning.learning_set("Heart").ids() == ()
    (first, _) = store.deliveries.all(case_id=case_id)
    store.deliveries.begin(first.id, now=LATER)
    (second,) = [d for d in store.deliveries.all(case_id=case_id) if d.id != first.id]
    store.deliveries.begin(second.id, now=LATER)
    assert [c.id for c in store.checks.due("Heart")] == [made.id]
    store.checks.record(CorrectionCheck(made.id, case_id, "Heart", (), {}, LATER))
    assert store.learning.learning_set("Heart").ids() == (made.id,)


def test_a_rejected_case_says_who_and_why_keeps_its_strokes_and_can_be_re_opened(
    store: Store,
) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [0])
    with pytest.raises(NoReasonError):
        store.flow.reject(case_id, "Heart", who="anna", tab="t1", reason="  ", now=NOW)
    with pytest.raises(CaseLockedError):
        store.flow.reject(case_id, "Heart", who="anna", tab="other", reason="artefacts", now=NOW)
    store.flow.reject(case_id, "Heart", who="anna", tab="t1", reason=" artefacts ", now=NOW)
    current = store.cases.get(case_id)
    assert (current.state, current.reason) == (CaseState.REJECTED, "Rejected by anna: artefacts")
    assert store.reviews.holder(case_id, now=NOW) is None
    with pytest.raises(NoReasonError):
        store.flow.reopen(case_id, "Heart", who="berta", reason="", now=NOW)
    opened = store.flow.reopen(case_id, "Heart", who="berta", reason="a better look", now=NOW)
    assert (opened.state, opened.reason, opened.assigned_to) == ("IN_REVIEW", "", "berta")
    assert store.reviews.last_seq(case_id, "Heart") == 1
    assert events(store, case_id)[-2:] == ["case.rejected", "case.in_review"]


def test_a_delivered_case_is_re_opened_and_its_next_approval_is_the_second_version(
    store: Store,
) -> None:
    case_id = reviewed_case(store, "P1", 1)
    first = held(store, case_id)
    with pytest.raises(TransitionError, match="still on its way"):
        store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=NOW)
    send_all(store, case_id)
    assert store.cases.get(case_id).state is CaseState.DELIVERED
    store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=NOW)
    store.reviews.open(case_id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    second = approve_again(store, case_id, minutes=5)
    assert [store.flow.version_of(c) for c in (first, second)] == [1, 2]
    assert [store.flow.predecessor_of(c) for c in (first, second)] == [None, first.id]
    # What was sent stays sent; undoing the second version leaves the first one.
    take_back(store, case_id)
    assert store.reviews.correction_of(case_id, "Heart") == first
    assert {d.state for d in store.deliveries.all(case_id=case_id)} == {"SENT"}


def test_a_case_re_opened_without_strokes_keeps_the_prediction_that_was_approved(
    store: Store,
) -> None:
    case_id = reviewed_case(store, "P1", 1)
    seen = Prediction("1" * 32, case_id, "f" * 64, "Heart", "a" * 64, "d" * 64, 0.9, 1.0, NOW)
    assert store.cases.predicted(seen)
    store.reviews.open(case_id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    made = Correction("e" * 32, case_id, "f" * 64, "Heart", seen.id, "anna", NOW, "d" * 64, (), 0)
    store.reviews.approve(made, tab="t1", destinations=["TPS"], now=NOW)
    send_all(store, case_id)
    store.flow.reopen(case_id, "Heart", who="anna", reason="look again", now=NOW)
    newer = replace(seen, id="2" * 32, model_version="b" * 64, created_at=LATER)
    assert store.cases.predicted(newer) is False
    store.reviews.open(case_id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    assert store.reviews.base_prediction(case_id, "Heart") == seen.id


def test_a_case_that_was_passed_on_waits_for_its_new_owner(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [0])
    assert store.reviews.owner(store.cases.get(case_id)) == "anna"
    store.flow.pass_on(case_id, who="anna", tab="t1", to="berta", now=NOW)
    assert store.reviews.owner(store.cases.get(case_id)) == "berta"
    with pytest.raises(CaseLockedError, match="berta's"):
        store.reviews.open(case_id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    store.reviews.open(case_id, "Heart", who="berta", tab="t2", now=NOW, lock_s=60)
    assert events(store, case_id)[-1] == "case.passed_on"


def test_a_case_is_taken_over_only_by_asking_and_the_one_before_cannot_write_any_more(
    store: Store,
) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [0])
    asking = {"who": "berta", "tab": "t2", "now": NOW, "lock_s": 60}
    with pytest.raises(CaseLockedError, match="anna is reviewing"):
        store.reviews.open(case_id, "Heart", **asking)  # type: ignore[arg-type]
    store.reviews.open(case_id, "Heart", **asking, take_over=True)  # type: ignore[arg-type]
    with pytest.raises(CaseLockedError, match="berta has taken"):
        paint(store, case_id, 2, [1])
    assert store.reviews.last_seq(case_id, "Heart") == 1
    assert store.reviews.owner(store.cases.get(case_id)) == "berta"
    assert "case.taken_over" in events(store, case_id)


def test_only_what_failed_is_tried_again_by_hand(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [0])
    approve_all(store, case_id, seq=1, voxels=[0])
    (row,) = store.deliveries.all(case_id=case_id)
    assert store.deliveries.retry(row.id, who="otto", now=NOW) is False
    assert store.deliveries.begin(row.id, now=NOW) is not None
    store.deliveries.tried(row.id, error="no answer", next_try_at=NOW + timedelta(hours=1))
    assert store.deliveries.due(now=NOW) == []
    assert store.deliveries.retry(row.id, who="otto", now=NOW) is True
    assert [d.id for d in store.deliveries.due(now=NOW)] == [row.id]
    store.deliveries.sent(row.id, sop_instance_uid="1.2.3", now=NOW)
    assert store.deliveries.retry(row.id, who="otto", now=NOW) is False
    assert events(store, case_id).count("delivery.retried") == 1


def test_what_was_replaced_is_not_sent_again_and_does_not_deliver_its_case(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    held(store, case_id)
    stopped, arrived = store.deliveries.all(case_id=case_id)
    for row in (stopped, arrived):
        assert store.deliveries.begin(row.id, now=LATER) is not None
    store.deliveries.sent(arrived.id, sop_instance_uid="1.2.3", now=LATER)
    store.deliveries.held(stopped.id, reason="does not read back", now=LATER)
    assert store.outbox.page(state="failed", page=1, now=LATER).counts["failed"] == 1

    def nothing_leaves_again() -> None:
        assert store.deliveries.retry(stopped.id, who="otto", now=LATER) is False
        assert store.deliveries.release_held(now=LATER) == 0
        assert store.deliveries.begin(stopped.id, now=LATER) is None
        (shown,) = store.outbox.page(state="replaced", page=1, now=LATER).rows
        assert shown.id == stopped.id

    store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=LATER)
    nothing_leaves_again()
    store.reviews.open(case_id, "Heart", who="anna", tab="t1", now=LATER, lock_s=60)
    approve_again(store, case_id, minutes=1, hold_s=0)
    nothing_leaves_again()

    # It was on its way when it was replaced: it has arrived, its successor has not.
    store.deliveries.sent(stopped.id, sop_instance_uid="1.2.4", now=LATER)
    assert store.cases.get(case_id).state is CaseState.APPROVED
    send = NOW + timedelta(minutes=2)
    for row in store.deliveries.due(now=send):
        assert store.deliveries.begin(row.id, now=send) is not None
        store.deliveries.sent(row.id, sop_instance_uid="1.2.5", now=send)
    assert store.cases.get(case_id).state is CaseState.DELIVERED


def test_what_a_destination_did_not_commit_is_not_sent_again_once_it_was_replaced(
    store: Store,
) -> None:
    case_id = reviewed_case(store, "P1", 1)
    held(store, case_id)
    first = store.deliveries.all(case_id=case_id)[0].id
    store.asked.expect(first, [], destination="TPS", now=LATER)
    send_all(store, case_id)
    (asked,) = store.asked.due(now=LATER)
    store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=LATER)
    store.asked.refused(asked.id, reason="no room", again_at=LATER, now=LATER)
    assert store.deliveries.get(first).state == "SENT"
    assert store.asked.send_again(first, who="otto", now=LATER) is False
    assert store.asked.release_refused(now=LATER) == 0
    assert store.deliveries.due(now=LATER) == []
