"""The arm that measures a baseline: contoured from scratch, compared with the prediction after."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from core.errors import TransitionError
from core.geometry import VolumeGeometry
from core.journal import encode_runs, mask_crc32
from core.records import ASSISTED, MANUAL
from core.rules import for_training
from core.store import Store
from core.tables import audit
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.roles import PHYSICIST
from tests.support.review_case import (
    ASSEMBLY,
    MODEL,
    NOW,
    PASSWORD,
    ROUTING,
    Reviewer,
    box_mask,
    put_case,
    put_dose,
    small_geometry,
)

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
PREDICTED = box_mask(GEOMETRY, (slice(2, 6), slice(2, 8), slice(3, 9)))
DRAWN = box_mask(GEOMETRY, (slice(2, 6), slice(2, 8), slice(4, 9)))
DOSE = Volume(np.full(GEOMETRY.shape, 2.0, np.float32), GEOMETRY)


@pytest.fixture
def phil(app: Flask) -> Reviewer:
    create_user(app, "phil", PASSWORD, PHYSICIST)
    return Reviewer.log_in(app, "phil")


def choose(who: Reviewer, case_id: str, arm: str) -> int:
    form = {"arm": arm, "csrf_token": who.csrf_token}
    return who.client.post(f"/cases/{case_id}/arm", data=form).status_code


@pytest.fixture
def manual_case(store: Store, phil: Reviewer) -> str:
    case_id = put_case(store, CT, prediction=PREDICTED, dose=DOSE)
    assert choose(phil, case_id, MANUAL) == 303
    return case_id


def test_what_is_proposed_is_in_no_answer_before_the_case_is_closed(
    anna: Reviewer, store: Store, manual_case: str
) -> None:
    api = f"/api/cases/{manual_case}"
    for _ in range(2):  # before it is opened, and after
        assert anna.get(f"{api}/prediction").status_code == 404
        assert anna.get(f"{api}/uncertainty").status_code == 404
        assert anna.get(f"/cases/{manual_case}/rtstruct").status_code == 404
        facts = anna.get(api).json
        assert facts is not None
        assert facts["prediction"] is None
        assert facts["arm"] == MANUAL
        figures = anna.get(f"{api}/figures").json
        assert figures is not None
        assert figures["prediction"] is None
        (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
        assert (row["model_version"], row["expected_impact_gy"]) == (None, None)
        for path in ("/api/worklist", "/report/dose.csv", f"/cases/{manual_case}/figures", "/"):
            assert MODEL[:8] not in anna.get(path).text, path
        anna.open(manual_case)


def test_it_is_contoured_from_nothing_approved_as_ever_and_compared_afterwards(
    anna: Reviewer, store: Store, manual_case: str
) -> None:
    anna.open(manual_case)
    anna.stroke(manual_case, 1, encode_runs(np.flatnonzero(DRAWN)))
    answer = anna.post(
        f"/api/cases/{manual_case}/approve",
        tab=anna.tab,
        seq=1,
        voxels=int(DRAWN.sum()),
        crc32=mask_crc32(DRAWN),
        slices_seen=[2, 3],
    )
    assert answer.status_code == 200, answer.text
    approved = store.reviews.correction_of(manual_case, "Heart")
    assert approved is not None
    assert approved.prediction_id is None
    assert len(store.deliveries.all(case_id=manual_case)) == 1
    page = anna.get(f"/cases/{manual_case}/figures").text
    # 5 of 6 columns: Dice 2 * 5 / (5 + 6).
    assert "Dice 0.909" in page
    assert f"proposed by model {MODEL[:8]}, not shown" in page
    assert "mean dose +0.00 Gy" in page


def test_the_arm_is_chosen_by_whom_may_before_anybody_has_looked_and_audited(
    anna: Reviewer, phil: Reviewer, store: Store, manual_case: str
) -> None:
    other = put_case(store, CT, prediction=PREDICTED)
    assert choose(anna, other, MANUAL) == 403
    anna.open(other)
    assert choose(phil, other, MANUAL) == 409
    assert store.cases.get(other).arm == ASSISTED
    assert choose(phil, manual_case, ASSISTED) == 303
    assert anna.get(f"/api/cases/{manual_case}/prediction").status_code == 200
    with store.engine.connect() as connection:
        rows = connection.execute(
            sa.select(audit.c.who, audit.c.detail).where(audit.c.event == "case.arm_chosen")
        ).all()
    assert [(r.who, r.detail["before"], r.detail["after"]) for r in rows] == [
        ("phil", ASSISTED, MANUAL),
        ("phil", MANUAL, ASSISTED),
    ]
    with pytest.raises(TransitionError):
        store.arms.assign(other, "blind", who="phil", now=NOW)


def test_each_third_new_case_measures_the_baseline_and_late_slices_change_nothing(
    store: Store,
) -> None:
    ids = [put_case(store, CT, patient_id=f"P-{n}") for n in range(2)]
    assert {store.cases.get(i).arm for i in ids} == {ASSISTED}

    def assemble(case_id: str, geometry: VolumeGeometry, minutes: int) -> None:
        store.cases.assembled(
            case_id,
            assembly=ASSEMBLY,
            instance_count=1,
            geometry=geometry,
            routing=ROUTING,
            now=NOW + timedelta(minutes=minutes),
            manual_every=3,
        )

    assemble(ids[0], GEOMETRY, 1)
    assert store.cases.get(ids[0]).arm == ASSISTED
    third = put_case(store, CT, patient_id="P-3", manual_every=3)
    assert store.cases.get(third).arm == MANUAL
    assemble(third, GEOMETRY, 2)
    assert store.cases.get(third).arm == MANUAL
    assert store.cases.get(put_case(store, CT, patient_id="P-4", manual_every=3)).arm == ASSISTED


def test_each_second_case_of_each_structure_measures_however_they_alternate_and_what_is_imported(
    store: Store,
) -> None:
    arms: dict[str, list[str]] = {"Heart": [], "Esophagus": [], "imported": []}
    for n in range(4):
        for roi_name, beside in (("Heart", "Esophagus"), ("Esophagus", "Heart")):
            seen, unseen = replace(ROUTING, structures=(roi_name, beside)), for_training(roi_name)
            for kind, routing in ((roi_name, seen), ("imported", unseen)):
                case_id = put_case(
                    store, CT, patient_id=f"{kind}-{n}", routing=routing, manual_every=2
                )
                arms[kind].append(store.cases.get(case_id).arm)
    assert arms == {
        "Heart": [ASSISTED, MANUAL, ASSISTED, MANUAL],
        "Esophagus": [ASSISTED, MANUAL, ASSISTED, MANUAL],
        "imported": [ASSISTED] * 8,
    }


def test_a_dose_that_comes_later_does_not_bring_the_prediction_with_it(
    anna: Reviewer, store: Store, manual_case: str
) -> None:
    put_dose(store, manual_case, DOSE)
    anna.open(manual_case)
    figures = anna.get(f"/api/cases/{manual_case}/figures").json
    assert figures is not None
    assert figures["expected_error_gy"] is None
    assert all("predicted" not in line for line in figures["other_doses"])
