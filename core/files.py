"""Files on disk: whole or absent (write, fsync, rename, fsync the folder)."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from core.errors import BadUidError, StorageFullError
from core.geometry import Mask

TEMPORARY_SUFFIX = ".part"
_LOOSE_UID = re.compile(r"[0-9.]{1,64}")
# Whatever stands there may be a name: it is not repeated.
_NOT_OF_A_UID = re.compile(r"[^0-9./\\]")
_NOT_ONLY_DOTS = re.compile(r"[0-9]")


def require_uid(uid: str, *, name: str) -> str:
    """`uid`, if it may stand in a path: digits and dots, at most 64 (PS3.5 section 9.1).

    Leading zeros in a component break the standard but are common, and harmless here.
    """
    if not _LOOSE_UID.fullmatch(uid) or not _NOT_ONLY_DOTS.search(uid) or ".." in uid:
        raise BadUidError(
            f"{name} is not a UID (1 to 64 digits and dots, PS3.5 9.1); found "
            f"{_NOT_OF_A_UID.sub('?', uid[:64])!r} with {len(uid)} characters. "
            "The sender must be corrected."
        )
    return uid


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a crash leaves the old file or the new one, never half."""
    with _appearing_whole(path) as file:
        file.write(content)


@contextmanager
def _appearing_whole(path: Path) -> Iterator[BinaryIO]:
    _make_folder(path.parent)
    # A unique name: two senders of the same instance must not rename each other's file.
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_new(path: Path, content: bytes) -> bool:
    """Write `content` to `path`, whole, if nobody has that name yet; False where somebody has.

    Of several writers at once exactly one succeeds, also of several processes.
    """
    _make_folder(path.parent)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # A rename would replace what is there; a link refuses.
        with _nameless(path.parent, content) as source:
            os.link(source, path.name, dst_dir_fd=folder, follow_symlinks=True)
        os.fsync(folder)
    except FileExistsError:
        return False
    finally:
        os.close(folder)
    return True


@contextmanager
def _nameless(folder: Path, content: bytes) -> Iterator[str]:
    """A synced file without a name in `folder`, to be linked; gone by itself if it is not."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR}:
            raise
        with _part(folder, content) as name:  # a file system that has no nameless files
            yield name
        return
    try:
        _write_synced(handle, content)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


@contextmanager
def _part(folder: Path, content: bytes) -> Iterator[str]:
    part = folder / f"{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        _write_synced(handle, content)
        yield str(part)
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


def _write_synced(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def _make_folder(folder: Path) -> None:
    """Make `folder` and all above it, with durable names: without them its files are lost too."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        # One that was removed may have had its name, and its inode: numbers are given out again.
        _sync_names_to.cache_clear()
    _sync_names_to(folder, folder.stat().st_ino)


@lru_cache(maxsize=4096)  # once for each folder, also where another process made it just now
def _sync_names_to(folder: Path, _inode: int) -> None:
    for above in folder.parents:
        if not os.access(above, os.R_OK | os.W_OK):
            return  # not ours to make anything in
        sync_folder(above)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, values: Any) -> None:
    """Write `values` as JSON, whole or not at all."""
    write_whole(path, json.dumps(values, indent=1, sort_keys=True).encode())


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text())


def sha256_of(content: bytes) -> str:
    """Hex digest of `content`."""
    return hashlib.sha256(content).hexdigest()


def mask_digest(mask: Mask) -> str:
    """SHA-256 of the mask's voxels as one byte each (0 or 1) in C order: what browsers compute."""
    return hashlib.sha256(np.ascontiguousarray(mask).view(np.uint8).data).hexdigest()


def array_digest(values: npt.NDArray[Any]) -> str:
    """SHA-256 of the bytes of `values` in C order."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def write_array(path: Path, values: npt.NDArray[Any]) -> None:
    """Write an array as .npy, whole or not at all; `read_array` maps it."""
    with _appearing_whole(path) as file:
        np.save(file, values, allow_pickle=False)


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array at `path`, memory-mapped, read only."""
    values: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return values


def sweep_temporary(folder: Path, *, older_than_s: float = 3600.0) -> int:
    """Delete what a crash left half written below `folder`; returns how many entries went.

    Younger ones stay: another process may be writing them at this moment.
    """
    left = list(folder.rglob(f"*{TEMPORARY_SUFFIX}")) if folder.exists() else []
    old = [part for part in left if time.time() - part.stat().st_mtime >= older_than_s]
    for part in old:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
    return len(old)


def require_free_space(folder: Path, *, reserve_mb: int) -> None:
    """Raise `StorageFullError` when less than `reserve_mb` megabytes are free at `folder`."""
    if said := disk_alarm(folder, reserve_mb=reserve_mb):
        raise StorageFullError(said)


def disk_alarm(folder: Path, *, reserve_mb: int) -> str:
    """Why nothing new is accepted, and what to do; empty while `reserve_mb` megabytes are free."""
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb >= reserve_mb:
        return ""
    return (
        f"{free_mb} MB are free, disk_reserve_mb asks for {reserve_mb}. Free space on the "
        "data folder's disk; nothing was lost, senders will try again."
    )
