"""That each thing happened exactly once in effect, whatever died meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa

from app.clinic_dicom import SyntheticPatient
from app.keeping.verifying import checks
from app.room import Room
from core.case import CaseState
from core.geometry import Mask
from core.journal import mask_crc32
from core.learning_store import DONE, RUNNING
from core.rasterise import mask_of_contours
from core.store import Store
from dicom_node.objects.rtstruct_reader import read_structure_set
from model.registry import load
from tests.support.chaos import FlakyTps, Reviewer


def require_exactly_once(
    room: Room,
    patients: Sequence[SyntheticPatient],
    wanted: Mapping[str, Mask],
    reviewer: Reviewer,
    tps: FlakyTps,
) -> None:
    """Every instance, stroke, approval, delivery and model version, and every file as written."""
    everything_arrived_once(room.store, patients)
    everything_was_painted_once(room.store, reviewer, wanted)
    everything_was_delivered_once(room.store, tps, len(wanted))
    everything_was_learned_once(room)
    assert [said for wrong in checks(room) if (said := wrong())] == []
    assert room.store.audit.chain("").broken_at is None


def at_rest(store: Store, count: int) -> bool:
    """Whether `count` cases were delivered, and a round ended with all that may be learned."""
    delivered = store.cases.all(states={CaseState.DELIVERED})
    known = store.learning.learning_set("Heart").ids()
    newest = store.learning.rounds("Heart", newest=1, finished=True)
    # What looks wrong waits for a second person, and is not learned from.
    return (
        len(delivered) == count
        and store.checks.due("Heart") == []
        and bool(newest)
        and set(newest[0].corrections) == set(known)
    )


def everything_arrived_once(store: Store, patients: Sequence[SyntheticPatient]) -> None:
    assert len(store.cases.all()) == len(patients)
    assert len(store.instances.digests()) == sum(len(p.ct_paths) + 1 for p in patients)
    for patient in patients:
        kept = store.instances.of_series(patient.series_instance_uid)
        assert len(kept) == len(patient.ct_paths)
        assert store.instances.kept_aside_count(kept[0].header.study_instance_uid) == 0
    for case in store.cases.all():
        assert len(store.instances.attached(case.id, kind="dose")) == 1


def everything_was_painted_once(
    store: Store, reviewer: Reviewer, wanted: Mapping[str, Mask]
) -> None:
    """Each stroke that was said to be kept is there, in its place, and no approval was repeated."""
    for case in store.cases.all():
        entries = store.reviews.entries(case.id, "Heart")
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        said = {seq: runs for (at, seq), runs in reviewer.kept.items() if at == case.id}
        assert {e.seq: e.payload["runs"] for e in entries if e.seq in said} == said
        made = store.reviews.correction_of(case.id, "Heart")
        assert made is not None
        mask = store.files.read_mask(case.id, f"correction-{made.id}", digest=made.mask_digest)
        assert mask_crc32(mask) == mask_crc32(wanted[case.patient_id])
    assert audited(store, "case.approved") == len(wanted)
    assert len(store.checks.all("Heart")) == len(wanted)


def everything_was_delivered_once(store: Store, tps: FlakyTps, count: int) -> None:
    """One object for each approval, in the same bytes whenever it was sent again."""
    for case in store.cases.all():
        (delivery,) = store.deliveries.all(case_id=case.id)
        assert delivery.state == "SENT"
        uid = str(delivery.sop_instance_uid)
        assert len(tps.digests[uid]) == 1
        roi = read_structure_set(tps.received[uid]).roi_named("Heart")
        made = store.reviews.correction_of(case.id, "Heart")
        assert roi is not None
        assert made is not None
        assert case.geometry is not None
        back = mask_of_contours([c.points_mm for c in roi.contours], case.geometry)
        assert np.array_equal(back.mask, store.files.read_mask(case.id, f"correction-{made.id}"))
    assert len(tps.received) == count
    assert audited(store, "delivery.sent") == count


def everything_was_learned_once(room: Room) -> None:
    """Each version that is in the registry loads and was released once; one round runs at most."""
    learning = room.store.learning
    known = learning.versions("Heart")
    for version in known:
        load(room.models_folder, version.version)
    assert audited(room.store, "model.released") == len(known) >= 1
    rounds = learning.rounds("Heart", newest=1000)
    assert sum(one.state == RUNNING for one in rounds) <= 1
    done = [one for one in rounds if one.state == DONE and one.version is not None]
    assert sorted(str(one.version) for one in done) == sorted(v.version for v in known)
    assert learning.released("Heart") is not None


def audited(store: Store, event: str) -> int:
    query = sa.text("select count(*) from audit where event = :event")
    with store.engine.connect() as connection:
        return int(connection.scalar(query, {"event": event}) or 0)
