"""The simulated physician at the review page's real server."""

from __future__ import annotations

import numpy as np
from flask import Flask

from app.clinic import Physician
from core.store import Store
from core.volume import Volume
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
