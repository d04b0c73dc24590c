"""Strokes on their way to the disk: in order, once, only from the tab that holds the case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from flask import Flask

from core.approval import replayed
from core.config import Settings
from core.errors import CaseLockedError
from core.journal import encode_runs
from core.store import Store, open_store
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.review_case import (
    NOW,
    PASSWORD,
    Reviewer,
    box_mask,
    put_case,
    small_geometry,
)

GEOMETRY = small_geometry()
BOX = box_mask(GEOMETRY, (slice(3, 7), slice(4, 9), slice(5, 11)))


@pytest.fixture
def case_id(store: Store) -> str:
    ct = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
    return put_case(store, ct, prediction=BOX)


@pytest.fixture
def berta(app: Flask) -> Reviewer:
    create_user(app, "berta", PASSWORD)
    return Reviewer.log_in(app, "berta")


def runs(*voxels: int) -> str:
    return encode_runs(voxels)


def test_opening_a_case_takes_it_and_puts_it_under_review(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    facts = anna.open(case_id).json
    assert facts is not None
    assert facts["state"] == "IN_REVIEW"
    assert facts["editable"] is True
    assert facts["lock"] == {"mine": True, "holder": "anna"}
    assert store.cases.get(case_id).state == "IN_REVIEW"


def test_a_stroke_is_kept_and_comes_back_in_order(anna: Reviewer, case_id: str) -> None:
    anna.open(case_id)
    assert anna.stroke(case_id, 1, runs(0, 1, 2, 9)).json == {"seq": 1}
    assert anna.stroke(case_id, 2, runs(5), tool="remove", plane="coronal").json == {"seq": 2}
    assert anna.step(case_id, 3, "undo").json == {"seq": 3}
    entries = anna.get(f"/api/cases/{case_id}/journal").json
    assert entries is not None
    assert [(e["seq"], e["kind"]) for e in entries] == [(1, "stroke"), (2, "stroke"), (3, "undo")]
    assert entries[0]["runs"] == runs(0, 1, 2, 9)
    assert entries[1]["plane"] == "coronal"


def test_a_named_step_that_adds_and_removes_comes_back_as_it_was(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    anna.open(case_id)
    inside = int(np.flatnonzero(BOX)[0])
    step = {"name": "interpolate", "removes": runs(inside), "radius_mm": None}
    assert anna.stroke(case_id, 1, runs(0, 1), **step).json == {"seq": 1}
    (entry,) = anna.get(f"/api/cases/{case_id}/journal").json or []
    assert entry == {
        "seq": 1,
        "kind": "stroke",
        "tool": "add",
        "plane": "axial",
        "slice": 0,
        "name": "interpolate",
        "runs": runs(0, 1),
        "removes": runs(inside),
    }
    layer = replayed(store, store.cases.get(case_id), "Heart")
    expected = BOX.copy()
    expected.flat[[0, 1]] = True
    expected.flat[inside] = False
    np.testing.assert_array_equal(layer.corrected(BOX), expected)


def test_a_step_that_contradicts_itself_is_never_kept(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    anna.open(case_id)
    size = int(np.prod(GEOMETRY.shape))
    assert anna.stroke(case_id, 1, runs(0, 1), removes=runs(1)).status_code == 409
    assert anna.stroke(case_id, 1, runs(0, 1), removes=runs(size)).status_code == 409
    assert anna.stroke(case_id, 1, runs(0), tool="erase", removes=runs(1)).status_code == 422
    assert store.reviews.entries(case_id, "Heart") == []


def test_the_same_entry_twice_counts_once(anna: Reviewer, store: Store, case_id: str) -> None:
    anna.open(case_id)
    for _ in range(2):
        assert anna.stroke(case_id, 1, runs(3, 4)).status_code == 200
    assert len(store.reviews.entries(case_id, "Heart")) == 1


def test_the_same_number_with_other_content_is_refused(anna: Reviewer, case_id: str) -> None:
    anna.open(case_id)
    anna.stroke(case_id, 1, runs(3, 4))
    answer = anna.stroke(case_id, 1, runs(3, 5))
    assert answer.status_code == 409
    assert answer.json["expected_seq"] == 2  # type: ignore[index]


def test_a_gap_is_refused_and_says_what_is_expected(anna: Reviewer, case_id: str) -> None:
    anna.open(case_id)
    anna.stroke(case_id, 1, runs(3))
    answer = anna.stroke(case_id, 3, runs(4))
    assert answer.status_code == 409
    assert answer.json["expected_seq"] == 2  # type: ignore[index]
    assert answer.json["error"]["kind"] == "conflict"  # type: ignore[index]


def test_an_entry_that_could_not_be_replayed_is_never_kept(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    anna.open(case_id)
    size = int(np.prod(GEOMETRY.shape))
    assert anna.stroke(case_id, 1, runs(size)).status_code == 409
    assert anna.stroke(case_id, 1, "no base64!").status_code == 409
    assert anna.step(case_id, 1, "undo").status_code == 409
    anna.stroke(case_id, 1, runs(size - 1))
    assert anna.step(case_id, 2, "redo").status_code == 409
    assert anna.step(case_id, 2, "undo").status_code == 200
    assert anna.step(case_id, 3, "undo").status_code == 409
    assert len(store.reviews.entries(case_id, "Heart")) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"tool": "draw"},
        {"plane": None},
        {"radius_mm": -1},
        {"name": "Not A Word"},
        {"colour": "red"},
        {"seq": 0},
        {"kind": "undo"},
        {"tab": "x"},
    ],
)
def test_a_body_that_is_not_as_agreed_is_refused(
    anna: Reviewer, case_id: str, changes: dict[str, object]
) -> None:
    anna.open(case_id)
    answer = anna.stroke(case_id, **{"seq": 1, "runs": runs(3), **changes})  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert answer.json["error"]["kind"] == "invalid"  # type: ignore[index]


def test_another_reviewer_cannot_take_or_change_a_case_that_is_held(
    anna: Reviewer, berta: Reviewer, store: Store, case_id: str
) -> None:
    anna.open(case_id)
    answer = berta.open(case_id)
    assert answer.status_code == 409
    assert answer.json["error"] == {  # type: ignore[index]
        "kind": "locked",
        "message": "anna is reviewing this case now.",
    }
    assert berta.stroke(case_id, 1, runs(3)).status_code == 409
    facts = berta.get(f"/api/cases/{case_id}").json
    assert facts is not None
    assert facts["editable"] is False
    assert facts["lock"] == {"mine": False, "holder": "anna"}
    assert store.reviews.entries(case_id, "Heart") == []


def test_a_case_that_is_given_back_can_be_taken_by_another_who_asks_for_it(
    anna: Reviewer, berta: Reviewer, case_id: str
) -> None:
    anna.open(case_id)
    anna.stroke(case_id, 1, runs(3))
    anna.post(f"/api/cases/{case_id}/release", tab=anna.tab)
    assert berta.open(case_id).status_code == 409  # anna painted in it last: it is hers
    taken = berta.post(f"/api/cases/{case_id}/open", tab=berta.tab, take_over=True)
    assert taken.status_code == 200
    assert berta.stroke(case_id, 2, runs(4)).status_code == 200
    assert anna.stroke(case_id, 3, runs(5)).status_code == 409


def test_a_lock_without_a_sign_of_life_may_be_taken(
    settings: Settings, store: Store, case_id: str
) -> None:
    clock: Iterator[int] = iter(range(0, 10_000, 100))
    app = create_app(settings, store, now=lambda: NOW + timedelta(seconds=next(clock)))
    create_user(app, "berta", PASSWORD)
    anna, berta = Reviewer.log_in(app, "anna"), Reviewer.log_in(app, "berta")
    assert anna.open(case_id).status_code == 200
    # lock_s is 120; each look at the clock is 100 s later.
    answers = [berta.open(case_id).status_code for _ in range(3)]
    assert 200 in answers


def test_the_same_reviewer_in_a_new_tab_goes_on_and_the_old_tab_may_not(
    anna: Reviewer, case_id: str
) -> None:
    anna.open(case_id)
    anna.stroke(case_id, 1, runs(3))
    new_tab = Reviewer(anna.client, anna.csrf_token, "f" * 32)
    assert new_tab.open(case_id).status_code == 200
    assert new_tab.stroke(case_id, 2, runs(4)).status_code == 200
    assert anna.stroke(case_id, 3, runs(5)).status_code == 409


def test_a_sign_of_life_keeps_a_case_but_takes_it_from_no_other_tab(
    anna: Reviewer, case_id: str
) -> None:
    anna.open(case_id)
    assert anna.stay(case_id).status_code == 200
    new_tab = Reviewer(anna.client, anna.csrf_token, "f" * 32)
    new_tab.open(case_id)
    answer = anna.stay(case_id)
    assert answer.status_code == 409
    assert "another tab" in answer.json["error"]["message"]  # type: ignore[index]
    assert new_tab.stroke(case_id, 1, runs(4)).status_code == 200
    assert new_tab.stay(case_id).status_code == 200


def test_opening_is_never_a_sign_of_life(anna: Reviewer, case_id: str) -> None:
    answer = anna.post(f"/api/cases/{case_id}/open", tab=anna.tab, renew=True)
    assert answer.status_code == 422


def test_a_sign_of_life_makes_the_lock_last_and_takes_no_case_that_is_free(
    settings: Settings, store: Store, case_id: str
) -> None:
    def lives_at(seconds: float) -> None:
        store.reviews.renew(
            case_id, who="anna", tab="a" * 32, now=NOW + timedelta(seconds=seconds), lock_s=120
        )

    def holder_at(seconds: float) -> tuple[str, str] | None:
        return store.reviews.holder(case_id, now=NOW + timedelta(seconds=seconds))

    with pytest.raises(CaseLockedError):
        lives_at(0)
    store.reviews.open(case_id, "Heart", who="anna", tab="a" * 32, now=NOW, lock_s=120)
    lives_at(100)
    assert holder_at(219) == ("anna", "a" * 32)
    assert holder_at(221) is None
    # A laptop that slept, and nobody took the case meanwhile.
    lives_at(5000)
    assert holder_at(5100) == ("anna", "a" * 32)
    store.reviews.release(case_id, who="anna", tab="a" * 32)
    with pytest.raises(CaseLockedError, match="not have the case"):
        lives_at(5001)


def test_a_sign_of_life_does_not_take_a_case_back_from_another_reviewer(
    store: Store, case_id: str
) -> None:
    store.reviews.open(case_id, "Heart", who="anna", tab="a" * 32, now=NOW, lock_s=10)
    later = NOW + timedelta(seconds=11)
    store.reviews.open(case_id, "Heart", who="berta", tab="b" * 32, now=later, lock_s=10)
    for seconds in (11, 60):
        now = NOW + timedelta(seconds=seconds)
        with pytest.raises(CaseLockedError, match="berta"):
            store.reviews.renew(case_id, who="anna", tab="a" * 32, now=now, lock_s=10)


def test_the_node_replays_what_the_browser_painted(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    """Against a second, plain bookkeeping of values with snapshots for undo."""
    rng = np.random.default_rng(4)
    size = int(np.prod(GEOMETRY.shape))
    values = np.zeros(size, np.uint8)
    undone: list[np.ndarray] = []
    done: list[np.ndarray] = []
    anna.open(case_id)
    for seq in range(1, 41):
        turn = rng.random()
        if turn < 0.2 and done:
            undone.append(values.copy())
            values = done.pop()
            answer = anna.step(case_id, seq, "undo")
        elif turn < 0.35 and undone:
            done.append(values.copy())
            values = undone.pop()
            answer = anna.step(case_id, seq, "redo")
        else:
            done.append(values.copy())
            undone.clear()
            tool, value = [("add", 1), ("remove", 2), ("erase", 0)][rng.integers(3)]
            voxels = rng.choice(size, 60, replace=False)
            values = values.copy()
            values[voxels] = value
            answer = anna.stroke(case_id, seq, encode_runs(voxels), tool=tool)
        assert answer.status_code == 200, answer.text
    layer = replayed(store, store.cases.get(case_id), "Heart")
    np.testing.assert_array_equal(layer.values, values)


def test_interactions_are_kept_with_their_reviewer(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    events = [
        {"at": "2026-11-23T10:00:00.123Z", "kind": "position", "detail": {"voxel": [1, 2, 3]}},
        {"at": "2026-11-23T10:00:01Z", "kind": "mouse-press", "detail": {"tool": "add"}},
    ]
    answer = anna.post(f"/api/cases/{case_id}/events", events=events)
    assert answer.json == {"kept": 2, "spent_s": pytest.approx(0.877)}
    (work,) = store.timing.work_of("anna")
    assert (work.case_id, work.arm) == (case_id, "assisted")
    bad = anna.post(f"/api/cases/{case_id}/events", events=[{"at": "today", "kind": "x"}])
    assert bad.status_code == 422


def test_strokes_are_on_disk_when_the_answer_comes(
    anna: Reviewer, settings: Settings, case_id: str
) -> None:
    anna.open(case_id)
    anna.stroke(case_id, 1, runs(3))
    assert len(open_store(settings).reviews.entries(case_id, "Heart")) == 1
