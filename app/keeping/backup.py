"""All the node holds in one folder, each file with its digest; and from there back."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from app.keeping.database_copy import (
    bring_back,
    copy_database,
    database_file,
    hold_deliveries,
    require_empty,
    require_same_kind,
)
from app.room import SOFTWARE_VERSION
from core.config import Settings
from core.errors import BackupError
from core.files import TEMPORARY_SUFFIX, read_json, sync_folder, write_json, write_whole
from core.store import RESTORING, require_restored

MANIFEST, FILES = "manifest.json", "files"
# The database is copied apart; the others are made again, or say who lives now.
LEFT_OUT = frozenset({"training", "locks"})

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: SHA-256 by path within it. Without one a folder is no backup."""

    made_at: str
    software: str
    database: str
    digests: dict[str, str]


def back_up(settings: Settings, out: Path, *, now: datetime, told: Told) -> Manifest:
    """Copy database and files to the new folder `out`, also while the node runs.

    The database goes first: files are durable before a row names them, and are never rewritten,
    so every file of a row that was copied is there afterwards. `told` hears how many of how many
    are done. Raises `BackupError`.
    """
    require_restored(settings.data_folder)
    if out.exists() and any(out.iterdir()):
        raise BackupError(f"{out} is not empty; name a new folder for the backup.")
    if out.resolve().is_relative_to(settings.data_folder.resolve()):
        raise BackupError(f"{out} is in the data folder; name one on another disk.")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    out.chmod(0o700)  # one that was there already may be open to others
    database = copy_database(settings.resolved_database_url(), out)
    database.chmod(0o600)
    digests = {database.name: _digest(database)}
    kept = list(_kept(settings))
    for done, relative in enumerate(kept, start=1):
        try:
            name = str(PurePosixPath(FILES) / relative.as_posix())
            digests[name] = _copy(settings.data_folder / relative, out / name)
        except FileNotFoundError:
            continue  # it went meanwhile: what is bounded, like the quarantine, drops its oldest
        told(done, len(kept))
    manifest = Manifest(now.isoformat(), SOFTWARE_VERSION, database.name, digests)
    write_json(out / MANIFEST, asdict(manifest))
    return manifest


def problems(backup: Path, told: Told) -> list[str]:
    """What is wrong with a backup, a sentence each: files that are gone or are not as written."""
    manifest = _manifest(backup)
    found = []
    for done, (name, digest) in enumerate(manifest.digests.items(), start=1):
        path = backup / name
        if not path.is_file():
            found.append(f"{name} is missing.")
        elif _digest(path) != digest:
            found.append(f"{name} is not what was written.")
        told(done, len(manifest.digests))
    return found


def restore(settings: Settings, backup: Path, told: Told) -> Manifest:
    """Bring a whole backup into a data folder and a database that are empty.

    Nothing is written before all of the backup was checked. What was on its way to a destination
    is held. Until the end the node does not start on it. Raises `BackupError`.
    """
    target = settings.data_folder
    if target.exists() and any(target.iterdir()):
        raise BackupError(
            f"{target} is not empty; a backup is restored into an empty data folder. Move it away."
        )
    url, manifest = settings.resolved_database_url(), _manifest(backup)
    require_same_kind(manifest.database, url)
    require_empty(url)
    wrong = problems(backup, told)
    if wrong:
        raise BackupError(f"The backup is damaged ({len(wrong)} files): {wrong[0]} Take another.")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(target / RESTORING, manifest.made_at.encode())
    for name, digest in manifest.digests.items():
        if name != manifest.database:
            relative = PurePosixPath(name).relative_to(FILES)
            if _copy(backup / name, target / relative) != digest:
                raise BackupError(f"{name} changed while it was copied. Begin anew.")
    bring_back(backup / manifest.database, url)
    hold_deliveries(url, made_at=manifest.made_at)
    (target / RESTORING).unlink()
    sync_folder(target)
    return manifest


def _kept(settings: Settings) -> Iterator[Path]:
    """Paths below the data folder that belong into a backup, in a fixed order."""
    folder = settings.data_folder
    database = database_file(settings.resolved_database_url())
    databases = tuple(str(path) for path in (database, (folder / "jobs.db").resolve()) if path)
    for where, folders, files in os.walk(folder, onerror=_unless_gone):
        here = Path(where)
        left_out = LEFT_OUT if here == folder else frozenset()
        folders[:] = sorted(name for name in folders if not _is_half(name) and name not in left_out)
        for name in (*folders, *sorted(files)):
            path = here / name
            # With what SQLite keeps beside its file.
            if _is_half(name) or str(path.resolve()).startswith(databases):
                continue
            if path.is_symlink():
                raise BackupError(
                    f"{path.relative_to(folder)} is a symbolic link, and what it points to would "
                    "be missing in the backup. Put a mount in its place."
                )
            if path.is_file():
                yield path.relative_to(folder)


def _is_half(name: str) -> bool:
    return name.endswith(TEMPORARY_SUFFIX)


def _unless_gone(error: OSError) -> None:
    """A folder may vanish under our feet; one that cannot be read may not be passed over."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _manifest(backup: Path) -> Manifest:
    try:
        manifest = Manifest(**read_json(backup / MANIFEST))
    except FileNotFoundError:
        raise BackupError(
            f"{backup} has no {MANIFEST}: it is no backup, or one that was not finished."
        ) from None
    except (ValueError, TypeError) as error:
        raise BackupError(f"{backup / MANIFEST} cannot be read: {error}.") from error
    for name in manifest.digests:
        parts = PurePosixPath(name).parts
        if name != manifest.database and (parts[0] != FILES or ".." in parts):
            raise BackupError(f"{MANIFEST} names {name}, which is outside the backup.")
    return manifest


def _copy(source: Path, target: Path) -> str:
    """Copy a file, durably and for its owner alone; the digest of what was written."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)
    target.chmod(0o600)
    with target.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    sync_folder(target.parent)
    return digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
