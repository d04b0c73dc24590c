"""What was set aside because it cannot be read: refused bytes, and kept instances that break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import NODE
from core.database import reading, writing
from core.records import Instance
from core.tables import attachment, case, instance, quarantine

LONGEST_REASON = 2_000

_DAMAGED = sa.select(quarantine.c.instance_id).where(quarantine.c.instance_id.is_not(None))
_newer = instance.alias("newer")
# (damaged instance, the newest other object under its UID that was not found damaged, series)
_REPLACEMENTS = (
    sa.select(instance.c.id, sa.func.max(_newer.c.id), instance.c.series_instance_uid)
    .join(
        _newer,
        (_newer.c.sop_instance_uid == instance.c.sop_instance_uid)
        & (_newer.c.series_instance_uid == instance.c.series_instance_uid)
        & (_newer.c.sop_class_uid == instance.c.sop_class_uid)
        & _newer.c.kept_aside.is_(True),
    )
    .where(
        instance.c.kept_aside.is_(False),
        instance.c.id.in_(_DAMAGED),
        _newer.c.id.not_in(_DAMAGED),
    )
    .group_by(instance.c.id, instance.c.series_instance_uid)
)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One object that is not used; `path` is relative to the data folder.

    `instance_id` is None for what was refused when it came: then the file belongs to the
    quarantine. Otherwise it is a kept instance that could not be read later, and stays one.
    """

    id: int
    path: str
    sha256: str
    size_bytes: int
    calling_ae_title: str
    instance_id: int | None
    reason: str
    quarantined_at: datetime


class QuarantineStore:
    """Rows about what is set aside. Every entry, and what people do with it, is audited."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def refused(
        self,
        *,
        path: str,
        sha256: str,
        size_bytes: int,
        calling_ae_title: str,
        reason: str,
        now: datetime,
    ) -> None:
        """Record bytes that were refused; the same bytes again only renew their row."""
        self._set_aside(
            path=path,
            sha256=sha256,
            size_bytes=size_bytes,
            calling_ae_title=calling_ae_title,
            instance_id=None,
            reason=reason,
            now=now,
        )

    def damaged(self, found: Instance, *, reason: str, now: datetime) -> None:
        """Record a kept instance that cannot be read; again only renews its row."""
        self._set_aside(
            path=found.path,
            sha256=found.sha256,
            size_bytes=found.size_bytes,
            calling_ae_title=found.calling_ae_title,
            instance_id=found.id,
            reason=reason,
            now=now,
        )

    def read_after_all(self, instance_ids: Sequence[int], *, now: datetime) -> None:
        """Take kept instances off the list: they could be read now."""
        mine = quarantine.c.instance_id.in_(instance_ids)
        with reading(self._engine) as connection:
            if connection.execute(sa.select(quarantine.c.id).where(mine)).first() is None:
                return
        with writing(self._engine) as connection:
            rows = connection.execute(sa.select(quarantine).where(mine)).mappings().all()
            connection.execute(sa.delete(quarantine).where(mine))
            for row in rows:
                _record(connection, Quarantined(**row), "quarantine.read", who=NODE, now=now)

    def all(self) -> list[Quarantined]:
        """Everything that is set aside, the newest first."""
        newest = (quarantine.c.quarantined_at.desc(), quarantine.c.id.desc())
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(quarantine).order_by(*newest)).mappings().all()
        return [Quarantined(**row) for row in rows]

    def find(self, quarantine_id: int) -> Quarantined | None:
        """The row with this id, where there still is one."""
        query = sa.select(quarantine).where(quarantine.c.id == quarantine_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Quarantined(**row)

    def count(self) -> int:
        """How many objects are set aside."""
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(quarantine)) or 0

    def take_oldest(self, *, most_objects: int, most_bytes: int, now: datetime) -> Sequence[str]:
        """Forget the oldest refused objects beyond the bounds; returns the paths of their files."""
        newest = sa.select(quarantine.c.id, quarantine.c.path, quarantine.c.size_bytes).where(
            quarantine.c.instance_id.is_(None)
        )
        order = (quarantine.c.quarantined_at.desc(), quarantine.c.id.desc())
        over: list[tuple[int, str]] = []
        with writing(self._engine) as connection:
            total = 0
            for number, row in enumerate(connection.execute(newest.order_by(*order)), start=1):
                total += row.size_bytes
                if number > most_objects or total > most_bytes:
                    over.append((row.id, row.path))
            for row_id, _ in over:
                connection.execute(sa.delete(quarantine).where(quarantine.c.id == row_id))
            if over:
                audit.record(
                    connection,
                    who=NODE,
                    event="quarantine.oldest_removed",
                    now=now,
                    objects=len(over),
                )
        return [path for _, path in over]

    def remove(self, found: Quarantined, *, who: str, now: datetime) -> bool:
        """Take an object off the list; False where somebody has already."""
        with writing(self._engine) as connection:
            gone = connection.execute(sa.delete(quarantine).where(quarantine.c.id == found.id))
            if gone.rowcount:
                _record(connection, found, "quarantine.removed", who=who, now=now)
            return bool(gone.rowcount)

    def downloaded(self, found: Quarantined, *, who: str, now: datetime) -> None:
        """Write down who took a copy."""
        with writing(self._engine) as connection:
            _record(connection, found, "quarantine.downloaded", who=who, now=now)

    def put_replacements_in_use(self, *, now: datetime) -> int:
        """Use what came again under the UID of a damaged instance, and try its case again.

        The sender was asked to send it again, and a UID that is taken sets an object aside. Only
        another object of the same series and class takes the place of one that was never read.
        Returns how many did.
        """
        with reading(self._engine) as connection:
            if connection.execute(_REPLACEMENTS).first() is None:
                return 0  # asked often, and nearly always so: no lock for it
        with writing(self._engine) as connection:
            pairs = connection.execute(_REPLACEMENTS).all()
            for damaged_id, newer_id, series in pairs:
                for row_id, aside in ((damaged_id, True), (newer_id, False)):
                    mine = instance.c.id == row_id
                    connection.execute(sa.update(instance).where(mine).values(kept_aside=aside))
                connection.execute(
                    sa.delete(attachment).where(attachment.c.instance_id == damaged_id)
                )
                failed = (case.c.series_instance_uid == series) & (case.c.state == CaseState.FAILED)
                connection.execute(sa.update(case).where(failed).values(assembled_count=0))
                audit.record(
                    connection,
                    who=NODE,
                    event="instance.replaced",
                    now=now,
                    before=damaged_id,
                    after=newer_id,
                )
        return len(pairs)

    def _set_aside(self, *, reason: str, now: datetime, **values: Any) -> None:
        values |= {"reason": reason[:LONGEST_REASON], "quarantined_at": now}
        same = quarantine.c.sha256 == values["sha256"]
        with writing(self._engine) as connection:
            changed = connection.execute(sa.update(quarantine).where(same).values(**values))
            if not changed.rowcount:
                connection.execute(sa.insert(quarantine).values(**values))
            row = connection.execute(sa.select(quarantine).where(same)).mappings().one()
            _record(
                connection,
                Quarantined(**row),
                "quarantine.entered",
                who=NODE,
                now=now,
                reason=row["reason"],
            )


def _record(
    connection: sa.Connection,
    found: Quarantined,
    event: str,
    *,
    who: str,
    now: datetime,
    **detail: Any,
) -> None:
    audit.record(
        connection,
        who=who,
        event=event,
        now=now,
        sha256=found.sha256,
        calling_ae_title=found.calling_ae_title,
        instance_id=found.instance_id,
        **detail,
    )
