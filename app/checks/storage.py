"""Data folder, disk, database, clock and models: what the node stands on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.checks.finding import Finding, fail, ok, warn
from core import health
from core.config import Settings
from core.database import open_engine
from core.errors import ConfigError, ModelUnavailableError
from core.kept_structures import require_kept_spelling
from core.learning_store import LearningStore

_START = "Nothing; it is made when the node starts."
# SQLite's write-ahead log needs memory shared between processes, which these do not have.
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "glusterfs", "ceph"}
)
_PLENTY = 5  # so many times the reserve is no cause to think of the disk
_AHEAD_S = 120.0


def storage(settings: Settings) -> Iterator[Finding]:
    """Findings about what is kept and where."""
    yield _folder(settings.data_folder)
    yield file_system(settings)
    yield _disk(settings)
    healthy = _database(settings)
    yield healthy
    yield clock(settings)
    if healthy.state == "OK":
        yield _spelling(settings)
        yield from _models(settings)


def _folder(folder: Path) -> Finding:
    check = "data folder"
    if not folder.exists():
        return warn(check, f"{folder} is not there", _START)
    if not folder.is_dir():
        return fail(check, f"{folder} is a file", "Name a folder in data_folder.")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        return fail(
            check,
            f"{folder} has mode {mode:04o}: others may read patients' data",
            f"chmod 700 {folder}",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail(
            check,
            f"{folder} cannot be written to by this account",
            "Give it to the node's account.",
        )
    return ok(check, f"{folder}, for this account alone")


def file_system(settings: Settings, mounts: str | None = None) -> Finding:
    """Whether the data folder may lie where it lies; `mounts` is the content of /proc/mounts."""
    kind = _file_system_of(_existing(settings.data_folder), mounts)
    if kind not in _NETWORK_FILE_SYSTEMS:
        return ok("file system", kind)
    if settings.resolved_database_url().startswith("sqlite"):
        return fail(
            "file system",
            f"{kind}: SQLite's write-ahead log does not work over a network",
            "Put data_folder on a local disk, or give database_url a PostgreSQL.",
        )
    return warn("file system", kind, "Check that it syncs to its disk before it says so.")


def _file_system_of(folder: Path, mounts: str | None) -> str:
    best, kind = -1, "unknown"
    for line in (mounts or Path("/proc/mounts").read_text()).splitlines():
        _, at, found, *_ = line.split()
        at = at.replace("\\040", " ")
        if folder.is_relative_to(at) and len(at) >= best:
            best, kind = len(at), found
    return kind


def _disk(settings: Settings) -> Finding:
    free_mb = shutil.disk_usage(_existing(settings.data_folder)).free // 1_000_000
    reserve_mb = settings.disk_reserve_mb
    said = f"{free_mb} MB free, disk_reserve_mb is {reserve_mb}"
    if free_mb < reserve_mb:
        return fail(
            "disk", f"{said}: C-STORE is answered 0xA700", "Free space, or move the data folder."
        )
    if free_mb < _PLENTY * reserve_mb:
        return warn("disk", said, "Free space before it runs out; a planning CT takes 100 MB.")
    return ok("disk", said)


def _database(settings: Settings) -> Finding:
    check, url = "database", settings.resolved_database_url()
    address = make_url(url)
    kind = address.get_backend_name()
    if kind == "sqlite" and not Path(address.database or "").exists():
        return warn(check, "there is none yet", _START)
    try:
        found = health.examine(url)
    except (SQLAlchemyError, sqlite3.Error) as error:
        # Not the error's text: an address may carry a password.
        return fail(
            check,
            f"it cannot be opened ({type(error).__name__})",
            "Check database_url and that the server runs; or restore the file from the backup.",
        )
    return _verdict(kind, found)


def _verdict(kind: str, found: health.DatabaseHealth) -> Finding:
    check = "database"
    if found.damage:
        return fail(
            check,
            f"it is damaged: {found.damage[:120]}",
            "Stop the node and restore the file from the backup; instances are indexed anew.",
        )
    if found.revision is None:
        return warn(check, f"{kind} without tables", _START)
    if not found.known:
        return fail(
            check,
            f"its tables (revision {found.revision}) are newer than this software",
            "Use the software that made them.",
        )
    if found.revision != found.newest:
        return warn(check, f"{kind}, revision {found.revision}; {found.newest} is newest", _START)
    return ok(check, f"{kind}, revision {found.revision}, quick check ok")


def clock(settings: Settings, now: datetime | None = None) -> Finding:
    """Whether the time may be right: not before this software, not before what is kept."""
    now = now or datetime.now(UTC)
    built = _modified(Path(__file__))
    if now < built:
        return fail(
            "clock",
            f"{now:%Y-%m-%d %H:%M} UTC is before this software was installed ({built:%Y-%m-%d})",
            "Set the clock; approvals and structure sets carry its time.",
        )
    kept = [p for p in (settings.data_folder, settings.data_folder / "recontour.db") if p.exists()]
    newest = max(map(_modified, kept), default=built)
    if (newest - now).total_seconds() > _AHEAD_S:
        return fail(
            "clock",
            f"{now:%Y-%m-%d %H:%M} UTC is before the newest file of the data folder "
            f"({newest:%Y-%m-%d %H:%M})",
            "Set the clock, or find out when it was wrong.",
        )
    synchronised = _synchronised()
    said = f"{now:%Y-%m-%d %H:%M} UTC, {synchronised}"
    if synchronised == "not synchronised":
        return warn("clock", said, "Switch on NTP: timedatectl set-ntp true.")
    return ok("clock", said)


def _synchronised() -> str:
    program = shutil.which("timedatectl")
    if program is None:
        return "synchronisation unknown"
    try:
        answer = subprocess.run(  # noqa: S603 (a fixed command)
            [program, "show", "-p", "NTPSynchronized", "--value"],
            check=False,
            capture_output=True,
            text=True,
            timeout=5,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return "synchronisation unknown"
    return {"yes": "synchronised", "no": "not synchronised"}.get(answer, "synchronisation unknown")


def _spelling(settings: Settings) -> Finding:
    names = [structure.name for structure in settings.structures]
    engine = open_engine(settings.resolved_database_url())
    try:
        require_kept_spelling(engine, names)
    except ConfigError as error:
        return fail("structures", str(error), "Correct the file; the node does not start before.")
    finally:
        engine.dispose()
    return ok("structures", ", ".join(names))


def _models(settings: Settings) -> Iterator[Finding]:
    from model.registry import load  # noqa: PLC0415 (loads torch, for a model alone)

    engine = open_engine(settings.resolved_database_url())
    try:
        for structure in settings.structures:
            check = f"model of {structure.name}"
            released = LearningStore(engine).released(structure.name)
            if released is None:
                yield ok(check, "none released yet; the first comes with the first corrections")
                continue
            try:
                load(settings.data_folder / "models", released.version)
            except ModelUnavailableError as error:
                yield fail(check, str(error), "Restore the folder models from the backup.")
            else:
                yield ok(check, f"{released.version[:12]} is whole")
    finally:
        engine.dispose()


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(p for p in (folder, *folder.parents) if p.is_dir())


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
