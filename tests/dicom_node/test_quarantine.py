"""What is refused as unreadable: answered as before, and nothing of it lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import UID

from core.config import Settings
from core.errors import BadUidError, StorageFullError, UnreadableObjectError
from core.files import sha256_of
from core.store import Store
from dicom_node.network.inbox import IdentityMismatchError, Inbox, Received
from dicom_node.network.quarantine import Quarantine, QuarantiningKeeper
from dicom_node.network.scp import listening
from tests.dicom_node.nodes import Node, associated, stored
from tests.support.synthetic_dicom import ct_series, encoded


def _received(ds: Dataset, **changes: str) -> Received:
    names = {"sop_class_uid": str(ds.SOPClassUID), "sop_instance_uid": str(ds.SOPInstanceUID)}
    return Received(encoded(ds), calling_ae_title="TPS ", **{**names, **changes})


def _without_study() -> Received:
    ds = ct_series()[0]
    del ds.StudyInstanceUID
    return _received(ds)


def _with_a_path_for_a_uid() -> Received:
    ds = ct_series()[0]
    ds.SOPInstanceUID = UID("../../../evil", validation_mode=0)
    return _received(ds)


def _named_differently() -> Received:
    return _received(ct_series()[0], sop_instance_uid="1.2.3")


@pytest.fixture
def quarantine(settings: Settings, store: Store) -> Quarantine:
    return Quarantine(settings.data_folder, store.quarantine)


@pytest.fixture
def keeper(inbox: Inbox, quarantine: Quarantine) -> QuarantiningKeeper:
    return QuarantiningKeeper(inbox, quarantine)


@pytest.fixture
def quarantining_node(
    settings: Settings, store: Store, inbox: Inbox, keeper: QuarantiningKeeper
) -> Iterator[Node]:
    with listening(settings.dicom, settings.peers, keeper) as port:
        yield Node(port, settings, store, inbox)


@pytest.mark.parametrize(
    ("received", "error"),
    [
        (_without_study, UnreadableObjectError),
        (_with_a_path_for_a_uid, BadUidError),
        (_named_differently, IdentityMismatchError),
    ],
)
def test_the_bytes_of_a_refused_object_are_kept_with_the_reason(
    keeper: QuarantiningKeeper,
    store: Store,
    settings: Settings,
    received: Callable[[], Received],
    error: type[Exception],
) -> None:
    refused = received()
    with pytest.raises(error) as raised:
        keeper.keep(refused)
    (row,) = store.quarantine.all()
    assert row.reason == str(raised.value)
    assert (row.calling_ae_title, row.instance_id) == ("TPS", None)
    assert row.size_bytes == len(refused.part10)
    file = settings.data_folder / row.path
    assert file.read_bytes() == refused.part10
    assert file == settings.data_folder / "quarantine" / f"{sha256_of(refused.part10)}.dcm"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list((settings.data_folder / "instances").rglob("*.dcm")) == []


def test_what_is_kept_is_not_in_quarantine(keeper: QuarantiningKeeper, store: Store) -> None:
    keeper.keep(_received(ct_series()[0]))
    assert store.quarantine.all() == []


def test_a_full_disk_sets_nothing_aside_because_the_sender_tries_again(
    settings: Settings, store: Store, quarantine: Quarantine
) -> None:
    full = Inbox(settings.data_folder, store.instances, reserve_mb=10**9)
    with pytest.raises(StorageFullError):
        QuarantiningKeeper(full, quarantine).keep(_without_study())
    assert store.quarantine.count() == 0
    assert not (settings.data_folder / "quarantine").exists()


def test_over_an_association_the_answer_is_the_same_and_the_bytes_are_there(
    quarantining_node: Node,
) -> None:
    good, bad = ct_series()[:2]
    del bad.StudyInstanceUID
    with associated(quarantining_node) as association:
        assert stored(association, bad) == 0xC000
        assert stored(association, good) == 0x0000
    (row,) = quarantining_node.store.quarantine.all()
    kept = (quarantining_node.settings.data_folder / row.path).read_bytes()
    assert bad.PixelData in kept
    assert "StudyInstanceUID" in row.reason


def test_the_same_bytes_again_are_one_file_and_one_row_with_the_later_time(
    keeper: QuarantiningKeeper, store: Store, settings: Settings
) -> None:
    with pytest.raises(UnreadableObjectError):
        keeper.keep(_without_study())
    before = datetime.now(UTC)
    with pytest.raises(UnreadableObjectError):
        keeper.keep(_without_study())
    (row,) = store.quarantine.all()
    assert row.quarantined_at >= before
    assert len(list((settings.data_folder / "quarantine").iterdir())) == 1


def _junk(number: int, size: int = 1000) -> Received:
    return Received(number.to_bytes(4, "little") * (size // 4), "1.2", "1.2.3", "TPS")


@pytest.mark.parametrize("bounds", [{"most_objects": 3}, {"most_bytes": 3500}])
def test_beyond_the_bound_the_oldest_goes_first(
    settings: Settings, store: Store, bounds: dict[str, int]
) -> None:
    quarantine = Quarantine(settings.data_folder, store.quarantine, **bounds)
    for number in range(5):
        quarantine.set_aside(_junk(number), reason=f"number {number}")
    assert [row.reason for row in store.quarantine.all()] == ["number 4", "number 3", "number 2"]
    files = {f"quarantine/{f.name}" for f in (settings.data_folder / "quarantine").iterdir()}
    assert files == {row.path for row in store.quarantine.all()}
    with store.engine.connect() as connection:
        query = sa.text("select count(*) from audit where event = 'quarantine.oldest_removed'")
        assert connection.scalar(query) == 2


def test_an_object_larger_than_the_quarantine_does_not_empty_it(
    settings: Settings, store: Store
) -> None:
    quarantine = Quarantine(settings.data_folder, store.quarantine, most_bytes=3500)
    quarantine.set_aside(_junk(1), reason="small")
    quarantine.set_aside(_junk(2, size=8000), reason="large")
    assert [row.reason for row in store.quarantine.all()] == ["small"]


def test_a_kept_instance_that_breaks_later_stays_when_the_quarantine_is_full(
    keeper: QuarantiningKeeper, store: Store, settings: Settings
) -> None:
    keeper.keep(_received(ct_series()[0]))
    (kept,) = store.instances.find(ct_series()[0].SOPInstanceUID)
    store.quarantine.damaged(
        kept, reason="cannot be decoded", now=datetime.now(UTC) - timedelta(days=1)
    )
    quarantine = Quarantine(settings.data_folder, store.quarantine, most_objects=1)
    quarantine.set_aside(_junk(1), reason="one")
    quarantine.set_aside(_junk(2), reason="two")
    assert [row.reason for row in store.quarantine.all()] == ["two", "cannot be decoded"]
    assert (settings.data_folder / kept.path).is_file()


def test_a_file_without_a_row_is_swept_when_nobody_can_be_writing_it(
    quarantine: Quarantine, settings: Settings, store: Store
) -> None:
    quarantine.set_aside(_junk(1), reason="one")
    (known,) = store.quarantine.all()
    folder = settings.data_folder / "quarantine"
    old, young = folder / "old.dcm", folder / "young.dcm"
    for file in (old, young):
        file.write_bytes(b"left by a crash")
    for file in (old, settings.data_folder / known.path):
        os.utime(file, (time.time() - 7200,) * 2)
    assert quarantine.sweep() == 1
    assert sorted(folder.iterdir()) == sorted([young, settings.data_folder / known.path])


def test_a_reason_names_no_patient(keeper: QuarantiningKeeper, store: Store) -> None:
    ds = ct_series(patient="SECRET7")[0]
    del ds.StudyInstanceUID
    with pytest.raises(UnreadableObjectError):
        keeper.keep(_received(ds))
    (row,) = store.quarantine.all()
    assert "SECRET7" not in row.reason + row.path


def test_a_quarantine_that_cannot_be_written_is_told_as_a_full_disk(
    quarantining_node: Node, tmp_path: Path
) -> None:
    """Then nothing was kept, so the sender has to try again."""
    (tmp_path / "data" / "quarantine").write_text("not a folder")
    ds = ct_series()[0]
    del ds.StudyInstanceUID
    with associated(quarantining_node) as association:
        assert stored(association, ds) == 0xA700
