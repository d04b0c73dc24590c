"""What the store promises: once is once, and nothing happens by halves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from core.approval import Approval, approve
from core.case import CaseState, Split
from core.database import open_engine, upgrade
from core.errors import CaseLockedError, EmptyStructureError, JournalConflictError
from core.geometry import VolumeGeometry
from core.journal import encode_runs, mask_crc32
from core.records import InstanceHeader, JournalEntry
from core.store import Store
from core.tables import metadata
from tests.support.postgresql import postgresql

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SHAPE = (4, 5, 6)


def header(number: int, *, patient: str = "P1", modality: str = "CT") -> InstanceHeader:
    return InstanceHeader(
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid="1.3.1",
        series_instance_uid=f"1.4.{patient[1:]}",
        modality=modality,
        frame_of_reference_uid=f"1.5.{patient[1:]}",
        patient_id=patient,
    )


def keep(store: Store, what: InstanceHeader, *, sha256: str = "a") -> int:
    return store.instances.add(
        what,
        path=f"{what.sop_instance_uid}.{sha256}",
        sha256=sha256,
        size_bytes=1,
        calling_ae_title="TPS",
        kept_aside=False,
        received_at=NOW,
    ).id


def reviewed_case(store: Store, patient: str, number: int) -> str:
    """A case under review by anna, assembled from one instance."""
    keep(store, header(number, patient=patient))
    case = next(c for c in store.cases.all() if c.patient_id == patient)
    geometry = VolumeGeometry(SHAPE, (0.0, 0.0, 0.0), (3.0, 1.0, 1.0), f"1.5.{patient[1:]}")
    store.cases.assembled(case.id, assembly="f" * 64, instance_count=1, geometry=geometry, now=NOW)
    store.reviews.open(case.id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    return case.id


def paint(store: Store, case_id: str, seq: int, voxels: list[int]) -> None:
    entry = JournalEntry(seq, "stroke", {"tool": "add", "runs": encode_runs(voxels)})
    store.reviews.append(case_id, "Heart", entry, who="anna", tab="t1", now=NOW)


def approve_all(store: Store, case_id: str, *, seq: int, voxels: list[int]) -> None:
    mask = np.zeros(SHAPE, bool)
    mask.flat[voxels] = True
    shown = Approval("anna", "t1", seq, int(mask.sum()), mask_crc32(mask), (0, 1))
    case = store.cases.get(case_id)
    approve(store, case, "Heart", shown, destinations=["TPS"], now=NOW)


def test_the_same_object_twice_is_one_row(store: Store) -> None:
    assert keep(store, header(1)) == keep(store, header(1))
    assert len(store.instances.find("1.2.1")) == 1


def test_another_object_under_a_taken_uid_is_kept_aside(store: Store) -> None:
    keep(store, header(1), sha256="a")
    keep(store, header(1), sha256="b")
    first, second = store.instances.find("1.2.1")
    assert (first.sha256, first.kept_aside) == ("a", False)
    assert (second.sha256, second.kept_aside) == ("b", True)
    assert [i.sha256 for i in store.instances.of_series("1.4.1")] == ["a"]


def test_a_series_is_due_when_it_is_quiet_and_again_when_a_slice_comes_late(store: Store) -> None:
    keep(store, header(1))
    assert store.instances.series_due(quiet_since=NOW - timedelta(seconds=1)) == []
    ((case_id, _, count),) = store.instances.series_due(quiet_since=NOW)
    assert count == 1
    geometry = VolumeGeometry(SHAPE, (0.0, 0.0, 0.0), (3.0, 1.0, 1.0), "1.5.1")
    store.cases.assembled(case_id, assembly="a" * 64, instance_count=1, geometry=geometry, now=NOW)
    assert store.instances.series_due(quiet_since=NOW) == []
    keep(store, header(2))
    assert [d[2] for d in store.instances.series_due(quiet_since=NOW)] == [2]


def test_a_dose_joins_by_frame_of_reference_whenever_it_comes(store: Store) -> None:
    dose = keep(store, header(9, modality="RTDOSE"))
    other = replace(header(10, modality="RTDOSE"), frame_of_reference_uid="9.9")
    keep(store, other)
    assert store.instances.to_attach() == []
    case_id = reviewed_case(store, "P1", 1)
    assert [(c, i.id) for c, i in store.instances.to_attach()] == [(case_id, dose)]
    store.instances.attach(store.cases.get(case_id), dose, kind="dose", note="", now=NOW)
    store.instances.attach(store.cases.get(case_id), dose, kind="dose", note="", now=NOW)
    assert store.instances.to_attach() == []
    assert [i.id for i in store.instances.attached(case_id, kind="dose")] == [dose]


def test_a_stroke_sent_twice_is_kept_once_and_a_gap_is_refused(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [3])
    paint(store, case_id, 1, [3])
    assert store.reviews.last_seq(case_id, "Heart") == 1
    with pytest.raises(JournalConflictError, match="next journal entry is 2"):
        paint(store, case_id, 3, [4])
    with pytest.raises(JournalConflictError, match="other content"):
        paint(store, case_id, 1, [4])


def test_another_reviewer_cannot_open_a_locked_case_until_the_lock_ends(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    with pytest.raises(CaseLockedError, match="anna"):
        store.reviews.open(case_id, "Heart", who="ben", tab="t2", now=NOW, lock_s=60)
    later = NOW + timedelta(seconds=61)
    store.reviews.open(case_id, "Heart", who="ben", tab="t2", now=later, lock_s=60)
    with pytest.raises(CaseLockedError, match="ben"):
        paint(store, case_id, 1, [3])


def test_approval_leaves_correction_split_delivery_and_audit_together(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [3, 4])
    approve_all(store, case_id, seq=1, voxels=[3, 4])
    case = store.cases.get(case_id)
    assert (case.state, case.split) == (CaseState.APPROVED, Split.TRAIN)
    (delivery,) = store.deliveries.all(case_id=case_id)
    assert (delivery.destination, delivery.state) == ("TPS", "QUEUED")
    with store.engine.connect() as connection:
        events = connection.scalars(sa.text("select event from audit order by id")).all()
    assert events == ["case.assembled", "case.in_review", "case.approved"]


def test_an_approval_of_something_else_than_was_painted_changes_nothing(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [3, 4])
    with pytest.raises(JournalConflictError, match="do not hold the same contour"):
        approve_all(store, case_id, seq=1, voxels=[3, 5])
    with pytest.raises(EmptyStructureError):
        approve_all(store, case_id, seq=0, voxels=[])
    assert store.cases.get(case_id).state is CaseState.IN_REVIEW
    assert store.deliveries.all() == []


def test_a_patient_s_second_case_goes_where_the_first_went(store: Store) -> None:
    for number, patient in enumerate(["P1", "P2"]):
        case_id = reviewed_case(store, patient, number)
        paint(store, case_id, 1, [3])
        approve_all(store, case_id, seq=1, voxels=[3])
    again = replace(header(7, patient="P2"), series_instance_uid="1.4.77")
    keep(store, again)
    third = next(c for c in store.cases.all() if c.series_instance_uid == "1.4.77")
    geometry = VolumeGeometry(SHAPE, (0.0, 0.0, 0.0), (3.0, 1.0, 1.0), "1.5.2")
    store.cases.assembled(third.id, assembly="f" * 64, instance_count=1, geometry=geometry, now=NOW)
    store.reviews.open(third.id, "Heart", who="anna", tab="t1", now=NOW, lock_s=60)
    paint(store, third.id, 1, [3])
    approve_all(store, third.id, seq=1, voxels=[3])
    splits = [store.cases.get(c.id).split for c in reversed(store.cases.all())]
    assert sorted(str(s) for s in splits) == ["train", "validation", "validation"]
    assert store.cases.get(third.id).split is Split.VALIDATION


def test_a_delivery_is_sent_once_and_makes_the_case_delivered(store: Store) -> None:
    case_id = reviewed_case(store, "P1", 1)
    paint(store, case_id, 1, [3])
    approve_all(store, case_id, seq=1, voxels=[3])
    (delivery,) = store.deliveries.all()
    later = NOW + timedelta(seconds=60)
    store.deliveries.tried(delivery.id, error="refused", next_try_at=later)
    assert store.deliveries.due(now=NOW) == []
    assert [d.attempts for d in store.deliveries.due(now=later)] == [1]
    store.deliveries.sent(delivery.id, sop_instance_uid="2.25.1", now=NOW)
    store.deliveries.sent(delivery.id, sop_instance_uid="2.25.1", now=NOW)
    (delivery,) = store.deliveries.all()
    assert (delivery.state, delivery.attempts) == ("SENT", 2)
    assert store.cases.get(case_id).state is CaseState.DELIVERED


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    upgrade(engine, lock_file=tmp_path / "lock")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_postgresql_looks_after_seconds_whether_a_silent_machine_is_still_there() -> None:
    asked = ("tcp_keepalives_idle", "tcp_keepalives_count", "idle_in_transaction_session_timeout")
    with postgresql() as url:
        for synced in (True, False):
            engine = open_engine(url, synced=synced)
            with engine.connect() as connection:
                told = [connection.scalar(sa.text(f"show {name}")) for name in asked]
                assert told == ["10", "3", "1min"]
                commit = connection.scalar(sa.text("show synchronous_commit"))
                assert commit == ("on" if synced else "off")
            engine.dispose()
