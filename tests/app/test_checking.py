"""A correction that looks wrong is delivered, and teaches nothing until somebody else looked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.checking import check_what_is_new
from app.room import Room, key_of
from core.errors import SecondPersonError
from core.files import mask_digest
from core.geometry import Mask
from core.records import IMPORTED, Correction
from tests.support.bodies import CT, FLIPPED, HEART
from tests.support.review_case import put_case
from tests.support.room import approve_mask, open_room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    opened = open_room(tmp_path)
    yield opened
    opened.store.engine.dispose()


def approved(
    room: Room, mask: Mask, *, patient: str = "P-001", predicted: Mask | None = None
) -> Correction:
    case_id = put_case(room.store, CT, prediction=predicted, patient_id=patient)
    made = approve_mask(room, case_id, mask)
    check_what_is_new(room, "Heart")
    return made


def learned(room: Room) -> set[str]:
    return set(room.store.learning.learning_set("Heart").ids())


def test_what_nobody_has_checked_teaches_nothing(room: Room) -> None:
    made = approve_mask(room, put_case(room.store, CT), HEART)
    assert learned(room) == set()
    check_what_is_new(room, "Heart")
    assert learned(room) == {made.id}


@pytest.mark.parametrize("predicted", [None, HEART], ids=["from scratch", "of a prediction"])
def test_a_flipped_label_is_delivered_and_never_trains_or_validates(
    room: Room, predicted: Mask | None
) -> None:
    first = approved(room, HEART, patient="P-001")
    flipped = approved(room, FLIPPED, patient="P-002", predicted=predicted)
    later = approved(room, HEART, patient="P-003")
    assert learned(room) == {first.id, later.id}
    assert len(room.store.deliveries.all(case_id=flipped.case_id)) == 1
    (check,) = room.store.checks.waiting(flipped.case_id)
    assert any("right of the middle of the body" in why for why in check.suspicions)


def test_a_second_person_lets_it_in_and_the_reason_is_kept(room: Room) -> None:
    made = approved(room, FLIPPED)
    room.store.checks.decide(
        made.id, let_in=True, who="ben", why=" Dextrocardia, seen on the CT. ", now=room.now()
    )
    assert learned(room) == {made.id}
    check = room.store.checks.get(made.id)
    assert check is not None
    assert (check.decision, check.decided_by) == ("released", "ben")
    assert check.why == "Dextrocardia, seen on the CT."
    query = "select who, event, detail from audit where event like 'correction.%' order by id"
    with room.store.engine.connect() as connection:
        rows = connection.execute(sa.text(query)).all()
    assert [(r.who, r.event) for r in rows] == [
        ("node", "correction.suspicious"),
        ("ben", "correction.released"),
    ]
    detail = json.loads(rows[1].detail)
    assert (detail["before"], detail["after"]) == ("waits", "released")
    assert detail["why"] == "Dextrocardia, seen on the CT."


def drawn_elsewhere(room: Room, case_id: str, mask: Mask) -> Correction:
    """A contour of the case that came later, from elsewhere."""
    name = key_of("elsewhere", case_id, mask_digest(mask))
    made = Correction(
        id=name,
        case_id=case_id,
        assembly=str(room.store.cases.get(case_id).assembly),
        roi_name="Heart",
        prediction_id=None,
        approved_by="anna",
        approved_at=room.now(),
        mask_digest=room.store.files.write_mask(case_id, f"correction-{name}", mask),
        slices_seen=(),
        journal_seq=0,
        origin=IMPORTED,
    )
    assert room.store.teaching.import_correction(made, instance_id=1)
    return made


def test_while_the_newest_contour_waits_the_one_it_replaced_does_not_teach(room: Room) -> None:
    case_id = put_case(room.store, CT)
    first = drawn_elsewhere(room, case_id, HEART)
    check_what_is_new(room, "Heart")
    assert learned(room) == {first.id}
    newer = drawn_elsewhere(room, case_id, FLIPPED)
    assert learned(room) == set()  # not checked yet
    check_what_is_new(room, "Heart")
    assert learned(room) == set()  # suspicious: one of both is wrong
    room.store.checks.decide(newer.id, let_in=False, who="ben", why="wrong side", now=room.now())
    assert learned(room) == {first.id}


def test_what_a_second_person_discards_never_teaches_and_is_decided_for_ever(room: Room) -> None:
    made = approved(room, FLIPPED)
    room.store.checks.decide(made.id, let_in=False, who="ben", why="wrong side", now=room.now())
    assert learned(room) == set()
    assert room.store.checks.waiting(made.case_id) == []
    with pytest.raises(SecondPersonError, match="does not wait"):
        room.store.checks.decide(made.id, let_in=True, who="eve", why="no", now=room.now())


def test_who_approved_it_cannot_let_it_in_and_nobody_can_without_a_reason(room: Room) -> None:
    made = approved(room, FLIPPED)
    with pytest.raises(SecondPersonError, match="You approved this correction yourself"):
        room.store.checks.decide(made.id, let_in=True, who="anna", why="mine", now=room.now())
    with pytest.raises(SecondPersonError, match="Say why"):
        room.store.checks.decide(made.id, let_in=True, who="ben", why="  ", now=room.now())
    assert learned(room) == set()


def test_what_is_suspicious_does_not_change_what_is_usual(room: Room) -> None:
    """Eight slips must not make the ninth look ordinary."""
    for number in range(9):
        approved(room, FLIPPED, patient=f"P-{number}")
    checks = room.store.checks.all("Heart")
    assert len(checks) == 9
    assert all(check.suspicions for check in checks)
    assert not any("approved before" in why for c in checks for why in c.suspicions)


def test_a_correction_whose_files_are_gone_waits_and_says_why(room: Room) -> None:
    made = approve_mask(room, put_case(room.store, CT), HEART)
    (room.store.files.folder(made.case_id) / f"correction-{made.id}.mask").unlink()
    check_what_is_new(room, "Heart")
    assert learned(room) == set()
    (check,) = room.store.checks.waiting(made.case_id)
    assert check.suspicions[0].startswith("It cannot be checked: correction-")
