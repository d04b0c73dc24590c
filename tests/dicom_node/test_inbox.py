from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from core.config import Settings
from core.errors import BadUidError, StorageFullError, UnreadableObjectError
from core.store import Store, open_store
from dicom_node.network.inbox import IdentityMismatchError, Inbox, Received
from tests.support.settings import settings_for
from tests.support.synthetic_dicom import ct_series, encoded


def _received(ds: Dataset) -> Received:
    return Received(encoded(ds), str(ds.SOPClassUID), str(ds.SOPInstanceUID), "TPS")


def _files(settings: Settings) -> list[Path]:
    return sorted(f for f in (settings.data_folder / "instances").rglob("*") if f.is_file())


def _changed(ds: Dataset, text: str) -> Received:
    """Another object under the same UID."""
    ds.SeriesDescription = text
    return _received(ds)


def test_an_instance_is_kept_byte_for_byte_with_its_row(
    inbox: Inbox, store: Store, settings: Settings
) -> None:
    ds = ct_series()[0]
    inbox.keep(_received(ds))
    (row,) = store.instances.find(ds.SOPInstanceUID)
    assert (settings.data_folder / row.path).read_bytes() == encoded(ds)
    assert (row.calling_ae_title, row.kept_aside) == ("TPS", False)
    assert row.path.endswith(
        f"/{ds.StudyInstanceUID}/{ds.SeriesInstanceUID}/{ds.SOPInstanceUID}.dcm"
    )


def test_the_same_object_twice_is_one_file_and_one_row(
    inbox: Inbox, store: Store, settings: Settings
) -> None:
    ds = ct_series()[0]
    inbox.keep(_received(ds))
    ds.file_meta.SourceApplicationEntityTitle = "ANOTHER"
    inbox.keep(_received(ds))
    assert len(store.instances.find(ds.SOPInstanceUID)) == 1
    assert len(_files(settings)) == 1


def test_another_object_under_the_same_uid_is_kept_aside(
    inbox: Inbox, store: Store, settings: Settings
) -> None:
    ds = ct_series()[0]
    first = _received(ds)
    inbox.keep(first)
    inbox.keep(_changed(ds, "changed"))
    in_use, aside = store.instances.find(ds.SOPInstanceUID)
    assert (in_use.kept_aside, aside.kept_aside) == (False, True)
    assert (settings.data_folder / in_use.path).read_bytes() == first.part10
    assert len(store.instances.of_series(ds.SeriesInstanceUID)) == 1


def test_objects_that_race_for_one_uid_overwrite_nothing(
    inbox: Inbox, store: Store, settings: Settings
) -> None:
    ds = ct_series()[0]
    rivals = [_changed(ds, f"rival {n}") for n in range(8)]
    with ThreadPoolExecutor(8) as senders:
        for outcome in [senders.submit(inbox.keep, rival) for rival in rivals]:
            outcome.result()
    rows = store.instances.find(ds.SOPInstanceUID)
    assert [row.kept_aside for row in rows] == [False] + [True] * 7
    kept = {(settings.data_folder / row.path).read_bytes() for row in rows}
    assert kept == {rival.part10 for rival in rivals}


def test_equal_objects_that_race_become_one(inbox: Inbox, store: Store, settings: Settings) -> None:
    received = _received(ct_series()[0])
    with ThreadPoolExecutor(8) as senders:
        for outcome in [senders.submit(inbox.keep, received) for _ in range(8)]:
            outcome.result()
    assert len(store.instances.find(received.sop_instance_uid)) == 1
    assert len(_files(settings)) == 1


@pytest.mark.parametrize(
    "bad", ["../../../evil", "1.2/../../evil", "1.2\0.3", "", "..", "1..2", "1" * 65]
)
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_uid_that_is_a_path_is_refused_and_leaves_nothing(
    keyword: str, bad: str, inbox: Inbox, settings: Settings, tmp_path: Path
) -> None:
    ds = ct_series()[0]
    ds[keyword].value = bad
    received = Received(encoded(ds), str(ds.SOPClassUID), str(ds.SOPInstanceUID), "TPS")
    before = {f for f in tmp_path.rglob("*") if f.suffix not in {".db-wal", ".db-shm"}}
    with pytest.raises((BadUidError, UnreadableObjectError)):
        inbox.keep(received)
    assert {f for f in tmp_path.rglob("*") if f.suffix not in {".db-wal", ".db-shm"}} == before
    assert _files(settings) == []


def test_a_command_that_names_another_object_is_refused(inbox: Inbox, settings: Settings) -> None:
    received = replace(_received(ct_series()[0]), sop_instance_uid="1.2.3")
    with pytest.raises(IdentityMismatchError):
        inbox.keep(received)
    assert _files(settings) == []


def test_below_the_reserve_nothing_is_accepted(store: Store, settings: Settings) -> None:
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=10**9)
    with pytest.raises(StorageFullError):
        inbox.keep(_received(ct_series()[0]))
    assert _files(settings) == []


def test_a_file_without_a_row_gets_one_at_start(
    inbox: Inbox, store: Store, settings: Settings, tmp_path: Path
) -> None:
    """As after a crash between the two, or with a new database on old files."""
    series = ct_series()
    for ds in series:
        inbox.keep(_received(ds))
    inbox.keep(_changed(series[0], "another object"))
    other = settings_for(tmp_path, database_url=f"sqlite:///{tmp_path / 'new.db'}")
    fresh = open_store(other)
    reborn = Inbox(settings.data_folder, fresh.instances, reserve_mb=0)
    assert reborn.reindex() == len(series) + 1
    assert fresh.instances.paths() == store.instances.paths()
    in_use, aside = fresh.instances.find(series[0].SOPInstanceUID)
    assert in_use.path == store.instances.find(series[0].SOPInstanceUID)[0].path
    assert aside.kept_aside
    assert reborn.reindex() == 0


def test_an_instance_sent_again_after_such_a_crash_is_the_same_file(
    inbox: Inbox, store: Store, settings: Settings, tmp_path: Path
) -> None:
    received = _received(ct_series()[0])
    inbox.keep(received)
    fresh = open_store(settings_for(tmp_path, database_url=f"sqlite:///{tmp_path / 'new.db'}"))
    Inbox(settings.data_folder, fresh.instances, reserve_mb=0).keep(received)
    (row,) = fresh.instances.find(received.sop_instance_uid)
    assert not row.kept_aside
    assert len(_files(settings)) == 1


def test_half_written_files_are_swept_at_start(inbox: Inbox, settings: Settings) -> None:
    half = settings.data_folder / "instances" / "aa" / "1.2.3.dcm.0123.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    os.utime(half, (0, 0))  # a young one may be a file that another process writes
    inbox.reindex()
    assert not half.exists()


def test_a_damaged_file_does_not_keep_the_node_from_starting(
    inbox: Inbox, store: Store, settings: Settings
) -> None:
    ds = ct_series()[0]
    damaged = settings.data_folder / "instances" / "aa" / "1.2.3.dcm"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(encoded(ds)[:140])
    assert inbox.reindex() == 0
    inbox.keep(_received(ds))
    assert len(store.instances.find(ds.SOPInstanceUID)) == 1


def test_a_disk_that_refuses_leaves_no_half_file(inbox: Inbox, settings: Settings) -> None:
    if os.geteuid() == 0:
        blocked = settings.data_folder / "instances"
        blocked.rmdir()
        blocked.write_text("a file where the folder should be")
    else:
        (settings.data_folder / "instances").chmod(0o500)
    with pytest.raises(OSError, match=r"directory|denied|exists"):
        inbox.keep(_received(ct_series()[0]))
