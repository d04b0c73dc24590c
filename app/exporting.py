"""Objects of a case or a study as files in a folder, with the patient or without."""

from __future__ import annotations

import getpass
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.uid import UID

from app.room import Room
from app.tables import Row
from core.errors import RecontourError, UnreadableObjectError
from core.files import require_uid, write_json, write_whole
from core.records import Instance
from dicom_node.objects.attributes import read_object, text
from dicom_node.objects.confidentiality_profile import PROFILE_NAME
from dicom_node.objects.deidentify import Deidentifier

REPORT = "report.json"


class ExportError(RecontourError):
    """There is nothing to export, or no folder to export to."""


@dataclass
class Report:
    """What an export wrote, changed and left out: kinds, attributes and counts, never a value."""

    deidentified: bool
    written: Counter[str] = field(default_factory=Counter)
    changes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """The report as `report.json` holds it."""
        return {
            "profile": PROFILE_NAME if self.deidentified else None,
            "written": dict(sorted(self.written.items())),
            "changes": [
                {"object": kind, "attribute": name, "action": action, "count": count}
                for (kind, name, action), count in sorted(self.changes.items())
            ],
            "left_out": [
                {"object": kind, "reason": reason, "count": count}
                for (kind, reason), count in sorted(self.left_out.items())
            ],
        }


def export_case(room: Room, case_id: str, out: Path, *, deidentify: bool) -> Report:
    """Write a case's CT, what joined it and what was approved on it to the new folder `out`.

    Raises `NoSuchCaseError`, and `ExportError` where `out` holds something already.
    """
    return _export(room, room.store.exports.of_case(case_id), out, deidentify=deidentify)


def export_study(room: Room, study_instance_uid: str, out: Path, *, deidentify: bool) -> Report:
    """Write everything of a study to the new folder `out`; raises `ExportError`."""
    instances = room.store.exports.of_study(study_instance_uid)
    if not instances:
        raise ExportError("The node holds nothing of this study. Check the Study Instance UID.")
    return _export(room, instances, out, deidentify=deidentify)


def _export(room: Room, instances: list[Instance], out: Path, *, deidentify: bool) -> Report:
    if out.exists() and any(out.iterdir()):
        raise ExportError(f"{out} is not empty; an export wants a folder of its own.")
    paths = [room.path(i.path) for i in instances] + _approved_structure_sets(room, instances)
    report = Report(deidentified=deidentify)
    if deidentify:
        _write_deidentified(room, paths, out, report)
    else:
        for path in paths:
            ds = read_object(path, pixels=False)
            kind = UID(text(ds, "SOPClassUID")).name
            write_whole(_place(out, kind, text(ds, "SOPInstanceUID")), path.read_bytes())
            report.written[kind] += 1
    write_json(out / REPORT, report.to_json())
    room.store.exports.record(
        who=getpass.getuser(), now=room.now(), instances=len(paths), deidentified=deidentify
    )
    return report


def _approved_structure_sets(room: Room, instances: list[Instance]) -> list[Path]:
    """The RTSTRUCT of the newest correction of each structure, where it has been written."""
    series = {i.header.series_instance_uid for i in instances}
    newest = {(c.case_id, c.roi_name): c for c in room.store.exports.approved(series)}
    paths = [room.store.files.structure_set_path(c.case_id, c.id) for c in newest.values()]
    return [path for path in paths if path.is_file()]


def _write_deidentified(room: Room, paths: list[Path], out: Path, report: Report) -> None:
    made = Deidentifier(roi_names=[s.name for s in room.settings.structures])
    # All are looked at before the first is written: who is named in one may be meant in another.
    for path, kind in [(p, _shown(p, made, report)) for p in paths]:
        if kind is None:
            continue
        try:
            new = made.deidentified(read_object(path))
        except UnreadableObjectError as error:
            report.left_out[kind, str(error)] += 1
            continue
        write_whole(_place(out, kind, new.sop_instance_uid), new.content)
        report.written[kind] += 1
        for (name, action), count in new.changes.counts.items():
            report.changes[kind, name, action] += count


def _shown(path: Path, made: Deidentifier, report: Report) -> str | None:
    """The kind of an object that could be read, None where it could not."""
    try:
        ds = read_object(path, pixels=False)
        made.look_for_whom(ds)
    except UnreadableObjectError:
        # Not the error's sentence: it names the file, which is called like the instance.
        report.left_out["an object", "It cannot be read; export it again at its source."] += 1
        return None
    return UID(text(ds, "SOPClassUID")).name


def _place(out: Path, kind: str, sop_instance_uid: str) -> Path:
    folder = kind.removesuffix(" Storage").replace(" ", "_")
    uid = require_uid(sop_instance_uid, name="SOP Instance UID")
    # A structure set of ours that was edited in a TPS may have kept its UID.
    path, number = out / folder / f"{uid}.dcm", 1
    while path.exists():
        number += 1
        path = path.with_name(f"{uid}-{number}.dcm")
    return path


def rows_of(report: Report) -> list[Row]:
    """The report as rows of a table: what was written, what was changed, what was left out."""
    rows: list[Row] = [
        {"object": kind, "attribute": "", "what": "written", "count": count}
        for kind, count in sorted(report.written.items())
    ]
    rows += [
        {"object": kind, "attribute": name, "what": action, "count": count}
        for (kind, name, action), count in sorted(report.changes.items())
    ]
    rows += [
        {"object": kind, "attribute": "", "what": f"left out: {reason}", "count": count}
        for (kind, reason), count in sorted(report.left_out.items())
    ]
    return rows


def summary_of(report: Report, out: Path) -> str:
    """One or two sentences for whoever ran the export."""
    said = f"{report.written.total()} objects are in {out}; {REPORT} there says what was changed."
    if report.left_out:
        said += f" {report.left_out.total()} were left out."
    if report.deidentified:
        said += " Nothing looked at the pixels: a head can be recognised by its surface."
    return said
