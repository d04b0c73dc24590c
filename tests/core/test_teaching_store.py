"""Strokes that nobody approved: whose may teach, and in which set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from core.case import CaseState, Split
from core.case_store import move
from core.database import writing
from core.geometry import VolumeGeometry
from core.journal import encode_runs
from core.records import (
    IMPORTED,
    STROKES,
    Correction,
    CorrectionCheck,
    JournalEntry,
    ShadowPrediction,
)
from core.store import Store, open_store
from core.tables import audit
from core.volume import Volume
from tests.support.review_case import NOW, ROUTING, put_case, small_geometry
from tests.support.settings import settings_for
from tests.support.versions import A, put_version

HOUR = timedelta(hours=1)
LATER = NOW + 2 * HOUR
GRID: VolumeGeometry = small_geometry()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(settings_for(tmp_path))


def painted_case(store: Store, patient_id: str, *, roi_name: str = "Heart") -> str:
    """A case that anna has opened and painted one stroke on, at NOW."""
    ct = Volume(np.zeros(GRID.shape, np.int16), GRID)
    routing = replace(ROUTING, structures=(roi_name,))
    case_id = put_case(store, ct, patient_id=patient_id, routing=routing)
    store.reviews.open(case_id, roi_name, who="anna", tab="t", now=NOW, lock_s=60)
    paint(store, case_id, 1, roi_name=roi_name)
    return case_id


def paint(store: Store, case_id: str, seq: int, *, roi_name: str = "Heart") -> None:
    entry = JournalEntry(seq, "stroke", {"tool": "add", "runs": encode_runs([seq])})
    store.reviews.append(case_id, roi_name, entry, who="anna", tab="t", now=NOW)


def approve(store: Store, case_id: str, *, roi_name: str = "Heart") -> Correction:
    made = Correction(
        id=case_id, case_id=case_id, assembly="a" * 64, roi_name=roi_name, prediction_id=None,
        approved_by="anna", approved_at=NOW, mask_digest="d" * 64, slices_seen=(), journal_seq=1,
    )  # fmt: skip
    store.reviews.approve(made, tab="t", destinations=[], now=NOW)
    store.checks.record(CorrectionCheck(case_id, case_id, roi_name, (), {}, NOW))
    return made


def taken(store: Store, *, since_h: float = 1.0) -> list[Correction]:
    """What teaches two hours after the last stroke."""
    rest = LATER - since_h * HOUR
    return store.teaching.take_strokes("Heart", at_rest_since=rest, now=LATER)


def test_strokes_at_rest_teach_and_their_case_trains_for_ever(store: Store) -> None:
    case_id = painted_case(store, "P1")
    (made,) = taken(store)
    assert (made.case_id, made.origin, made.approved_by) == (case_id, STROKES, "anna")
    assert (made.journal_seq, made.mask_digest, made.approved_at) == (1, "", NOW)
    assert store.cases.get(case_id).split is Split.TRAIN
    assert store.learning.learning_set("Heart").ids() == ()
    with store.engine.connect() as connection:
        query = sa.select(audit.c.case_id).where(audit.c.event == "strokes.taken")
        assert connection.scalars(query).all() == [case_id]
    assert taken(store) == [made]


def test_one_more_stroke_is_something_new_to_learn(store: Store) -> None:
    case_id = painted_case(store, "P1")
    (before,) = taken(store)
    paint(store, case_id, 2)
    (after,) = taken(store)
    assert (before.journal_seq, after.journal_seq) == (1, 2)
    assert before.id != after.id
    assert len(after.id) == 32


def test_strokes_that_somebody_may_go_on_with_teach_nothing_yet(store: Store) -> None:
    case_id = painted_case(store, "P1")
    assert taken(store, since_h=3.0) == []
    assert store.cases.get(case_id).split is None


def test_what_was_approved_teaches_as_approved_and_not_as_strokes(store: Store) -> None:
    case_id = painted_case(store, "P1")
    approve(store, case_id)
    assert taken(store) == []


def test_a_held_out_patient_gives_no_strokes(store: Store) -> None:
    """The second approved patient validates; a second CT of his is painted on."""
    for patient in ("P1", "P2"):
        approve(store, painted_case(store, patient))
    again = painted_case(store, "P2")
    other = painted_case(store, "P3")
    assert [made.case_id for made in taken(store)] == [other]
    assert store.cases.get(again).split is None


def test_strokes_on_a_rejected_case_teach_and_on_a_failed_one_do_not(store: Store) -> None:
    rejected, failed = painted_case(store, "P1"), painted_case(store, "P2")
    for case_id, state in ((rejected, CaseState.REJECTED), (failed, CaseState.FAILED)):
        with writing(store.engine) as connection:
            move(connection, case_id, state, who="anna", now=NOW)
    assert [made.case_id for made in taken(store)] == [rejected]


def test_strokes_teach_only_the_structure_they_were_painted_for(store: Store) -> None:
    painted_case(store, "P1", roi_name="Lung_L")
    assert taken(store) == []
    later = store.teaching.take_strokes("Lung_L", at_rest_since=LATER, now=LATER)
    assert [made.roi_name for made in later] == ["Lung_L"]


def test_an_approved_case_teaches_only_the_structure_that_was_reviewed_on_it(store: Store) -> None:
    approved = approve(store, painted_case(store, "P1"))
    assert store.learning.learning_set("Heart").train == (approved,)
    assert store.learning.learning_set("Lung_L").ids() == ()


def test_the_second_patient_of_each_structure_validates_however_many_had_another(
    store: Store,
) -> None:
    hearts = [painted_case(store, f"P{n}") for n in range(3)]
    for case_id in hearts:
        approve(store, case_id)
    lungs = [painted_case(store, f"Q{n}", roi_name="Lung_L") for n in range(3)]
    for case_id in lungs:
        approve(store, case_id, roi_name="Lung_L")
    again = painted_case(store, "P1", roi_name="Lung_L")
    approve(store, again, roi_name="Lung_L")
    splits = [store.cases.get(case_id).split for case_id in (*hearts, *lungs, again)]
    rule = [Split.TRAIN, Split.VALIDATION, Split.TRAIN]
    assert splits == [*rule, *rule, Split.VALIDATION]  # a patient stays where the first case went


def test_the_set_of_a_case_without_a_patient_id_is_fixed_too(store: Store) -> None:
    case_id = painted_case(store, "")
    approve(store, case_id)
    approve(store, painted_case(store, "P1", roi_name="Lung_L"), roi_name="Lung_L")
    made = Correction(
        "i", case_id, "a" * 64, "Lung_L", None, "otto", NOW, "d" * 64, (), 0, IMPORTED
    )  # fmt: skip
    assert store.teaching.import_correction(made, instance_id=1)
    assert store.cases.get(case_id).split is Split.TRAIN  # hearts have learned from it


def test_a_patient_whose_strokes_were_learned_never_validates(store: Store) -> None:
    """He would be the second approved patient, who validates by the rule."""
    approve(store, painted_case(store, "P1"))
    case_id = painted_case(store, "P2")
    taken(store)
    approve(store, case_id)
    assert store.cases.get(case_id).split is Split.TRAIN
    assert len(store.learning.learning_set("Heart").train) == 2


def test_a_shadow_is_measured_against_what_was_approved_and_not_against_an_import(
    store: Store,
) -> None:
    case_id = painted_case(store, "P1")
    put_version(store, A, 1)
    shadow = ShadowPrediction("s", case_id, "Heart", "a" * 64, A, "d" * 64, 0.9, 1.0, "", NOW)
    store.shadows.add(shadow)
    made = Correction(
        "i", case_id, "a" * 64, "Heart", None, "otto", NOW, "d" * 64, (), 0, IMPORTED
    )  # fmt: skip
    assert store.teaching.import_correction(made, instance_id=1)
    assert [due.correction_id for due in store.shadows.to_measure("Heart")] == [None]
    approve(store, case_id)
    assert [due.correction_id for due in store.shadows.to_measure("Heart")] == [case_id]
