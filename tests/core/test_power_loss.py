"""The power may go at any moment: what was there or what came after it, never half, never lost."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.files import sync_folder, write_array, write_new, write_whole
from tests.support.power import anything, power_may_go

OLD, NEW = b"as it was" * 10, b"what came after" * 20


@pytest.fixture
def no_nameless_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none, as some network file systems."""
    really = os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return really(path, flags, *rest, **more)

    monkeypatch.setattr("os.open", opened)


def test_a_file_is_the_old_or_the_new_one_at_every_moment_of_a_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with power_may_go(tmp_path) as disk:
        write_whole(tmp_path / "file", NEW)
        assert disk.certain() == {"file": NEW}
    assert len(disk.cuts) >= 4
    assert anything(disk, "file") == {OLD, NEW}


def test_a_file_in_new_folders_is_absent_or_whole_and_there_once_it_was_written(
    tmp_path: Path,
) -> None:
    with power_may_go(tmp_path) as disk:
        write_whole(tmp_path / "a" / "b" / "file", NEW)
        assert disk.certain() == {"a/b/file": NEW}
    assert anything(disk, "a/b/file") == {None, NEW}


def test_an_array_is_absent_or_whole(tmp_path: Path) -> None:
    values = np.arange(5000, dtype=np.float32)
    with power_may_go(tmp_path) as disk:
        write_array(tmp_path / "ct.npy", values)
        there = (tmp_path / "ct.npy").read_bytes()
        assert disk.possible() == [{"ct.npy": there}]
    assert anything(disk, "ct.npy") == {None, there}


def new_file(path: Path, content: bytes) -> None:
    assert write_new(path, content)


def test_a_new_name_is_absent_or_whole(tmp_path: Path) -> None:
    with power_may_go(tmp_path) as disk:
        new_file(tmp_path / "series" / "1.2.dcm", NEW)
        assert disk.possible() == [{"series/1.2.dcm": NEW}]
    assert anything(disk, "series/1.2.dcm") == {None, NEW}


@pytest.mark.usefixtures("no_nameless_files")
def test_a_new_name_is_absent_or_whole_also_without_nameless_files(tmp_path: Path) -> None:
    with power_may_go(tmp_path) as disk:
        new_file(tmp_path / "series" / "1.2.dcm", NEW)
        assert disk.certain() == {"series/1.2.dcm": NEW}
    assert anything(disk, "series/1.2.dcm") == {None, NEW}


def test_a_folder_that_was_removed_and_made_again_is_durable_again(tmp_path: Path) -> None:
    """Its inode may bear the number of the old one: the system gives numbers out again."""
    for write in (write_whole, new_file):
        write(tmp_path / "shelf" / "study" / "1", OLD)
        shutil.rmtree(tmp_path / "shelf")
        with power_may_go(tmp_path) as disk:
            write(tmp_path / "shelf" / "study" / "1", NEW)
            assert disk.certain() == {"shelf/study/1": NEW}
        shutil.rmtree(tmp_path / "shelf")


def test_a_folder_that_another_process_made_a_moment_ago_is_durable_too(tmp_path: Path) -> None:
    with power_may_go(tmp_path) as disk:
        (tmp_path / "study").mkdir()
        new_file(tmp_path / "study" / "1", NEW)
        assert disk.certain() == {"study/1": NEW}


def _unsynced(path: Path) -> None:
    part = path.with_name("part")
    part.write_bytes(NEW)
    part.replace(path)
    sync_folder(path.parent)


def _nameless(path: Path) -> None:
    part = path.with_name("part")
    with part.open("wb") as file:
        file.write(NEW)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _in_place(path: Path) -> None:
    with path.open("wb") as file:
        file.write(NEW)
        file.flush()
        os.fsync(file.fileno())


@pytest.mark.parametrize(
    ("careless", "half", "certain"),
    [(_unsynced, True, False), (_nameless, False, False), (_in_place, True, True)],
)
def test_every_other_order_is_found_out(
    tmp_path: Path, careless: Callable[[Path], None], half: bool, certain: bool
) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with power_may_go(tmp_path) as disk:
        careless(tmp_path / "file")
        assert (disk.certain().get("file") == NEW) is certain
    assert bool(anything(disk, "file") - {OLD, NEW}) is half
