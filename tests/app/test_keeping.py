"""Backup, restore, verify: nothing is lost on the way, and nothing wrong goes unseen."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.keeping import backup as backing
from app.room import Room
from core.config import Settings
from core.errors import BackupError
from core.records import InstanceHeader
from core.store import Store, open_store
from core.volume import Volume
from dicom_node.network.inbox import content_digest
from tests.support.postgresql import postgresql
from tests.support.review_case import NOW, box_mask, put_case, small_geometry
from tests.support.room import approve_mask
from tests.support.settings import settings_for, under_the_name, write_config
from tests.support.versions import A, put_version

GRID = small_geometry()
CT = Volume(np.zeros(GRID.shape, np.int16), GRID)
PREDICTED = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 6)))
CORRECTED = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(4, 9)))


PREAMBLE = bytes(132)
WHOLE = "Objects, CTs, masks and models are as written.\n"
WHOLE_BACKUP = "Every file of the backup is as written.\n"


def told(_done: int, _of: int) -> None:
    """Progress that nobody watches."""


def keep(settings: Settings, store: Store, number: int) -> None:
    """An object as the inbox keeps it: first the file, then its row."""
    content = PREAMBLE + f"object {number}".encode()
    path = f"instances/2.25.{number}.dcm"
    (settings.data_folder / "instances").mkdir(exist_ok=True)
    (settings.data_folder / path).write_bytes(content)
    header = InstanceHeader(f"2.25.{number}", "1.2", "2.25.8", "2.25.9", "RTPLAN")
    store.instances.add(
        header,
        path=path,
        sha256=content_digest(content),
        size_bytes=len(content),
        calling_ae_title="TPS",
        kept_aside=False,
        received_at=NOW,
    )


def lived_in(settings: Settings) -> str:
    """A node with one object and one approved case; returns the case's id."""
    store = open_store(settings)
    keep(settings, store, 1)
    case_id = put_case(store, CT, prediction=PREDICTED)
    for path in store.instances.digests():
        uid = path.removeprefix("instances/").removesuffix(".dcm")
        if uid != "2.25.1":
            (settings.data_folder / path).write_bytes(PREAMBLE + uid.encode())
    approve_mask(Room(settings, store), case_id, CORRECTED)
    store.engine.dispose()
    return case_id


def moved(settings: Settings, folder: Path, **changes: object) -> Settings:
    """The same node on another disk."""
    return settings.model_copy(update={"data_folder": folder, **changes})


def verified(config: Path, *arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["verify", "--config", str(config), *arguments])
    return answer.exit_code, answer.stdout


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_for(tmp_path)
    made.data_folder.mkdir()
    return made


def test_what_is_restored_is_what_was_kept(settings: Settings, tmp_path: Path) -> None:
    case_id = lived_in(settings)
    (settings.data_folder / "secrets").mkdir()
    (settings.data_folder / "secrets" / "salt").write_text("of the passwords")
    manifest = backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    assert "files/instances/2.25.1.dcm" in manifest.digests
    assert not any("recontour.db" in name or "locks" in name for name in manifest.digests)
    back = moved(settings, tmp_path / "again")
    backing.restore(back, tmp_path / "b", told)
    store = open_store(back)
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    mask = store.files.read_mask(case_id, f"correction-{made.id}", digest=made.mask_digest)
    assert np.array_equal(mask, CORRECTED)
    assert (back.data_folder / "instances" / "2.25.1.dcm").read_bytes() == PREAMBLE + b"object 1"
    assert (back.data_folder / "secrets" / "salt").read_text() == "of the passwords"
    assert (back.data_folder / "secrets" / "salt").stat().st_mode & 0o077 == 0
    assert len(store.reviews.entries(case_id, "Heart")) == 2


def test_every_row_of_a_backup_made_while_objects_arrive_has_its_file(
    settings: Settings, tmp_path: Path
) -> None:
    lived_in(settings)
    store = open_store(settings)
    stop, kept_one = threading.Event(), threading.Event()

    def arrive() -> None:
        for number in count(2):
            if stop.is_set():
                break
            keep(settings, store, number)
            kept_one.set()

    sender = threading.Thread(target=arrive)
    sender.start()
    try:
        for number in range(5):
            backing.back_up(settings, tmp_path / f"b{number}", now=NOW, told=told)
            kept_one.clear()
            assert kept_one.wait(60)
    finally:
        stop.set()
        sender.join()
    back = moved(settings, tmp_path / "again")
    backing.restore(back, tmp_path / "b4", told)
    found = open_store(back).instances.digests()
    assert len(found) > 1
    for path, digest in found.items():
        assert content_digest((back.data_folder / path).read_bytes()) == digest


def test_a_backup_that_was_not_finished_is_none(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_in(settings)

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backing, "_copy", full)
    with pytest.raises(OSError, match="No space"):
        backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    monkeypatch.undo()
    with pytest.raises(BackupError, match="not finished"):
        backing.restore(moved(settings, tmp_path / "again"), tmp_path / "b", told)
    assert not (tmp_path / "again").exists()


