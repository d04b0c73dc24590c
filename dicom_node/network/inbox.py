"""Keeps what arrives: raw bytes as received, durable before anybody is told Success."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from core.errors import BadUidError, RecontourError, UnreadableObjectError
from core.files import (
    require_free_space,
    require_uid,
    sweep_temporary,
    sync_folder,
    write_new,
)
from core.instance_store import InstanceStore
from core.records import RECOVERED, InstanceHeader
from dicom_node.network.header import read_header
from dicom_node.network.header_scan import data_set_offset, source_ae_title

log = structlog.get_logger()

FOLDER = "instances"


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
        # Of two objects with one UID the shorter name is the plain one: it stays the one in use.
        files = sorted((self._data_folder / FOLDER).rglob("*.dcm"), key=lambda f: len(f.name))
        return sum(
            self._recover(file)
            for file in files
            if str(file.relative_to(self._data_folder)) not in known
        )

    def _recover(self, file: Path) -> bool:
        try:
            content = file.read_bytes()
            header = read_header(content)
            _require_valid(header)
        except (BadUidError, UnreadableObjectError, OSError) as error:
            # A damaged file must not keep the node from starting.
            log.warning("instance.unreadable", file=file.name, kind=type(error).__name__)
            return False
        sender = source_ae_title(content) or RECOVERED
        self._record(header, file, content, content_digest(content), sender)
        return True

    def _keep(self, header: InstanceHeader, part10: bytes, calling_ae_title: str) -> None:
        digest = content_digest(part10)
        file = self._write(header, part10, digest)
        if self._record(header, file, part10, digest, calling_ae_title):
            log.warning("instance.kept_aside", sop_instance_uid=header.sop_instance_uid)

    def _write(self, header: InstanceHeader, part10: bytes, digest: str) -> Path:
        """Write the instance under its plain name, or under one with its digest if that is taken.

        A name may be taken without a row: by a crash, or by an association that is as far as we.
        """
        folder = self._data_folder / FOLDER / _folder_of(header)
        plain = folder / _plain_name(header)
        with_digest = folder / f"{header.sop_instance_uid}.{digest[:8]}.dcm"
        for file in (plain, with_digest):
            if not file.exists() and write_new(file, part10):
                return file
            if content_digest(file.read_bytes()) == digest:
                sync_folder(folder)  # whoever wrote it may not be as far
                return file
        raise OSError("Both names of an instance are taken by other objects.")

    def _record(
        self,
        header: InstanceHeader,
        file: Path,
        part10: bytes,
        digest: str,
        calling_ae_title: str,
    ) -> bool:
        kept = self._instances.add(
            header,
            path=str(file.relative_to(self._data_folder)),
            sha256=digest,
            size_bytes=len(part10),
            calling_ae_title=calling_ae_title,
            kept_aside=file.name != _plain_name(header),
            received_at=datetime.now(UTC),
        )
        return kept.kept_aside


def content_digest(part10: bytes) -> str:
    """SHA-256 of the data set as it was encoded, without preamble and file meta information.

    Two associations bring the same object with different meta information (sender's AE title).
    """
    return hashlib.sha256(memoryview(part10)[data_set_offset(part10) :]).hexdigest()


def _require_valid(header: InstanceHeader) -> None:
    require_uid(header.sop_instance_uid, name="SOP Instance UID")
    require_uid(header.sop_class_uid, name="SOP Class UID")
    require_uid(header.study_instance_uid, name="Study Instance UID")
    require_uid(header.series_instance_uid, name="Series Instance UID")
    if header.frame_of_reference_uid is not None:
        require_uid(header.frame_of_reference_uid, name="Frame of Reference UID")


def _folder_of(header: InstanceHeader) -> str:
    study = header.study_instance_uid
    shelf = hashlib.sha256(study.encode()).hexdigest()[:2]
    return f"{shelf}/{study}/{header.series_instance_uid}"


def _plain_name(header: InstanceHeader) -> str:
    return f"{header.sop_instance_uid}.dcm"
