"""Files are whole or absent, and UIDs are checked before they touch a path."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadUidError, StorageFullError, UnreadableObjectError
from core.files import (
    require_free_space,
    require_uid,
    sweep_temporary,
    write_whole,
)
from core.mask_files import box_of_mask_file, read_mask, write_mask


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.2", "2.25.1", "1" * 64, "1.02.3"])
def test_a_uid_may_stand_in_a_path(uid: str) -> None:
    assert require_uid(uid, name="UID") == uid


@pytest.mark.parametrize(
    "uid", ["", "../../etc/passwd", "1..2", ".", "1.2/3", "1" * 65, "1.2\n", "1.2.a", "1 .2"]
)
def test_what_is_no_uid_never_reaches_a_path(uid: str) -> None:
    with pytest.raises(BadUidError):
        require_uid(uid, name="SOP Instance UID")


def test_what_stands_in_the_place_of_a_uid_is_not_repeated() -> None:
    with pytest.raises(BadUidError, match=r"'\.\./\?\?\?\?\?\?\?\?1'") as raised:
        require_uid("../Doe^Jane1", name="SOP Instance UID")
    assert "Doe" not in str(raised.value)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    write_whole(target, b"old")

    def no_space(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_a_crash_left_half_written_is_swept(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.dcm.123.part").write_bytes(b"half")
    (tmp_path / "a" / "x.dcm").write_bytes(b"whole")
    # Young: another process may be writing it.
    assert sweep_temporary(tmp_path) == 0
    assert sweep_temporary(tmp_path, older_than_s=0) == 1
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.dcm"]


def test_a_mask_comes_back_voxel_for_voxel(tmp_path: Path) -> None:
    mask = np.random.default_rng(1).random((5, 7, 11)) > 0.5
    write_mask(tmp_path / "m.mask", mask)
    assert np.array_equal(read_mask(tmp_path / "m.mask"), mask)


def test_a_mask_file_names_the_box_around_the_mask(tmp_path: Path) -> None:
    mask = np.zeros((5, 7, 11), bool)
    path = tmp_path / "m.mask"
    write_mask(path, mask)
    assert box_of_mask_file(path) is None
    mask[1, 2, 3] = mask[3, 2, 10] = True
    write_mask(path, mask)
    assert box_of_mask_file(path) == (slice(1, 4), slice(2, 3), slice(3, 11))
    # A file from before boxes were noted.
    content = path.read_bytes()
    size = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + size])
    del header["box"]
    told = json.dumps(header).encode()
    path.write_bytes(len(told).to_bytes(4, "little") + told + content[4 + size :])
    assert box_of_mask_file(path) == (slice(1, 4), slice(2, 3), slice(3, 11))


def test_a_damaged_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.mask"
    write_mask(path, np.ones((5, 7, 11), bool))
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableObjectError):
        read_mask(path)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(StorageFullError, match="disk_reserve_mb"):
        require_free_space(tmp_path, reserve_mb=10**12)
