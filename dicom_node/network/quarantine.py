"""What is refused as unreadable is kept aside: nothing lost, nothing used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from core.errors import BadUidError, UnreadableObjectError
from core.files import sha256_of, write_new
from core.quarantine_store import QuarantineStore
from dicom_node.network.handlers import Keeper
from dicom_node.network.inbox import IdentityMismatchError, Received

log = structlog.get_logger()

FOLDER = "quarantine"
# So much of what is refused stays; of more the oldest goes first.
MOST_OBJECTS = 1_000
MOST_BYTES = 1_000_000_000
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_ORPHAN_AFTER_S = 3600.0
_UNREADABLE = (BadUidError, IdentityMismatchError, UnreadableObjectError)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Files below `data_folder`/quarantine and their rows, at most `most_objects`, `most_bytes`."""

    data_folder: Path
    rows: QuarantineStore
    most_objects: int = MOST_OBJECTS
    most_bytes: int = MOST_BYTES

    def set_aside(self, received: Received, *, reason: str) -> None:
        """Keep the bytes of an object that is refused; the same bytes again are kept once.

        Raises `OSError` when they cannot be written.
        """
        folder = self.data_folder / FOLDER
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        # Named by what it holds: no name from outside ever reaches a path here.
        digest = sha256_of(received.part10)
        file = folder / f"{digest}.dcm"
        if len(received.part10) > self.most_bytes:
            log.warning("quarantine.too_large", size_bytes=len(received.part10))
            return
        write_new(file, received.part10)
        file.chmod(_PRIVATE_FILE)
        now = datetime.now(UTC)
        self.rows.refused(
            path=str(file.relative_to(self.data_folder)),
            sha256=digest,
            size_bytes=len(received.part10),
            calling_ae_title=received.calling_ae_title.strip(),
            reason=reason,
            now=now,
        )
        log.warning("quarantine.entered", sha256=digest, size_bytes=len(received.part10))
        bounds = {"most_objects": self.most_objects, "most_bytes": self.most_bytes}
        for path in self.rows.take_oldest(**bounds, now=now):
            (self.data_folder / path).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Delete files that a crash left without a row; returns how many. For the start.

        Younger ones stay: another receiver may be about to write their rows.
        """
        known = {row.path for row in self.rows.all()}
        orphans = [
            file
            for file in sorted((self.data_folder / FOLDER).glob("*"))
            if str(file.relative_to(self.data_folder)) not in known
            and time.time() - file.stat().st_mtime >= _ORPHAN_AFTER_S
        ]
        for file in orphans:
            file.unlink(missing_ok=True)
        return len(orphans)


@dataclass(frozen=True, slots=True)
class QuarantiningKeeper:
    """Keeps what `keeper` keeps, and sets aside what it refuses as unreadable."""

    keeper: Keeper
    quarantine: Quarantine

    def keep(self, received: Received) -> None:
        """Keep the instance as `Inbox.keep` does, with its errors."""
        try:
            self.keeper.keep(received)
        except _UNREADABLE as error:
            self.quarantine.set_aside(received, reason=str(error))
            raise
