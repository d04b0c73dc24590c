"""The simulated physician at the review page's real server."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from app import colleague
from app.clinic import Physician
from app.clinic_dicom import SyntheticPatient, phantom_called
from app.clinic_node import logged_in
from app.phantom import Phantom
from core.config import Settings
from core.errors import RecontourError
from core.store import Store
from core.volume import Volume
from dose.difference import dice
from review_ui.accounts import create_user
from tests.support.bodies import CT, HEART
from tests.support.review_case import PASSWORD, put_case, small_geometry
from tests.support.serving import served


def test_the_worklist_is_read_to_its_last_page(app: Flask, store: Store) -> None:
    geometry = small_geometry()
    ct = Volume(np.zeros(geometry.shape, np.int16), geometry)
    made = {put_case(store, ct, patient_id=f"P-{number:03d}") for number in range(51)}
    with served(app) as address:
        physician = Physician(address, "anna", PASSWORD)
        physician.log_in()
        assert {case["id"] for case in physician.worklist()} == made


def test_a_page_that_is_not_the_node_s_own_is_noticed_at_the_first_refusal(
    app: Flask, settings: Settings
) -> None:
    with served(app) as address:
        port = int(address.rpartition(":")[2])
        review = settings.review.model_copy(update={"host": "127.0.0.1", "port": port})
        elsewhere = settings.model_copy(update={"review": review})
        with pytest.raises(RecontourError, match="Another program answers"):
            logged_in(elsewhere, "anna", "another password")
        logged_in(elsewhere, "anna", PASSWORD).worklist()


PATIENT = SyntheticPatient(phantom_called(1), Phantom(CT, HEART, {"seed": 1}), (), Path(), "")


def colleague_at(address: str, app: Flask) -> Physician:
    create_user(app, colleague.USERNAME, PASSWORD)
    page = Physician(address, colleague.USERNAME, PASSWORD)
    page.log_in()
    return page


def test_the_colleague_approves_under_its_own_name_and_leaves_alone_what_somebody_has(
    app: Flask, store: Store
) -> None:
    free, taken = (
        put_case(store, CT, prediction=np.roll(HEART, 1, axis=2), patient_id=name)
        for name in ("P-1", "P-2")
    )
    with served(app) as address:
        anna = Physician(address, "anna", PASSWORD)
        anna.log_in()
        anna.open(taken)
        page = colleague_at(address, app)
        approved = colleague.review(page, free, PATIENT)
        assert approved is not None
        assert dice(approved, HEART) > 0.9
        assert colleague.review(page, taken, PATIENT) is None
        assert anna.get_json(f"/api/cases/{taken}")["state"] == "IN_REVIEW"
        assert anna.get_json(f"/api/cases/{free}")["state"] == "APPROVED"
    (made,) = store.teaching.corrections(free, "Heart")
    assert made.approved_by == colleague.USERNAME
    kept = store.files.read_mask(free, f"correction-{made.id}", digest=made.mask_digest)
    assert np.array_equal(kept, approved)


def test_the_colleague_sends_nothing_again_and_goes_on_with_what_nobody_touched(
    app: Flask, store: Store, settings: Settings, tmp_path: Path
) -> None:
    """No node listens: an attempt to send would fail."""
    cases = [put_case(store, CT, patient_id=f"PHANTOM-{n:04d}") for n in colleague.SEEDS]
    with served(app) as address:
        anna = Physician(address, "anna", PASSWORD)
        anna.log_in()
        for case_id in cases[: colleague.REVIEWED]:
            anna.open(case_id)
        page = colleague_at(address, app)
        work = colleague.Colleague(settings, page, tmp_path, (40.0,) * 3, threading.Event())
        work.begin()
        work.go_on()
        assert {case["state"] for case in page.worklist()} == {"IN_REVIEW", "ASSEMBLED"}
