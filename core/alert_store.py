"""What is wrong with the node: since when, until when, and whether it was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.database import reading, writing
from core.people_tables import alert, alert_notice

FAILURE, RECOVERY = "failure", "recovery"
SETTLED = timedelta(seconds=60)
"""What comes again before it was away for so long never was over: it is not told anew."""


@dataclass(frozen=True, slots=True)
class Alert:
    """`subject` names what it is about, as delivery:TPS; `words` is a sentence, of no patient."""

    id: int
    subject: str
    words: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """That an alert began (`FAILURE`) or ended (`RECOVERY`), to be told on one channel."""

    id: int
    kind: str
    channel: str
    attempts: int
    last_error: str
    alert: Alert


class AlertStore:
    """Alerts; each begins once and ends once, however often it is looked."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def note(
        self, standing: Mapping[str, str], *, channels: Collection[str], now: datetime
    ) -> None:
        """Keep what is wrong now, words by subject; begin and end alerts, and have both told."""
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyhow
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7405)"))
            known = {row.subject: row for row in connection.execute(_open())}
            for subject, words in standing.items():
                if subject in known:
                    mine = alert.c.id == known[subject].id
                    seen = sa.update(alert).where(mine).values(seen_at=now, words=words)
                    connection.execute(seen)
                    continue
                new = {"subject": subject, "words": words, "began_at": now, "seen_at": now}
                made = connection.execute(sa.insert(alert).values(**new))
                (alert_id,) = made.inserted_primary_key or (None,)
                _tell(connection, alert_id, FAILURE, channels, now)
            for subject, row in known.items():
                if subject not in standing and row.seen_at <= now - SETTLED:
                    over = sa.update(alert).where(alert.c.id == row.id).values(ended_at=now)
                    connection.execute(over)
                    _tell(connection, row.id, RECOVERY, channels, now)

    def open(self) -> list[Alert]:
        """What is wrong now, the oldest first."""
        with reading(self._engine) as connection:
            return [Alert(**row) for row in connection.execute(_open()).mappings()]

    def untold(self) -> list[Notice]:
        """What could not be told at the last try, the oldest first."""
        return self._notices(alert_notice.c.attempts > 0)

    def due(self, channels: Collection[str], *, now: datetime) -> list[Notice]:
        """What is to be told now on one of these channels: an end never before its beginning."""
        earlier = alert_notice.alias()
        first = sa.exists().where(
            earlier.c.alert_id == alert_notice.c.alert_id,
            earlier.c.channel == alert_notice.c.channel,
            earlier.c.id < alert_notice.c.id,
            earlier.c.sent_at.is_(None),
        )
        time_has_come = alert_notice.c.next_try_at <= now
        return self._notices(alert_notice.c.channel.in_(channels) & time_has_come & ~first)

    def waiting(self, notice_id: int) -> Notice | None:
        """A notice that is still to be sent; None where it was."""
        return next(iter(self._notices(alert_notice.c.id == notice_id)), None)

    def sent(self, notice_id: int, *, now: datetime) -> None:
        """It was told."""
        self._put(notice_id, sent_at=now, last_error="")

    def failed(self, notice: Notice, *, error: str, next_try_at: datetime) -> None:
        """It could not be told; try again then."""
        self._put(
            notice.id, attempts=notice.attempts + 1, last_error=error, next_try_at=next_try_at
        )

    def _put(self, notice_id: int, **values: object) -> None:
        with writing(self._engine) as connection:
            mine = alert_notice.c.id == notice_id
            connection.execute(sa.update(alert_notice).where(mine).values(**values))

    def _notices(self, which: sa.ColumnElement[bool]) -> list[Notice]:
        query = (
            sa.select(alert_notice, *(column.label(f"of_{column.name}") for column in alert.c))
            .join(alert, alert.c.id == alert_notice.c.alert_id)
            .where(which, alert_notice.c.sent_at.is_(None))
            .order_by(alert_notice.c.id)
        )
        with reading(self._engine) as connection:
            return [_to_notice(row) for row in connection.execute(query).mappings()]


def _open() -> sa.Select[tuple[object, ...]]:
    return sa.select(alert).where(alert.c.ended_at.is_(None)).order_by(alert.c.id)


def _tell(
    connection: sa.Connection,
    alert_id: int | None,
    kind: str,
    channels: Collection[str],
    now: datetime,
) -> None:
    for channel in channels:
        values = {"alert_id": alert_id, "kind": kind, "channel": channel, "next_try_at": now}
        new = sa.insert(alert_notice).values(**values, attempts=0, last_error="")
        connection.execute(new)


def _to_notice(row: sa.RowMapping) -> Notice:
    about = Alert(**{column.name: row[f"of_{column.name}"] for column in alert.c})
    mine = {name: row[name] for name in ("id", "kind", "channel", "attempts", "last_error")}
    return Notice(**mine, alert=about)
