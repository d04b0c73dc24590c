"""Second observers: contours kept apart, and whom a case is hidden from until they sign."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import fetch_case
from core.database import reading, writing
from core.errors import CaseLockedError, JournalConflictError, NoSuchCaseError, TransitionError
from core.people_tables import case_look
from core.records import JournalEntry, Observation
from core.tables import (
    case,
    correction,
    interaction,
    journal,
    observation,
    observation_entry,
    review,
    review_lock,
)

_NO_SUCH = "There is no such observation of yours. Open it from the worklist."
_WITHDRAWN = (
    "This observation was withdrawn: your contour is not asked for any more. Open the case from "
    "the worklist."
)


class ObservationStore:
    """Observations with their journals. Nothing that delivers or learns reads these tables."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def assign(
        self, case_id: str, roi_name: str, observer: str, *, who: str, now: datetime
    ) -> Observation:
        """Ask somebody to contour a case independently. From now on the case is hidden from them.

        Raises `TransitionError` where the case has no volume, and for somebody who was shown
        anything of the case already, or has been asked before.
        """
        with writing(self._engine) as connection:
            current = fetch_case(connection, case_id)
            if current.assembly is None or current.state is CaseState.FAILED:
                raise TransitionError("The case has no volume yet. Wait until it can be opened.")
            if connection.execute(sa.select(_has_seen(case_id, observer))).scalar_one():
                raise TransitionError(
                    f"{observer} has looked at this case already, or was asked before: a second "
                    "observer must not have seen it. Ask somebody else."
                )
            made = Observation(
                id=uuid.uuid4().hex,
                case_id=case_id,
                roi_name=roi_name,
                assembly=current.assembly,
                observer=observer,
                assigned_by=who,
                assigned_at=now,
            )
            values = {name: getattr(made, name) for name in observation.c.keys()}  # noqa: SIM118
            connection.execute(sa.insert(observation).values(**values))
            audit.record(
                connection,
                who=who,
                event="observer.asked",
                now=now,
                case_id=case_id,
                observer=observer,
                before=None,
                after="asked",
            )
            return made

    def mine(self, observation_id: str, *, who: str) -> Observation:
        """An observation of this observer; `NoSuchCaseError` for everybody else.

        Raises `CaseLockedError` where it was withdrawn.
        """
        query = sa.select(observation).where(
            observation.c.id == observation_id, observation.c.observer == who
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NoSuchCaseError(_NO_SUCH)
        if row["withdrawn_at"] is not None:
            raise CaseLockedError(_WITHDRAWN)
        return Observation(**row)

    def withdraw(self, observation_id: str, *, who: str, now: datetime) -> Observation:
        """Ask for it no more: the case is shown to its observer again; audited.

        What was contoured stays, and counts nowhere. Raises `TransitionError` for what is signed or
        withdrawn.
        """
        with writing(self._engine) as connection:
            query = sa.select(observation).where(observation.c.id == observation_id)
            row = connection.execute(query).mappings().first()
            if row is None:
                raise NoSuchCaseError("There is no such observation. Reload the page.")
            if row["signed_at"] is not None or row["withdrawn_at"] is not None:
                raise TransitionError(
                    "Only what waits to be signed can be withdrawn. Reload the page."
                )
            changed = sa.update(observation).where(observation.c.id == observation_id)
            connection.execute(changed.values(withdrawn_at=now))
            audit.record(
                connection,
                who=who,
                event="observer.withdrawn",
                now=now,
                case_id=row["case_id"],
                observer=row["observer"],
                before="asked",
                after="withdrawn",
            )
        return Observation(**{**row, "withdrawn_at": now})

    def unsigned_of(self, who: str) -> list[Observation]:
        """What somebody was asked for and has not signed, the oldest first."""
        return self._all((observation.c.observer == who) & is_asked_for())

    def of_case(self, case_id: str) -> list[Observation]:
        """Every observation of a case, the oldest first."""
        return self._all(observation.c.case_id == case_id)

    def take(self, observation_id: str, *, who: str, tab: str) -> Observation:
        """Go on with it in this tab; the tab of before may write no more.

        Raises `CaseLockedError` where the CT has changed under what was contoured.
        """
        found = self.mine(observation_id, who=who)
        with writing(self._engine) as connection:
            current = fetch_case(connection, found.case_id)
            begun = _last_seq(connection, observation_id) > 0
            if found.assembly != current.assembly and begun:
                raise CaseLockedError(
                    "Slices came late and changed the CT of this case. Ask a "
                    "physicist to withdraw this observation."
                )
            connection.execute(
                sa.update(observation)
                .where(observation.c.id == observation_id, observation.c.signed_at.is_(None))
                .values(tab=tab, assembly=current.assembly)
            )
        return self.mine(observation_id, who=who)

    def entries(self, observation_id: str) -> list[JournalEntry]:
        """The journal in order."""
        query = (
            sa.select(observation_entry)
            .where(observation_entry.c.observation_id == observation_id)
            .order_by(observation_entry.c.seq)
        )
        with reading(self._engine) as connection:
            return [JournalEntry(r.seq, r.kind, r.payload) for r in connection.execute(query)]

    def append(
        self, observation_id: str, entry: JournalEntry, *, who: str, tab: str, now: datetime
    ) -> None:
        """Add the next entry, durable on return; the same twice counts once.

        Raises `CaseLockedError` unless this tab has it unsigned, `JournalConflictError` for a gap
        or a contradiction.
        """
        with writing(self._engine) as connection:
            _require_tab(connection, observation_id, who=who, tab=tab)
            last = _last_seq(connection, observation_id)
            same = connection.execute(
                sa.select(observation_entry.c.kind, observation_entry.c.payload).where(
                    observation_entry.c.observation_id == observation_id,
                    observation_entry.c.seq == entry.seq,
                )
            ).first()
            if same is not None and (same.kind, same.payload) == (entry.kind, entry.payload):
                return
            if entry.seq != last + 1:
                raise JournalConflictError(
                    f"The next journal entry is {last + 1}; {entry.seq} came. Reload the page."
                )
            connection.execute(
                sa.insert(observation_entry).values(
                    observation_id=observation_id,
                    seq=entry.seq,
                    kind=entry.kind,
                    payload=entry.payload,
                    received_at=now,
                )
            )

    def sign(
        self, observation_id: str, *, who: str, tab: str, seq: int, digest: str, now: datetime
    ) -> None:
        """Fix the contour for ever, and show the case to its observer again; audited.

        The mask file must be durable before. Raises `JournalConflictError` when a stroke came in
        between.
        """
        with writing(self._engine) as connection:
            found = _require_tab(connection, observation_id, who=who, tab=tab)
            if _last_seq(connection, observation_id) != seq:
                raise JournalConflictError("The journal has gone on. Reload and look again.")
            connection.execute(
                sa.update(observation)
                .where(observation.c.id == observation_id)
                .values(signed_at=now, mask_digest=digest)
            )
            audit.record(
                connection,
                who=who,
                event="observer.signed",
                now=now,
                case_id=found,
                mask=digest,
                before="asked",
                after="signed",
            )

    def _all(self, condition: sa.ColumnElement[bool]) -> list[Observation]:
        query = sa.select(observation).where(condition).order_by(observation.c.assigned_at)
        with reading(self._engine) as connection:
            return [Observation(**row) for row in connection.execute(query).mappings()]


def is_asked_for() -> sa.ColumnElement[bool]:
    """Whether a contour is asked for and not signed: its case is hidden from its observer."""
    return observation.c.signed_at.is_(None) & observation.c.withdrawn_at.is_(None)


def _has_seen(case_id: str, who: str) -> sa.ColumnElement[bool]:
    """Whether somebody was shown anything of a case, has a part in it, or was asked already."""
    return sa.or_(
        *(
            sa.exists().where(table.c.case_id == case_id, column == who)
            for table, column in (
                (case_look, case_look.c.who),
                (journal, journal.c.made_by),
                (interaction, interaction.c.made_by),
                (review, review.c.opened_by),
                (review_lock, review_lock.c.holder),
                (correction, correction.c.approved_by),
                (observation, observation.c.observer),
            )
        ),
        sa.exists().where(case.c.id == case_id, case.c.assigned_to == who),
    )


def _require_tab(connection: sa.Connection, observation_id: str, *, who: str, tab: str) -> str:
    """Id of the case; raises unless this tab of this observer has the observation unsigned."""
    query = sa.select(observation).where(
        observation.c.id == observation_id, observation.c.observer == who
    )
    found = connection.execute(query).first()
    if found is None:
        raise NoSuchCaseError(_NO_SUCH)
    if found.withdrawn_at is not None:
        raise CaseLockedError(_WITHDRAWN)
    if found.signed_at is not None:
        raise CaseLockedError("You have signed this contour; it cannot be changed any more.")
    if found.tab != tab:
        raise CaseLockedError("You went on with this case in another tab.")
    return str(found.case_id)


def _last_seq(connection: sa.Connection, observation_id: str) -> int:
    query = sa.select(sa.func.max(observation_entry.c.seq)).where(
        observation_entry.c.observation_id == observation_id
    )
    return connection.scalar(query) or 0
