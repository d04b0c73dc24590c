"""Several structures of one case, reviewed one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from core.approval import Approval, approve
from core.case import CaseState
from core.errors import CaseLockedError, JournalConflictError, TransitionError
from core.journal import encode_runs, mask_crc32
from core.records import MANUAL, JournalEntry
from core.store import Store
from core.tables import audit
from core.volume import Volume
from tests.support.review_case import (
    NOW,
    ROUTING,
    another_object,
    box_mask,
    put_case,
    put_prediction,
    small_geometry,
)

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
HEART = box_mask(GEOMETRY, (slice(3, 7), slice(4, 9), slice(5, 11)))
GULLET = box_mask(GEOMETRY, (slice(2, 8), slice(9, 11), slice(7, 9)))
BOTH = replace(ROUTING, structures=("Heart", "Esophagus"))
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def case_id(store: Store) -> str:
    """A case on which two structures were predicted, and anna has opened the first."""
    made = put_case(store, CT, prediction=HEART, routing=BOTH)
    put_prediction(store, made, GULLET, roi_name="Esophagus")
    take(store, made, "Heart")
    return made


def take(store: Store, case_id: str, roi_name: str, *, who: str = "anna") -> None:
    store.reviews.open(case_id, roi_name, who=who, tab="t1", now=NOW, lock_s=60)


def paint(store: Store, case_id: str, roi_name: str, *, seq: int = 1) -> None:
    entry = JournalEntry(seq, "stroke", {"tool": "add", "runs": encode_runs([seq])})
    store.reviews.append(case_id, roi_name, entry, who="anna", tab="t1", now=NOW)


def approved(
    store: Store,
    case_id: str,
    roi_name: str,
    base: np.ndarray,
    *,
    seq: int = 1,
    hold_s: float = 0.0,
) -> str:
    mask = base.copy()
    mask.flat[list(range(1, seq + 1))] = True
    said = Approval("anna", "t1", seq, int(mask.sum()), mask_crc32(mask), ())
    current = store.cases.get(case_id)
    return approve(store, current, roi_name, said, destinations=["TPS"], now=NOW, hold_s=hold_s).id


def turn(store: Store, case_id: str, roi_name: str, *, who: str = "anna") -> CaseState:
    return store.turns.turn(case_id, roi_name, who=who, now=NOW).state


def send(store: Store, correction_id: str) -> bool:
    (row,) = [d for d in store.deliveries.all() if d.correction_id == correction_id]
    if store.deliveries.begin(row.id, now=LATER) is None:
        return False
    store.deliveries.sent(row.id, sop_instance_uid="1.2.3", now=LATER)
    return True


def heart_approved(store: Store, case_id: str, *, hold_s: float = 0.0) -> str:
    paint(store, case_id, "Heart")
    return approved(store, case_id, "Heart", HEART, hold_s=hold_s)


def test_the_second_structure_begins_from_its_own_prediction_and_has_its_own_journal(
    store: Store, case_id: str
) -> None:
    heart_approved(store, case_id)
    assert turn(store, case_id, "Esophagus") is CaseState.PREDICTED
    take(store, case_id, "Esophagus")
    assert store.cases.get(case_id).state is CaseState.IN_REVIEW
    base = store.reviews.base_prediction(case_id, "Esophagus")
    assert base is not None
    assert store.cases.prediction(base).roi_name == "Esophagus"
    paint(store, case_id, "Esophagus")
    made = approved(store, case_id, "Esophagus", GULLET)
    mask = store.files.read_mask(case_id, f"correction-{made}")
    assert (mask & ~GULLET).sum() == 1
    for roi_name in ("Heart", "Esophagus"):
        assert [c.roi_name for c in store.checks.due(roi_name)] == [roi_name]


def test_what_was_approved_still_leaves_while_another_structure_is_reviewed(
    store: Store, case_id: str
) -> None:
    heart = heart_approved(store, case_id)
    turn(store, case_id, "Esophagus")
    assert [d.correction_id for d in store.deliveries.due(now=LATER)] == [heart]
    assert send(store, heart)
    # What has arrived is the heart: the oesophagus is not even contoured.
    assert store.cases.get(case_id).state is CaseState.PREDICTED
    assert turn(store, case_id, "Heart") is CaseState.DELIVERED


def test_the_first_that_arrives_does_not_speak_for_the_second(store: Store, case_id: str) -> None:
    heart = heart_approved(store, case_id)
    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")
    paint(store, case_id, "Esophagus")
    gullet = approved(store, case_id, "Esophagus", GULLET)
    assert send(store, heart)
    assert store.cases.get(case_id).state is CaseState.APPROVED
    assert send(store, gullet)
    assert store.cases.get(case_id).state is CaseState.DELIVERED


def test_a_turn_loses_no_stroke_and_can_be_undone(store: Store, case_id: str) -> None:
    paint(store, case_id, "Heart")
    assert turn(store, case_id, "Esophagus") is CaseState.PREDICTED
    assert turn(store, case_id, "Heart") is CaseState.IN_REVIEW
    take(store, case_id, "Heart")
    paint(store, case_id, "Heart", seq=2)
    assert [e.seq for e in store.reviews.entries(case_id, "Heart")] == [1, 2]
    assert store.reviews.entries(case_id, "Esophagus") == []
    assert store.turns.standings(store.cases.get(case_id)) == {
        "Heart": CaseState.IN_REVIEW,
        "Esophagus": CaseState.PREDICTED,
    }
    with store.engine.connect() as connection:
        query = sa.select(audit.c.detail).where(audit.c.event == "case.turned")
        told = [(d["before"], d["after"]) for d in connection.scalars(query.order_by(audit.c.id))]
    assert told == [("Heart", "Esophagus"), ("Esophagus", "Heart")]


def test_a_page_of_the_structure_before_can_write_nothing_any_more(
    store: Store, case_id: str
) -> None:
    turn(store, case_id, "Esophagus")
    with pytest.raises(CaseLockedError):
        paint(store, case_id, "Heart")
    take(store, case_id, "Esophagus")  # even with the same tab
    with pytest.raises(JournalConflictError, match="turned to Esophagus"):
        paint(store, case_id, "Heart")
    with pytest.raises(JournalConflictError, match="turned to Esophagus"):
        approved(store, case_id, "Heart", HEART, seq=0)
    with pytest.raises(JournalConflictError, match="turned to Esophagus"):
        take(store, case_id, "Heart")
    assert store.reviews.entries(case_id, "Heart") == []


def test_what_was_approved_is_undone_and_opened_by_its_own_name_alone(
    store: Store, case_id: str
) -> None:
    heart = heart_approved(store, case_id, hold_s=30)
    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")
    paint(store, case_id, "Esophagus")
    gullet = approved(store, case_id, "Esophagus", GULLET, hold_s=30)

    def undo(roi_name: str) -> None:
        store.flow.take_back(case_id, roi_name, who="anna", tab="t2", now=NOW, lock_s=60)

    with pytest.raises(JournalConflictError, match="turned to Esophagus"):
        undo("Heart")
    with pytest.raises(JournalConflictError, match="turned to Esophagus"):
        store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=NOW)
    assert {d.correction_id for d in store.deliveries.all()} == {heart, gullet}
    turn(store, case_id, "Heart")
    undo("Heart")
    assert [d.correction_id for d in store.deliveries.all()] == [gullet]
    assert store.cases.get(case_id).state is CaseState.IN_REVIEW
    assert [d.correction_id for d in store.deliveries.due(now=LATER)] == [gullet]


def test_a_case_is_not_rejected_while_another_structure_of_it_is_on_its_way(
    store: Store, case_id: str
) -> None:
    heart = heart_approved(store, case_id)
    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")

    def reject() -> None:
        store.flow.reject(case_id, "Esophagus", who="anna", tab="t1", reason="wrong scan", now=NOW)

    with pytest.raises(
        TransitionError, match="Heart of this case was approved and has not arrived"
    ):
        reject()
    assert send(store, heart)
    reject()
    assert store.cases.get(case_id).state is CaseState.REJECTED


def test_nobody_turns_what_somebody_else_has(store: Store, case_id: str) -> None:
    with pytest.raises(CaseLockedError, match="anna"):
        turn(store, case_id, "Esophagus", who="berta")
    heart_approved(store, case_id)  # nobody's any more
    assert turn(store, case_id, "Esophagus", who="berta") is CaseState.PREDICTED
    assert store.cases.get(case_id).assigned_to == "berta"


def test_only_what_the_rule_names_is_turned_to(store: Store, case_id: str) -> None:
    with pytest.raises(TransitionError, match="names Heart, Esophagus"):
        turn(store, case_id, "Lung_L")


def test_a_rejected_case_is_turned_only_after_it_was_reopened(store: Store, case_id: str) -> None:
    store.flow.reject(case_id, "Heart", who="anna", tab="t1", reason="wrong scan", now=NOW)
    with pytest.raises(TransitionError, match="Re-open"):
        turn(store, case_id, "Esophagus")
    store.flow.reopen(case_id, "Heart", who="anna", reason="it was right", now=NOW)
    assert turn(store, case_id, "Esophagus") is CaseState.PREDICTED


def test_a_new_version_that_was_begun_is_approved_before_another_structure(
    store: Store, case_id: str
) -> None:
    send(store, heart_approved(store, case_id))
    store.flow.reopen(case_id, "Heart", who="anna", reason="look again", now=NOW)
    take(store, case_id, "Heart")
    turn(store, case_id, "Esophagus")  # nothing was changed
    assert turn(store, case_id, "Heart") is CaseState.DELIVERED
    store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=NOW)
    take(store, case_id, "Heart")
    paint(store, case_id, "Heart", seq=2)
    with pytest.raises(TransitionError, match="Heart was re-opened"):
        turn(store, case_id, "Esophagus")


def test_what_was_opened_because_it_could_not_be_sent_does_not_count_again_by_a_turn(
    store: Store, case_id: str
) -> None:
    heart_approved(store, case_id)
    (row,) = store.deliveries.all(case_id=case_id)
    store.deliveries.held(row.id, reason="does not read back", now=NOW)
    store.flow.reopen(case_id, "Heart", who="anna", reason="the contour is wrong", now=NOW)
    with pytest.raises(TransitionError, match="Heart was re-opened"):
        turn(store, case_id, "Esophagus")
    assert store.deliveries.release_held(now=NOW) == 0


def test_a_structure_is_opened_again_while_another_one_waits_for_a_destination_that_is_down(
    store: Store, case_id: str
) -> None:
    heart_approved(store, case_id)  # and not sent
    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")
    paint(store, case_id, "Esophagus")
    gullet = approved(store, case_id, "Esophagus", GULLET)
    (row,) = [d for d in store.deliveries.all() if d.correction_id == gullet]
    store.deliveries.held(row.id, reason="does not read back", now=NOW)
    opened = store.flow.reopen(case_id, "Esophagus", who="anna", reason="draw anew", now=NOW)
    assert opened.state is CaseState.IN_REVIEW
    assert len(store.deliveries.due(now=LATER)) == 1  # the heart


def test_what_somebody_has_begun_stays_theirs_when_another_turns_to_it(
    store: Store, case_id: str
) -> None:
    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")
    paint(store, case_id, "Esophagus")
    turn(store, case_id, "Heart")
    take(store, case_id, "Heart")
    heart_approved(store, case_id)
    assert turn(store, case_id, "Esophagus", who="berta") is CaseState.IN_REVIEW
    assert store.cases.get(case_id).assigned_to == "anna"


def test_strokes_that_nobody_approved_teach_whichever_structure_is_reviewed_now(
    store: Store, case_id: str
) -> None:
    def strokes() -> list[str]:
        taken = store.teaching.take_strokes("Esophagus", at_rest_since=LATER, now=LATER)
        return [c.case_id for c in taken]

    turn(store, case_id, "Esophagus")
    take(store, case_id, "Esophagus")
    paint(store, case_id, "Esophagus")
    assert strokes() == [case_id]
    turn(store, case_id, "Heart")
    take(store, case_id, "Heart")
    heart_approved(store, case_id)
    assert strokes() == [case_id]


def test_an_approval_is_withdrawn_by_opening_its_own_structure_alone(
    store: Store, case_id: str
) -> None:
    heart = heart_approved(store, case_id)
    (row,) = store.deliveries.all(case_id=case_id)
    store.deliveries.held(row.id, reason="does not read back", now=NOW)
    turn(store, case_id, "Esophagus")
    assert store.deliveries.release_held(now=NOW) == 1
    store.deliveries.held(row.id, reason="does not read back", now=NOW)
    turn(store, case_id, "Heart")
    store.flow.reopen(case_id, "Heart", who="anna", reason="draw it anew", now=NOW)
    assert store.deliveries.release_held(now=NOW) == 0
    assert not send(store, heart)


def test_late_slices_change_no_volume_on_which_any_structure_was_contoured(
    store: Store, case_id: str
) -> None:
    heart_approved(store, case_id)
    turn(store, case_id, "Esophagus")
    another_object(store, case_id, series=store.cases.get(case_id).series_instance_uid)
    assert store.instances.series_due(quiet_since=LATER) == []
    with pytest.raises(TransitionError, match="cannot change"):
        store.cases.assembled(
            case_id, assembly="b" * 64, instance_count=2, geometry=GEOMETRY, now=LATER
        )


def test_predictions_come_for_the_structure_that_nobody_has_touched(
    store: Store, case_id: str
) -> None:
    paint(store, case_id, "Heart")
    newer = "b" * 64
    assert store.cases.to_predict("Heart", newer) == []
    assert [c.id for c in store.cases.to_predict("Esophagus", newer)] == [case_id]
    put_prediction(store, case_id, GULLET, roi_name="Esophagus", version=newer)
    assert store.cases.get(case_id).state is CaseState.IN_REVIEW
    approved(store, case_id, "Heart", HEART)
    turn(store, case_id, "Esophagus")
    assert [c.id for c in store.cases.to_predict("Esophagus", "d" * 64)] == [case_id]


def test_a_case_is_put_from_scratch_only_before_any_structure_was_opened(
    store: Store, case_id: str
) -> None:
    turn(store, case_id, "Esophagus")
    assert turn(store, case_id, "Heart") is CaseState.PREDICTED
    with pytest.raises(TransitionError, match="opened already"):
        store.arms.assign(case_id, MANUAL, who="olga", now=NOW)


def test_each_structure_has_its_own_time(store: Store, case_id: str) -> None:
    def work(roi_name: str, begun_s: int, seconds: int) -> None:
        moments = [NOW + timedelta(seconds=begun_s + s) for s in range(0, seconds + 1, 5)]
        events: list[Any] = [(at, "position", {}) for at in moments]
        store.timing.add(case_id, roi_name, events, who="anna", arm="assisted")

    work("Heart", 0, 20)
    work("Esophagus", 100, 10)
    spent = {
        roi: store.timing.spent_s(case_id, roi, who="anna", arm="assisted")
        for roi in ("Heart", "Esophagus")
    }
    assert spent == {"Heart": 20, "Esophagus": 10}
    (worked,) = store.timing.work_of("anna")
    assert worked.seconds == 30
    work("", 200, 15)  # before it was kept for which, the first was reviewed alone
    assert store.timing.spent_s(case_id, "Heart", who="anna", arm="assisted") == 35
    assert store.timing.spent_s(case_id, "Esophagus", who="anna", arm="assisted") == 10
