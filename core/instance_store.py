"""What instances the node holds."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.case import CaseState
from core.database import reading, writing
from core.records import RECOVERED, Case, Instance, InstanceHeader
from core.tables import attachment, case, delivery, instance
from core.together import Together
from core.touched import is_touched

PLANNING_MODALITY = "CT"
STRUCTURE_SET = "structure_set"
"""Kind of attachment; its note names the structure that it holds a reference contour of."""

# Kinds of attachment that are not, or not by themselves, what they would be taken for; their notes
# are shown.
UNUSED_KINDS = ("refused", "beam_dose", "dose_part")

_HEADER_FIELDS = tuple(f.name for f in fields(InstanceHeader))
_HEADER_COLUMNS = tuple(name for name in _HEADER_FIELDS if name in instance.c)
# Statements of the way in, put together once: this is where time goes, otherwise.
_SAME_UID = sa.select(instance.c.id, instance.c.sha256, instance.c.kept_aside).where(
    instance.c.sop_instance_uid == sa.bindparam("uid")
)
_INSERT = sa.insert(instance)
_CASE_OF_SERIES = sa.select(case.c.id).where(case.c.series_instance_uid == sa.bindparam("series"))


class InstanceStore:
    """Rows about kept instances. The file is the truth; a row can be made from it again."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._added_together = Together(self._add_all)

    def find(self, sop_instance_uid: str) -> list[Instance]:
        """Every object that came under this UID, the one in use first."""
        query = (
            sa.select(instance)
            .where(instance.c.sop_instance_uid == sop_instance_uid)
            .order_by(instance.c.kept_aside, instance.c.id)
        )
        return self._all(query)

    def get(self, instance_id: int) -> Instance:
        """The instance with this row id."""
        (found,) = self._all(sa.select(instance).where(instance.c.id == instance_id))
        return found

    def add(  # noqa: PLR0913 (one argument a column)
        self,
        header: InstanceHeader,
        *,
        path: str,
        sha256: str,
        size_bytes: int,
        calling_ae_title: str,
        kept_aside: bool,
        received_at: datetime,
    ) -> Instance:
        """Record a kept file; the same object twice gives the same row.

        A row that was made again from its file learns who sends the object.

        The first CT instance of a series opens its case, in the same transaction.
        """
        # In one transaction for all associations that wait for theirs.
        return self._added_together.do(
            Instance(
                id=0,
                header=header,
                path=path,
                sha256=sha256,
                size_bytes=size_bytes,
                calling_ae_title=calling_ae_title,
                received_at=received_at,
                kept_aside=kept_aside,
            )
        )

    def _add_all(self, new: Sequence[Instance]) -> list[Instance]:
        with writing(self._engine) as connection:
            return [_added(connection, one) for one in new]

    def paths(self) -> set[str]:
        """Paths of all kept files, relative to the data folder."""
        with reading(self._engine) as connection:
            return set(connection.scalars(sa.select(instance.c.path)))

    def digests(self) -> dict[str, str]:
        """SHA-256 of every kept file by its path, relative to the data folder."""
        query = sa.select(instance.c.path, instance.c.sha256).order_by(instance.c.id)
        with reading(self._engine) as connection:
            return {row.path: row.sha256 for row in connection.execute(query)}

    def of_series(self, series_instance_uid: str) -> list[Instance]:
        """The instances of a series that are in use (none kept aside)."""
        return self._all(
            sa.select(instance)
            .where(
                instance.c.series_instance_uid == series_instance_uid,
                instance.c.kept_aside.is_(False),
            )
            .order_by(instance.c.sop_instance_uid)
        )

    def kept_aside_count(self, study_instance_uid: str) -> int:
        """How many objects of this study came with a UID that was taken, and are not used."""
        query = (
            sa.select(sa.func.count())
            .select_from(instance)
            .where(
                instance.c.study_instance_uid == study_instance_uid,
                instance.c.kept_aside.is_(True),
                ~is_joined(),
            )
        )
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def refusals(self, case_id: str) -> list[str]:
        """Why objects that belong to a case are not used, one sentence each."""
        query = (
            sa.select(attachment.c.note)
            .where(
                attachment.c.case_id == case_id,
                attachment.c.kind.in_(UNUSED_KINDS),
                attachment.c.note != "",
            )
            .order_by(attachment.c.attached_at)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def findings(self, case_id: str) -> list[str]:
        """What was noticed about the structure sets that joined a case, one sentence each."""
        query = (
            sa.select(attachment.c.detail)
            .where(attachment.c.case_id == case_id, attachment.c.kind == "structure_set")
            .order_by(attachment.c.attached_at)
        )
        with reading(self._engine) as connection:
            details = connection.scalars(query).all()
        return [finding for detail in details if detail for finding in detail["findings"]]

    def series_due(self, *, quiet_since: datetime) -> list[tuple[str, str, int]]:
        """(case id, series UID, instance count) of CT series that are complete or fell quiet.

        A series is due when the number of instances differs from what its case was assembled
        from, and either as many are there as the sender announced or nothing has come since
        `quiet_since`. Cases that somebody has painted on, and approved ones, are left alone.
        """
        open_states = [
            CaseState.RECEIVING,
            CaseState.ASSEMBLED,
            CaseState.PREDICTED,
            CaseState.IN_REVIEW,
            CaseState.FAILED,
        ]
        # From the few open cases, not from everything that ever came.
        open_series = sa.select(case.c.series_instance_uid).where(
            case.c.state.in_(open_states), ~is_touched(case.c.id)
        )
        counted = (
            sa.select(
                instance.c.series_instance_uid,
                sa.func.count().label("n"),
                sa.func.max(instance.c.received_at).label("last"),
                sa.func.max(instance.c.header["expected_count"].as_integer()).label("announced"),
            )
            .where(
                instance.c.series_instance_uid.in_(open_series),
                instance.c.modality == PLANNING_MODALITY,
                instance.c.kept_aside.is_(False),
            )
            .group_by(instance.c.series_instance_uid)
            .subquery()
        )
        query = (
            sa.select(case.c.id, case.c.series_instance_uid, counted.c.n)
            .join(counted, counted.c.series_instance_uid == case.c.series_instance_uid)
            .where(
                case.c.assembled_count != counted.c.n,
                (counted.c.last <= quiet_since) | (counted.c.n == counted.c.announced),
            )
        )
        with reading(self._engine) as connection:
            return [(r[0], r[1], r[2]) for r in connection.execute(query)]

    def counts_by_series(self, series: Sequence[str]) -> dict[str, int]:
        """How many instances each series has."""
        query = (
            sa.select(instance.c.series_instance_uid, sa.func.count())
            .where(instance.c.series_instance_uid.in_(series), instance.c.kept_aside.is_(False))
            .group_by(instance.c.series_instance_uid)
        )
        with reading(self._engine) as connection:
            return {r[0]: r[1] for r in connection.execute(query)}

    def to_attach(self) -> list[tuple[str, Instance]]:
        """(case id, instance) of doses, structure sets and plans not yet joined to their case.

        Joined by Frame of Reference within an assembled case; an RTPLAN, which may carry none,
        by its study. A structure set of ours that was edited in the TPS and kept its SOP Instance
        UID is kept aside, because the UID was taken: it joins the case it was delivered for.
        """
        ours = sa.exists().where(
            delivery.c.case_id == case.c.id,
            delivery.c.sop_instance_uid == instance.c.sop_instance_uid,
        )
        same_space = instance.c.frame_of_reference_uid == case.c.frame_of_reference_uid
        plan_of_study = (
            (instance.c.modality == "RTPLAN")
            & instance.c.frame_of_reference_uid.is_(None)
            & (instance.c.study_instance_uid == case.c.study_instance_uid)
        )
        joined = sa.exists().where(
            attachment.c.case_id == case.c.id, attachment.c.instance_id == instance.c.id
        )
        query = (
            sa.select(case.c.id.label("joined_case"), *instance.c)
            .join(case, same_space | plan_of_study)
            .where(
                instance.c.modality.in_(["RTDOSE", "RTSTRUCT", "RTPLAN"]),
                instance.c.kept_aside.is_(False) | ((instance.c.modality == "RTSTRUCT") & ours),
                case.c.assembly.is_not(None),
                ~joined,
            )
            .order_by(instance.c.id)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [(row["joined_case"], to_instance(row)) for row in rows]

    def attach(
        self,
        current: Case,
        instance_id: int,
        *,
        kind: str,
        note: str,
        now: datetime,
        detail: dict[str, Any] | None = None,
    ) -> bool:
        """Join an instance to a case; twice is the same as once.

        `detail` says what a dose is the dose of, or what a plan says (see core.dose_store). False,
        and nothing is joined, when the case was assembled anew in between: what was made for it
        lies on an older volume.
        """
        with writing(self._engine) as connection:
            assembly = connection.scalar(sa.select(case.c.assembly).where(case.c.id == current.id))
            if assembly != current.assembly:
                return False
            same = (attachment.c.case_id == current.id) & (attachment.c.instance_id == instance_id)
            if connection.execute(sa.select(attachment.c.kind).where(same)).first() is None:
                connection.execute(
                    sa.insert(attachment).values(
                        case_id=current.id,
                        instance_id=instance_id,
                        kind=kind,
                        note=note,
                        detail=detail,
                        attached_at=now,
                    )
                )
            return True

    def attached(self, case_id: str, *, kind: str) -> list[Instance]:
        """What joined a case, oldest first; `kind` is dose, structure_set or plan."""
        return self._all(
            sa.select(instance)
            .join(attachment, attachment.c.instance_id == instance.c.id)
            .where(attachment.c.case_id == case_id, attachment.c.kind == kind)
            .order_by(instance.c.id)
        )

    def reference_of(self, case_id: str, roi_name: str) -> Instance | None:
        """The newest structure set of the TPS that holds a contour of this structure."""
        named = (attachment.c.kind == STRUCTURE_SET) & (attachment.c.note == roi_name)
        found = self._all(
            sa.select(instance)
            .join(attachment, attachment.c.instance_id == instance.c.id)
            .where(attachment.c.case_id == case_id, named)
            .order_by(instance.c.id)
        )
        return found[-1] if found else None

    def _all(self, query: sa.Select[Any]) -> list[Instance]:
        with reading(self._engine) as connection:
            return [to_instance(row) for row in connection.execute(query).mappings()]


def is_joined() -> sa.Exists:
    """Whether an instance joined a case."""
    return sa.exists().where(attachment.c.instance_id == instance.c.id)


def _added(connection: sa.Connection, new: Instance) -> Instance:
    """The row of `new`: made, or found."""
    header = new.header
    rows = connection.execute(_SAME_UID, {"uid": header.sop_instance_uid}).all()
    for row in rows:
        if row.sha256 == new.sha256:
            return _known_sender(connection, row.id, new.calling_ae_title)
    # Two associations may bring different objects under one UID at once: here only one of them
    # can be the first.
    aside = new.kept_aside or any(not row.kept_aside for row in rows)
    values = {name: getattr(header, name) for name in _HEADER_COLUMNS} | {
        "header": {name: getattr(header, name) for name in _HEADER_FIELDS},
        "path": new.path,
        "sha256": new.sha256,
        "size_bytes": new.size_bytes,
        "calling_ae_title": new.calling_ae_title,
        "received_at": new.received_at,
        "kept_aside": aside,
    }
    added = connection.execute(_INSERT, values)
    if header.modality == PLANNING_MODALITY and not aside:
        _open_case(connection, header, new.received_at)
    (row_id,) = added.inserted_primary_key or (0,)  # an insert of one row has it
    return replace(new, id=row_id, kept_aside=aside)


def _known_sender(connection: sa.Connection, row_id: int, calling_ae_title: str) -> Instance:
    by_id = instance.c.id == row_id
    connection.execute(
        sa.update(instance)
        .where(by_id, instance.c.calling_ae_title == RECOVERED)
        .values(calling_ae_title=calling_ae_title)
    )
    return to_instance(connection.execute(sa.select(instance).where(by_id)).mappings().one())


def _open_case(connection: sa.Connection, header: InstanceHeader, now: datetime) -> None:
    known = connection.execute(_CASE_OF_SERIES, {"series": header.series_instance_uid})
    if known.first() is not None:
        return
    connection.execute(
        sa.insert(case).values(
            id=uuid.uuid4().hex,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=header.study_instance_uid,
            patient_id=header.patient_id,
            patient_name=header.patient_name,
            patient_birth_date=header.patient_birth_date,
            study_date=header.study_date,
            description=header.series_description or header.study_description,
            state=CaseState.RECEIVING,
            reason="",
            assembled_count=0,
            created_at=now,
            updated_at=now,
        )
    )


def to_instance(row: sa.RowMapping) -> Instance:
    """The record of a row."""
    # A row of a newer version may carry more than we know.
    known = {f.name for f in fields(InstanceHeader)}
    header = {name: value for name, value in row["header"].items() if name in known}
    header["referenced_uids"] = tuple(header["referenced_uids"])
    return Instance(
        id=row["id"],
        header=InstanceHeader(**header),
        path=row["path"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        calling_ae_title=row["calling_ae_title"],
        received_at=row["received_at"],
        kept_aside=row["kept_aside"],
    )