def test_a_damaged_backup_is_seen_and_nothing_of_it_is_restored(
    settings: Settings, tmp_path: Path
) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    config = tmp_path / "config.yaml"
    assert verified(config, "--backup", str(tmp_path / "b")) == (0, WHOLE_BACKUP)
    damaged = tmp_path / "b" / "files" / "instances" / "2.25.1.dcm"
    damaged.write_bytes(b"object 2")
    (tmp_path / "b" / "database.sqlite").unlink()
    code, said = verified(config, "--backup", str(tmp_path / "b"))
    assert code == 1
    assert "database.sqlite is missing." in said
    assert "files/instances/2.25.1.dcm is not what was written." in said
    with pytest.raises(BackupError, match="damaged"):
        backing.restore(moved(settings, tmp_path / "again"), tmp_path / "b", told)
    assert not (tmp_path / "again").exists()


def test_nothing_is_restored_over_a_node_that_lives(settings: Settings, tmp_path: Path) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    with pytest.raises(BackupError, match="not empty"):
        backing.restore(settings, tmp_path / "b", told)
    with pytest.raises(BackupError, match="not empty"):
        backing.back_up(settings, tmp_path / "b", now=NOW, told=told)


def test_a_database_elsewhere_that_holds_something_is_left_as_it_is(
    settings: Settings, tmp_path: Path
) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    other = moved(settings, tmp_path / "other", database_url=url)
    store = open_store(other)
    put_case(store, CT)
    store.engine.dispose()
    with pytest.raises(BackupError, match=r"holds \d+ tables"):
        backing.restore(moved(settings, tmp_path / "again", database_url=url), tmp_path / "b", told)
    assert not (tmp_path / "again").exists()
    assert len(open_store(other).cases.all()) == 1


def test_a_database_of_another_name_in_the_data_folder_is_kept_once_and_whole(
    settings: Settings, tmp_path: Path
) -> None:
    url = f"sqlite:///{settings.data_folder / 'ours.db'}"
    named = settings.model_copy(update={"database_url": url})
    lived_in(named)
    manifest = backing.back_up(named, tmp_path / "b", now=NOW, told=told)
    assert not any("ours.db" in name for name in manifest.digests)


def test_a_backup_does_not_go_into_the_folder_that_it_keeps(settings: Settings) -> None:
    lived_in(settings)
    with pytest.raises(BackupError, match="in the data folder"):
        backing.back_up(settings, settings.data_folder / "backup", now=NOW, told=told)


def test_a_backup_names_no_file_outside_itself(settings: Settings, tmp_path: Path) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    manifest = tmp_path / "b" / "manifest.json"
    values = json.loads(manifest.read_text())
    values["digests"]["files/../../escaped"] = "0" * 64
    manifest.write_text(json.dumps(values))
    with pytest.raises(BackupError, match="outside the backup"):
        backing.restore(moved(settings, tmp_path / "again"), tmp_path / "b", told)


def test_a_file_that_changed_on_disk_is_named(settings: Settings, tmp_path: Path) -> None:
    case_id = lived_in(settings)
    config = tmp_path / "config.yaml"
    assert verified(config) == (0, WHOLE)
    (settings.data_folder / "instances" / "2.25.1.dcm").write_bytes(b"object 2")
    (mask,) = (settings.data_folder / "cases" / case_id).glob("correction-*.mask")
    shutil.move(mask, mask.with_suffix(".aside"))
    code, said = verified(config)
    assert code == 1
    assert "instances/2.25.1.dcm is not what was received" in said
    assert f"Case {case_id}: {mask.name}" in said
    assert "2 files are not as written." in said


def test_what_is_kept_of_a_structure_that_left_the_configuration_is_looked_at(
    settings: Settings, tmp_path: Path
) -> None:
    case_id = lived_in(settings)
    put_version(open_store(settings), A, 1)
    (mask,) = (settings.data_folder / "cases" / case_id).glob("correction-*.mask")
    mask.unlink()
    code, said = verified(write_config(tmp_path, **under_the_name("Liver")))
    assert code == 1
    assert f"Case {case_id}: {mask.name}" in said
    assert f"Model {A[:12]}" in said
    assert "2 files are not as written." in said


def test_what_was_on_its_way_does_not_leave_a_restored_node_by_itself(
    settings: Settings, tmp_path: Path
) -> None:
    store = open_store(settings)
    case_id = put_case(store, CT, prediction=PREDICTED)
    room = Room(settings, store)
    approve_mask(room, case_id, CORRECTED, hold_s=30)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    store.flow.take_back(case_id, "Heart", who="anna", tab="t", now=room.now(), lock_s=60)
    back = moved(settings, tmp_path / "again")
    backing.restore(back, tmp_path / "b", told)
    restored, later = open_store(back).deliveries, room.now() + timedelta(days=1)
    assert restored.due(now=later) == []
    (row,) = restored.all(case_id=case_id)
    assert row.state == "HELD"
    assert "restored from a backup" in row.last_error
    assert restored.retry(row.id, who="anna", now=later)


