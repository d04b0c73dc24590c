"""Cases put into a store as if they had come over the network, and a browser without a browser."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.files import sha256_of
from core.geometry import Mask, VolumeGeometry
from core.plans import DoseOrigin, FractionGroup, Plan
from core.records import InstanceHeader, Prediction, Routing
from core.store import Store
from core.volume import CtVolume, SeriesIdentity, SliceReference, Volume

ASSEMBLY = "a" * 64
MODEL = "c0ffee" + "0" * 58
PASSWORD = "correct horse"
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ROUTING = Routing("heart", ("Heart",), ("TPS",), "normal", "modality fits CT")


def small_geometry(shape: tuple[int, int, int] = (10, 12, 14)) -> VolumeGeometry:
    """A small grid with three different spacings."""
    return VolumeGeometry(
        shape=shape,
        origin_mm=(-20.0, -30.0, -40.0),
        spacing_mm=(3.0, 1.5, 1.0),
        frame_of_reference_uid="1.2.826.0.1.3680043.10.1",
    )


def put_case(
    store: Store,
    ct: Volume,
    *,
    prediction: Mask | None = None,
    dose: Volume | None = None,
    patient_id: str = "P-001",
    patient_name: str = "Synthetic^Alma",
    routing: Routing | None = ROUTING,
    manual_every: int = 0,
) -> str:
    """A case with this volume, and where given this prediction and dose; returns its id."""
    series = f"2.25.{uuid.uuid4().int}"
    header = _header(series, "CT", ct.geometry, patient_id, patient_name)
    _add(store, header)
    (case_id,) = (c.id for c in store.cases.all() if c.series_instance_uid == series)
    slices = tuple(SliceReference(f"{series}.{i}", "1.2") for i in range(ct.geometry.shape[0]))
    identity = SeriesIdentity(header.study_instance_uid, series, patient_id, patient_name)
    store.files.write_ct(case_id, ASSEMBLY, CtVolume(ct, slices, identity))
    store.cases.assembled(
        case_id,
        assembly=ASSEMBLY,
        instance_count=1,
        geometry=ct.geometry,
        routing=routing,
        now=NOW,
        manual_every=manual_every,
    )
    if prediction is not None:
        put_prediction(store, case_id, prediction)
    if dose is not None:
        put_dose(store, case_id, dose)
    return case_id


def put_prediction(
    store: Store, case_id: str, mask: Mask, *, version: str = MODEL, roi_name: str = "Heart"
) -> Prediction:
    """A prediction of the heart, or of another structure, by a model version."""
    prediction_id = uuid.uuid4().hex
    made = Prediction(
        id=prediction_id,
        case_id=case_id,
        assembly=ASSEMBLY,
        roi_name=roi_name,
        model_version=version,
        mask_digest=store.files.write_mask(case_id, f"prediction-{prediction_id}", mask),
        expected_dice=0.87,
        seconds=1.5,
        created_at=NOW,
    )
    assert store.cases.predicted(made)
    return made


def put_dose(
    store: Store,
    case_id: str,
    dose: Volume,
    *,
    origin: DoseOrigin | None = None,
    kind: str = "dose",
    note: str = "",
) -> int:
    """A dose that joined the case; returns its instance id."""
    series = f"2.25.{uuid.uuid4().int}"
    instance_id = _add(store, _header(series, "RTDOSE", dose.geometry, "", ""))
    store.files.write_dose(case_id, instance_id, dose)
    detail = None if origin is None else origin.to_json()
    current = store.cases.get(case_id)
    store.instances.attach(current, instance_id, kind=kind, note=note, detail=detail, now=NOW)
    return instance_id


def put_plan(
    store: Store, case_id: str, plan_uid: str, *, label: str, prescribed_gy: float
) -> None:
    """An approved plan of 25 fractions that joined the case."""
    current = store.cases.get(case_id)
    assert current.geometry is not None
    series = f"2.25.{uuid.uuid4().int}"
    instance_id = _add(store, _header(series, "RTPLAN", current.geometry, "", ""))
    groups = (FractionGroup(1, 25, ()),)
    plan = Plan(plan_uid, label, "", "APPROVED", (prescribed_gy,), groups, None)
    detail = plan.to_json()
    store.instances.attach(current, instance_id, kind="plan", note="", detail=detail, now=NOW)


def another_object(
    store: Store,
    case_id: str,
    *,
    modality: str = "CT",
    kept_aside: bool = False,
    series: str | None = None,
) -> int:
    """One more object of the series of a case, or of another; returns its instance id."""
    current = store.cases.get(case_id)
    uid = f"2.25.{uuid.uuid4().int}"
    series, study = series or current.series_instance_uid, current.study_instance_uid
    header = InstanceHeader(uid, "1.2", study, series, modality)
    return _add(store, header, kept_aside=kept_aside)


def box_mask(geometry: VolumeGeometry, box: tuple[slice, slice, slice]) -> Mask:
    """True inside `box` (slice, row, column)."""
    mask = np.zeros(geometry.shape, bool)
    mask[box] = True
    return mask


def _header(
    series: str, modality: str, geometry: VolumeGeometry, patient_id: str, patient_name: str
) -> InstanceHeader:
    return InstanceHeader(
        sop_instance_uid=f"{series}.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid=f"2.25.{uuid.uuid4().int}",
        series_instance_uid=series,
        modality=modality,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
        patient_id=patient_id,
        patient_name=patient_name,
        patient_birth_date="19610402",
        study_date="20261120",
        series_description="Thorax 3 mm",
    )


def _add(store: Store, header: InstanceHeader, *, kept_aside: bool = False) -> int:
    added = store.instances.add(
        header,
        path=f"instances/{header.sop_instance_uid}.dcm",
        sha256=sha256_of(header.sop_instance_uid.encode()),
        size_bytes=1,
        calling_ae_title="TPS",
        kept_aside=kept_aside,
        received_at=NOW,
    )
    return added.id


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A logged-in person with one tab open, over the Flask test client."""

    client: FlaskClient
    csrf_token: str
    tab: str

    @classmethod
    def log_in(cls, app: Flask, username: str = "anna", password: str = PASSWORD) -> Reviewer:
        """Log in through the form, as a browser does."""
        client = app.test_client()
        answer = post_login(client, username, password)
        assert answer.status_code == 302, answer.text
        token = client.get("/api/session").json["csrf_token"]  # type: ignore[index]
        return cls(client, token, uuid.uuid4().hex)

    def get(self, path: str) -> TestResponse:
        """GET as this person, to the last byte."""
        return self.client.get(path, buffered=True)

    def post(self, path: str, **body: Any) -> TestResponse:
        """POST JSON as this person, with the CSRF token."""
        return self.client.post(path, json=body, headers={"X-CSRFToken": self.csrf_token})

    def open(self, case_id: str) -> TestResponse:
        """Take the case with this tab."""
        return self.post(f"/api/cases/{case_id}/open", tab=self.tab)

    def stay(self, case_id: str) -> TestResponse:
        """Say that this tab still has the case."""
        return self.post(f"/api/cases/{case_id}/renew", tab=self.tab)

    def stroke(self, case_id: str, seq: int, runs: str, **changes: Any) -> TestResponse:
        """Send a stroke on axial slice 0."""
        body = {
            "tab": self.tab,
            "seq": seq,
            "kind": "stroke",
            "tool": "add",
            "plane": "axial",
            "slice": 0,
            "radius_mm": 4.0,
            "runs": runs,
            **changes,
        }
        return self.post(f"/api/cases/{case_id}/journal", **body)

    def step(self, case_id: str, seq: int, kind: str) -> TestResponse:
        """Send undo or redo."""
        return self.post(f"/api/cases/{case_id}/journal", tab=self.tab, seq=seq, kind=kind)


def post_login(client: FlaskClient, username: str, password: str) -> TestResponse:
    """Fill the login form and send it."""
    page = client.get("/login").text
    (token,) = set(re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', page))
    form = {"username": username, "password": password, "csrf_token": token}
    return client.post("/login", data=form)
