"""A review: lock, journal, approval."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import as_shown, fetch_case, move
from core.database import reading, writing
from core.errors import CaseLockedError, JournalConflictError
from core.records import IMPORTED, MANUAL, REVIEWED, Case, Correction, JournalEntry
from core.rules import is_under_review, structure_under_review
from core.splits import assign_split
from core.tables import case, correction, delivery, journal, prediction, review
from core.tables import review_lock as lock
from core.touched import is_touched


class ReviewStore:
    """Rows that a review leaves behind."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def open(  # noqa: PLR0913 (who, where and when)
        self,
        case_id: str,
        roi_name: str,
        *,
        who: str,
        tab: str,
        now: datetime,
        lock_s: float,
        take_over: bool = False,
    ) -> Case:
        """Take the lock, also from a tab of the same reviewer; start from the newest prediction.

        The first stroke fixes the prediction that is corrected: a case that was only looked at
        still gets what the model proposes later. A case in the arm MANUAL starts from nothing.

        Raises `CaseLockedError` naming whose the case is, unless `take_over` asks for it.
        """
        with writing(self._engine) as connection:
            require_under_review(connection, case_id, roi_name)
            current = fetch_case(connection, case_id)
            held = connection.execute(sa.select(lock).where(lock.c.case_id == case_id)).first()
            other = somebody_else(connection, current, held, who=who, now=now)
            if other and not take_over:
                raise CaseLockedError(other.sentence)
            if other:
                connection.execute(
                    sa.update(case).where(case.c.id == case_id).values(assigned_to=who)
                )
                audit.record(
                    connection,
                    who=who,
                    event="case.taken_over",
                    now=now,
                    case_id=case_id,
                    before=other.name,
                    after=who,
                )
            if held is not None and held.tab != tab and held.holder == who:
                audit.record(connection, who=who, event="lock.moved", now=now, case_id=case_id)
            connection.execute(sa.delete(lock).where(lock.c.case_id == case_id))
            expires = now + timedelta(seconds=lock_s)
            connection.execute(
                sa.insert(lock).values(case_id=case_id, holder=who, tab=tab, expires_at=expires)
            )
            if current.state in {CaseState.ASSEMBLED, CaseState.PREDICTED}:
                move(connection, case_id, CaseState.IN_REVIEW, who=who, now=now)
            touched = connection.execute(sa.select(is_touched(case_id, roi_name))).scalar_one()
            if fetch_case(connection, case_id).state is CaseState.IN_REVIEW and not touched:
                newest = (
                    None
                    if current.arm == MANUAL
                    else connection.scalar(
                        sa.select(prediction.c.id)
                        .where(
                            prediction.c.case_id == case_id,
                            prediction.c.roi_name == roi_name,
                            prediction.c.assembly == (current.assembly or ""),
                        )
                        .order_by(*as_shown())
                        .limit(1)
                    )
                )
                same = (review.c.case_id == case_id) & (review.c.roi_name == roi_name)
                connection.execute(sa.delete(review).where(same))
                connection.execute(
                    sa.insert(review).values(
                        case_id=case_id,
                        roi_name=roi_name,
                        prediction_id=newest,
                        opened_by=who,
                        opened_at=now,
                    )
                )
            return fetch_case(connection, case_id)

    def release(self, case_id: str, *, who: str, tab: str) -> None:
        """Give the lock back, if this tab of this reviewer holds it."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.delete(lock).where(
                    lock.c.case_id == case_id, lock.c.holder == who, lock.c.tab == tab
                )
            )

    def renew(self, case_id: str, *, who: str, tab: str, now: datetime, lock_s: float) -> None:
        """Make the lock of this tab last; it is taken from nobody.

        Raises `CaseLockedError` unless this tab still holds the case.
        """
        with writing(self._engine) as connection:
            require_lock(connection, case_id, who=who, tab=tab)
            connection.execute(
                sa.update(lock)
                .where(lock.c.case_id == case_id)
                .values(expires_at=now + timedelta(seconds=lock_s))
            )

    def holder(self, case_id: str, *, now: datetime) -> tuple[str, str] | None:
        """(reviewer, tab) that holds the case, or None."""
        query = sa.select(lock.c.holder, lock.c.tab).where(
            lock.c.case_id == case_id, lock.c.expires_at > now
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.holder, row.tab)

    def owner(self, current: Case) -> str | None:
        """Whose a case is: who it was passed on to or who asked for it, else who painted last."""
        with reading(self._engine) as connection:
            return _owner(connection, current)

    def holders(self, *, now: datetime) -> dict[str, str]:
        """Who holds which case: reviewer by case id."""
        query = sa.select(lock.c.case_id, lock.c.holder).where(lock.c.expires_at > now)
        with reading(self._engine) as connection:
            return {row.case_id: row.holder for row in connection.execute(query)}

    def base_prediction(self, case_id: str, roi_name: str) -> str | None:
        """Id of the prediction the review started from; None when there was none."""
        query = sa.select(review.c.prediction_id).where(
            review.c.case_id == case_id, review.c.roi_name == roi_name
        )
        with reading(self._engine) as connection:
            return connection.scalar(query)

    def entries(
        self, case_id: str, roi_name: str, *, after: int = 0, up_to: int | None = None
    ) -> list[JournalEntry]:
        """The journal of a review, in order; the part after one entry and up to another."""
        query = (
            sa.select(journal.c.seq, journal.c.kind, journal.c.payload)
            .where(
                journal.c.case_id == case_id,
                journal.c.roi_name == roi_name,
                journal.c.seq > after,
            )
            .order_by(journal.c.seq)
        )
        if up_to is not None:
            query = query.where(journal.c.seq <= up_to)
        with reading(self._engine) as connection:
            return [JournalEntry(r.seq, r.kind, r.payload) for r in connection.execute(query)]

    def stroke_counts(self, roi_name: str) -> dict[str, int]:
        """How many strokes were made on each case, undone ones among them."""
        query = (
            sa.select(journal.c.case_id, sa.func.count())
            .where(journal.c.roi_name == roi_name, journal.c.kind == "stroke")
            .group_by(journal.c.case_id)
        )
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def last_seq(self, case_id: str, roi_name: str) -> int:
        """Number of the newest entry; 0 when nothing was painted."""
        with reading(self._engine) as connection:
            return last_seq(connection, case_id, roi_name)

    def append(
        self,
        case_id: str,
        roi_name: str,
        entry: JournalEntry,
        *,
        who: str,
        tab: str,
        now: datetime,
    ) -> None:
        """Add the next entry, durable on return; the same entry twice is the same as once.

        Raises `CaseLockedError` unless this tab holds the case, `JournalConflictError` when the
        entry leaves a gap or contradicts one that is kept.
        """
        with writing(self._engine) as connection:
            require_lock(connection, case_id, who=who, tab=tab)
            require_under_review(connection, case_id, roi_name)
            same = connection.execute(
                sa.select(journal.c.kind, journal.c.payload).where(
                    journal.c.case_id == case_id,
                    journal.c.roi_name == roi_name,
                    journal.c.seq == entry.seq,
                )
            ).first()
            if same is not None:
                if (same.kind, same.payload) != (entry.kind, entry.payload):
                    raise JournalConflictError(
                        f"Journal entry {entry.seq} is already kept with other content. Reload."
                    )
                return
            expected = last_seq(connection, case_id, roi_name) + 1
            if entry.seq != expected:
                raise JournalConflictError(
                    f"The next journal entry is {expected}; {entry.seq} came. Reload the page."
                )
            if fetch_case(connection, case_id).state is not CaseState.IN_REVIEW:
                raise CaseLockedError("The case is no longer under review; nothing was changed.")
            connection.execute(
                sa.insert(journal).values(
                    case_id=case_id,
                    roi_name=roi_name,
                    seq=entry.seq,
                    kind=entry.kind,
                    payload=entry.payload,
                    made_by=who,
                    received_at=now,
                )
            )

    def approve(
        self,
        made: Correction,
        *,
        tab: str,
        destinations: Sequence[str],
        now: datetime,
        hold_s: float = 0.0,
    ) -> Correction:
        """Approve a structure: correction, split, deliveries, state and audit in one transaction.

        Nothing leaves before `hold_s` have passed.

        The mask file must be durable before. Raises `JournalConflictError` when a stroke came in
        between, `TransitionError` when the case is not under review.
        """
        with writing(self._engine) as connection:
            require_lock(connection, made.case_id, who=made.approved_by, tab=tab)
            require_under_review(connection, made.case_id, made.roi_name)
            last = last_seq(connection, made.case_id, made.roi_name)
            if last != made.journal_seq:
                raise JournalConflictError(
                    f"The journal holds {last} entries, the approval names {made.journal_seq}. "
                    "Reload the page and look again."
                )
            move(
                connection,
                made.case_id,
                CaseState.APPROVED,
                who=made.approved_by,
                now=now,
                correction=made.id,
                roi_name=made.roi_name,
                mask=made.mask_digest,
            )
            values = {name: getattr(made, name) for name in correction.c.keys()}  # noqa: SIM118
            values["slices_seen"] = list(made.slices_seen)
            connection.execute(sa.insert(correction).values(**values))
            assign_split(connection, made.case_id, made.roi_name)
            for destination in destinations:
                connection.execute(
                    sa.insert(delivery).values(
                        id=uuid.uuid4().hex,
                        case_id=made.case_id,
                        correction_id=made.id,
                        destination=destination,
                        state="QUEUED",
                        attempts=0,
                        last_error="",
                        created_at=now,
                        next_try_at=now + timedelta(seconds=hold_s),
                    )
                )
            connection.execute(sa.delete(lock).where(lock.c.case_id == made.case_id))
        return made

    def correction_of(self, case_id: str, roi_name: str) -> Correction | None:
        """What was approved on the review page and delivered, or None."""
        query = (
            sa.select(correction)
            .where(
                correction.c.case_id == case_id,
                correction.c.roi_name == roi_name,
                correction.c.origin == REVIEWED,
            )
            .order_by(correction.c.approved_at.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else to_correction(row)

    def correction(self, correction_id: str) -> Correction:
        """The correction with this id."""
        query = sa.select(correction).where(correction.c.id == correction_id)
        with reading(self._engine) as connection:
            return to_correction(connection.execute(query).mappings().one())


def require_lock(connection: sa.Connection, case_id: str, *, who: str, tab: str) -> None:
    """Raise `CaseLockedError` unless this tab of this reviewer has the case."""
    held = connection.execute(sa.select(lock).where(lock.c.case_id == case_id)).first()
    # An expired lock that nobody took since is still ours: a laptop may have slept.
    if held is None:
        raise CaseLockedError("This page does not have the case any more.")
    if held.holder != who:
        raise CaseLockedError(f"{held.holder} has taken this case over.")
    if held.tab != tab:
        raise CaseLockedError("You went on with this case in another tab.")


def require_under_review(connection: sa.Connection, case_id: str, roi_name: str) -> None:
    """Raise `JournalConflictError` where another structure of the case is reviewed now."""
    current = fetch_case(connection, case_id)
    if not is_under_review(current, roi_name):
        raise JournalConflictError(
            f"This case was turned to {structure_under_review(current, roi_name)}; nothing was "
            f"changed of {roi_name}. Reload the page."
        )


def newest_correction(of: sa.Table) -> sa.Select[tuple[str]]:
    """Id of what was approved last for the case, structure and volume of a row of `of`."""
    return (
        sa.select(correction.c.id)
        .where(
            correction.c.case_id == of.c.case_id,
            correction.c.roi_name == of.c.roi_name,
            correction.c.assembly == of.c.assembly,
            correction.c.origin != IMPORTED,  # nobody approved it
        )
        .order_by(correction.c.approved_at.desc(), correction.c.id.desc())
        .limit(1)
    )


def to_correction(row: Mapping[Any, Any]) -> Correction:
    """A row as the record."""
    return Correction(**{**row, "slices_seen": tuple(row["slices_seen"])})


@dataclass(frozen=True, slots=True)
class Other:
    """Who has a case, and what to say of it."""

    name: str
    sentence: str


def somebody_else(
    connection: sa.Connection, current: Case, held: Any, *, who: str, now: datetime
) -> Other | None:
    """Who else has the case open, or else began it; None where it is free or ours."""
    if held is not None and held.expires_at > now:
        sentence = f"{held.holder} is reviewing this case now."
        return None if held.holder == who else Other(held.holder, sentence)
    owner = _owner(connection, current)
    if owner is None or owner == who:
        return None
    return Other(owner, f"This case is {owner}'s. Ask to edit it first.")


def _owner(connection: sa.Connection, current: Case) -> str | None:
    if current.assigned_to is not None:
        return current.assigned_to
    last = (
        sa.select(journal.c.made_by)
        .where(journal.c.case_id == current.id)
        .order_by(journal.c.id.desc())
        .limit(1)
    )
    return connection.scalar(last)


def last_seq(connection: sa.Connection, case_id: str, roi_name: str) -> int:
    """Number of the newest entry of a journal; 0 when nothing was painted."""
    query = sa.select(sa.func.max(journal.c.seq)).where(
        journal.c.case_id == case_id, journal.c.roi_name == roi_name
    )
    return connection.scalar(query) or 0