def test_a_symbolic_link_is_refused_and_not_left_out(settings: Settings, tmp_path: Path) -> None:
    lived_in(settings)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(settings.data_folder / "instances", elsewhere)
    (settings.data_folder / "instances").symlink_to(elsewhere)
    with pytest.raises(BackupError, match="instances is a symbolic link"):
        backing.back_up(settings, tmp_path / "b", now=NOW, told=told)


def test_a_folder_that_vanishes_meanwhile_stops_no_backup(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_in(settings)
    (settings.data_folder / "quarantine").mkdir()
    (settings.data_folder / "half.part").mkdir()
    scan = os.scandir

    def gone(path: str) -> object:
        if Path(path).name in {"quarantine", "half.part"}:
            raise FileNotFoundError(2, "No such file or directory", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", gone)
    manifest = backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    assert "files/instances/2.25.1.dcm" in manifest.digests


def test_a_backup_is_for_its_owner_alone_also_in_a_folder_that_was_there(
    settings: Settings, tmp_path: Path
) -> None:
    lived_in(settings)
    (tmp_path / "b").mkdir(mode=0o755)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    assert (tmp_path / "b" / "database.sqlite").stat().st_mode & 0o077 == 0


def test_a_node_does_not_start_on_a_half_of_a_backup(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    back = moved(settings, tmp_path / "again")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backing, "bring_back", full)
    with pytest.raises(OSError, match="No space"):
        backing.restore(back, tmp_path / "b", told)
    monkeypatch.undo()
    assert (back.data_folder / "instances" / "2.25.1.dcm").is_file()
    with pytest.raises(BackupError, match="was not finished"):
        open_store(back)
    with pytest.raises(BackupError, match="was not finished"):
        backing.back_up(back, tmp_path / "of_half", now=NOW, told=told)
    shutil.rmtree(back.data_folder)
    backing.restore(back, tmp_path / "b", told)
    assert len(open_store(back).instances.digests()) > 0


def test_the_kind_of_the_database_is_looked_at_before_anything_is_copied(
    settings: Settings, tmp_path: Path
) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    url = "postgresql+psycopg://nobody@127.0.0.1:1/recontour"
    with pytest.raises(BackupError, match="the same kind"):
        backing.restore(moved(settings, tmp_path / "again", database_url=url), tmp_path / "b", told)
    assert not (tmp_path / "again").exists()


def test_a_backup_is_only_read(settings: Settings, tmp_path: Path) -> None:
    lived_in(settings)
    backing.back_up(settings, tmp_path / "b", now=NOW, told=told)
    before = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "b", *(tmp_path / "b").iterdir())
    }
    backing.restore(moved(settings, tmp_path / "again"), tmp_path / "b", told)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_ct_and_a_second_observer_s_contour_that_changed_on_disk_are_named(
    settings: Settings, tmp_path: Path
) -> None:
    case_id = lived_in(settings)
    store = open_store(settings)
    asked = store.observations.assign(case_id, "Heart", "bert", who="phil", now=NOW)
    store.observations.take(asked.id, who="bert", tab="t")
    digest = store.files.write_mask(case_id, f"observation-{asked.id}", CORRECTED)
    store.observations.sign(asked.id, who="bert", tab="t", seq=0, digest=digest, now=NOW)
    config, case_folder = tmp_path / "config.yaml", settings.data_folder / "cases" / case_id
    assert verified(config) == (0, WHOLE)
    (ct,) = case_folder.glob("ct-*.npy")
    ct.write_bytes(ct.read_bytes()[:-1] + b"\x07")
    store.files.write_mask(case_id, f"observation-{asked.id}", PREDICTED)
    code, said = verified(config)
    assert code == 1
    assert f"{ct.name} is not what was assembled" in said
    assert f"observation-{asked.id}.mask is not the mask that was recorded" in said
    assert "2 files are not as written." in said


@pytest.mark.peer
def test_a_node_on_postgresql_is_kept_and_restored(settings: Settings, tmp_path: Path) -> None:
    with postgresql() as url, postgresql() as empty:
        here = settings.model_copy(update={"database_url": url})
        case_id = lived_in(here)
        backing.back_up(here, tmp_path / "b", now=NOW, told=told)
        back = moved(settings, tmp_path / "again", database_url=empty)
        backing.restore(back, tmp_path / "b", told)
        store = open_store(back)
        made = store.reviews.correction_of(case_id, "Heart")
        assert made is not None
        assert len(store.reviews.entries(case_id, "Heart")) == 2
        store.engine.dispose()
        with pytest.raises(BackupError, match="same kind"):
            backing.restore(moved(settings, tmp_path / "third"), tmp_path / "b", told)
