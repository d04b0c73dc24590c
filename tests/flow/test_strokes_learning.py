"""Strokes that nobody approved: a round learns from them where the clinic allows it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from app.import_folder import import_folder
from app.importing import ImportPlan
from app.learning import learn_what_is_new
from app.room import Room
from app.together import Trainers
from core.case import Split
from core.journal import encode_runs
from core.records import JournalEntry
from core.store import open_store
from tests.support.labelled_patients import LabelledPatient, write_labelled
from tests.support.room import bring_up_to_date, receive, taught
from tests.support.settings import settings_for, small_model


def open_small_room(folder: Path, *, learn_from_strokes: bool) -> Room:
    training = {
        "steps_first": 2,
        "steps_per_case": 0,
        "validate_every": 2,
        "learn_from_strokes": learn_from_strokes,
    }
    settings = settings_for(
        folder, model=small_model(), training=training, dicom={"quiet_time_s": 0}
    )
    return Room(settings, open_store(settings))


def left_lying(room: Room, patient: LabelledPatient) -> str:
    """The case of a patient on whom anna painted one slice two hours ago, and went home."""
    receive(room, sorted(patient.folder.glob("CT*.dcm")))
    bring_up_to_date(room)
    case = room.store.teaching.case_of_series(patient.ct.identity.series_instance_uid)
    assert case is not None
    then = room.now() - timedelta(hours=2)
    room.store.reviews.open(case.id, "Heart", who="anna", tab="t", now=then, lock_s=60)
    slice_of_heart = np.zeros_like(patient.heart)
    k = int(np.argwhere(patient.heart)[:, 0].mean())
    slice_of_heart[k] = patient.heart[k]
    stroke = {"tool": "add", "runs": encode_runs(np.flatnonzero(slice_of_heart))}
    entry = JournalEntry(1, "stroke", stroke)
    room.store.reviews.append(case.id, "Heart", entry, who="anna", tab="t", now=then)
    return case.id


@pytest.mark.parametrize("allowed", [True, False])
def test_strokes_train_where_the_clinic_allows_it_and_never_validate(
    tmp_path: Path, *, allowed: bool
) -> None:
    room = open_small_room(tmp_path, learn_from_strokes=allowed)
    for seed in (1, 2):
        write_labelled(tmp_path / "in" / f"p{seed}", seed)
    plan = ImportPlan("Heart", (), "anna", dry_run=False)
    import_folder(room, tmp_path / "in", plan, lambda _done, _of: None)
    case_id = left_lying(room, write_labelled(tmp_path / "p3", 3))
    learn_what_is_new(room, "Heart", Trainers(lambda: False))
    (finished,) = room.store.learning.rounds("Heart", newest=5)
    known = taught(room)
    assert set(known.ids()) <= set(finished.corrections)
    assert len(finished.corrections) == (3 if allowed else 2)
    assert "1 validation case" in finished.verdict
    assert room.store.cases.get(case_id).split is (Split.TRAIN if allowed else None)
