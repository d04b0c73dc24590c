"""Keeps what arrives: raw bytes as received, durable before anybody is told Success."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from core.errors import RecontourError
from core.files import require_free_space, require_uid, sweep_temporary, write_whole
from core.instance_store import InstanceStore
from core.records import InstanceHeader
from dicom_node.network.header import read_header

log = structlog.get_logger()

FOLDER = "instances"
RECOVERED = "RECOVERED"


class IdentityMismatchError(RecontourError):
    """The command set and the data set name different objects."""


@dataclass(frozen=True, slots=True)
class Received:
    """An instance as it came: the file that would be written, and what the C-STORE command said."""

    part10: bytes
    sop_class_uid: str
    sop_instance_uid: str
    calling_ae_title: str


class Inbox:
    """Files below `data_folder`/instances and their rows."""

    def __init__(self, data_folder: Path, instances: InstanceStore, *, reserve_mb: int) -> None:
        self._data_folder = data_folder
        self._instances = instances
        self._reserve_mb = reserve_mb
        (data_folder / FOLDER).mkdir(parents=True, exist_ok=True)

    def keep(self, received: Received) -> None:
        """Make the instance durable: file, then row. The same object twice is no new work.

        Raises `StorageFullError`, `OSError`, `BadUidError`, `UnreadableObjectError` or
        `IdentityMismatchError`; then nothing is kept.
        """
        require_free_space(self._data_folder, reserve_mb=self._reserve_mb)
        header = read_header(received.part10)
        _require_valid(header)
        if (header.sop_instance_uid, header.sop_class_uid) != (
            received.sop_instance_uid,
            received.sop_class_uid,
        ):
            raise IdentityMismatchError(
                "The C-STORE command names another object than its data set (PS3.7 9.1.1.1). "
                "The sender must be corrected; nothing was kept."
            )
        self._keep(header, received.part10, received.calling_ae_title)

    def reindex(self) -> int:
        """Make rows for files without one and sweep half-written files; returns the rows made.

        The fsynced file is the truth: a crash between file and row is mended here.
        """
        sweep_temporary(self._data_folder / FOLDER)
        known = self._instances.paths()
        made = 0
        for file in sorted((self._data_folder / FOLDER).rglob("*.dcm")):
            path = str(file.relative_to(self._data_folder))
            if path in known:
                continue
            content = file.read_bytes()
            try:
                self._record(read_header(content), path, content, RECOVERED)
            except RecontourError as error:
                log.error("instance.unreadable", path=path, reason=str(error))  # noqa: TRY400
                continue
            made += 1
        return made

    def _keep(self, header: InstanceHeader, part10: bytes, calling_ae_title: str) -> None:
        digest = content_digest(part10)
        if any(k.sha256 == digest for k in self._instances.find(header.sop_instance_uid)):
            return
        path = _path_of(header, digest)
        write_whole(self._data_folder / path, part10)
        kept = self._record(header, path, part10, calling_ae_title)
        if kept:
            log.warning("instance.kept_aside", sop_instance_uid=header.sop_instance_uid)

    def _record(
        self, header: InstanceHeader, path: str, part10: bytes, calling_ae_title: str
    ) -> bool:
        kept = self._instances.add(
            header,
            path=path,
            sha256=content_digest(part10),
            size_bytes=len(part10),
            calling_ae_title=calling_ae_title,
            kept_aside=False,
            received_at=datetime.now(UTC),
        )
        return kept.kept_aside


def content_digest(part10: bytes) -> str:
    """SHA-256 of the data set as it was encoded, without preamble and file meta information.

    Two associations bring the same object with different meta information (sender's AE title).
    """
    return hashlib.sha256(part10[_data_set_offset(part10) :]).hexdigest()


def _data_set_offset(part10: bytes) -> int:
    # (0002,0000) comes first, UL 4: the length of the rest of group 2 (PS3.10 7.1).
    if part10[132:136] != b"\x02\x00\x00\x00":
        return 132
    return 144 + int.from_bytes(part10[140:144], "little")


def _require_valid(header: InstanceHeader) -> None:
    require_uid(header.sop_instance_uid, name="SOP Instance UID")
    require_uid(header.sop_class_uid, name="SOP Class UID")
    require_uid(header.study_instance_uid, name="Study Instance UID")
    require_uid(header.series_instance_uid, name="Series Instance UID")
    if header.frame_of_reference_uid is not None:
        require_uid(header.frame_of_reference_uid, name="Frame of Reference UID")


def _path_of(header: InstanceHeader, digest: str) -> str:
    study = header.study_instance_uid
    shelf = hashlib.sha256(study.encode()).hexdigest()[:2]
    # The content is part of the name: another object under a taken UID, even at the same moment
    # over another association, can never replace a file that was answered with Success.
    name = f"{header.sop_instance_uid}.{digest[:8]}.dcm"
    return f"{FOLDER}/{shelf}/{study}/{header.series_instance_uid}/{name}"
