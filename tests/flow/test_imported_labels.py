"""Two patients contoured elsewhere, imported from files: a round learns from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.import_folder import import_folder
from app.importing import ImportPlan
from app.judging import readable_cases
from app.learning import learn_what_is_new
from app.room import Room
from app.together import Trainers
from core.learning_store import DONE
from core.store import open_store
from model.preprocess import mask_to_working_grid
from tests.support.labelled_patients import write_labelled
from tests.support.room import taught
from tests.support.settings import settings_for, small_model

FINE_MM = (8.0, 8.0, 8.0)


def test_a_round_learns_from_two_imported_patients(tmp_path: Path) -> None:
    """The first trains, the second judges; nobody has reviewed anything."""
    training = {"steps_first": 4, "steps_per_case": 0, "validate_every": 2}
    settings = settings_for(tmp_path, model=small_model(12.0, fine_mm=8.0), training=training)
    room = Room(settings, open_store(settings))
    patients = [write_labelled(tmp_path / "in" / f"p{seed}", seed) for seed in (1, 2)]
    plan = ImportPlan("Heart", (), "anna", dry_run=False)
    rows = import_folder(room, tmp_path / "in", plan, lambda _done, _of: None)
    assert [(row["outcome"], row["why"]) for row in rows] == [
        ("imported", "for train"),
        ("imported", "for validation"),
    ]
    learn_what_is_new(room, "Heart", Trainers(lambda: False))
    (finished,) = room.store.learning.rounds("Heart", newest=5)
    known = taught(room)
    assert (finished.state, finished.corrections) == (DONE, known.ids())
    assert "1 validation case" in finished.verdict
    learned = readable_cases(room, (*known.train, *known.validation), settings.model)
    for case, patient in zip(learned, patients, strict=True):
        heart = mask_to_working_grid(patient.heart, patient.ct.geometry, FINE_MM)
        np.testing.assert_array_equal(case.fine.target, heart)
        # Whole and seen: everywhere labelled, and nothing of it painted here.
        np.testing.assert_allclose(np.unique(case.fine.weight), [0.05, 0.25], atol=1e-6)
