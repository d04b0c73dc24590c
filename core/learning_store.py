"""What the trainer learns from, its rounds, and the models it released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import Split
from core.check_store import may_be_learned, was_discarded
from core.database import reading, writing
from core.delivery_store import is_held_back
from core.model_store import add_passed, fetch_state, tip_version, to_version
from core.model_tables import model_version, training_round
from core.records import CHALLENGER, RELEASED, WAITS, Correction, ModelVersion, Round
from core.review_store import to_correction
from core.tables import case, correction

RUNNING, DONE, ABANDONED = "RUNNING", "DONE", "ABANDONED"


@dataclass(frozen=True, slots=True)
class LearningSet:
    """Approved corrections by split, oldest first."""

    train: tuple[Correction, ...]
    validation: tuple[Correction, ...]

    def ids(self) -> tuple[str, ...]:
        """Ids of all corrections, train first."""
        return tuple(c.id for c in (*self.train, *self.validation))


class LearningStore:
    """Rows of the trainer."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def learning_set(self, roi_name: str) -> LearningSet:
        """A snapshot of what may be learned from: the newest correction of each case.

        A structure set that came back from the TPS supersedes what was approved here; the case
        stays in the set it is in. While the newest was not checked yet, or is suspicious and waits
        for a second person, its case is in neither set: what it replaced is in doubt too. What was
        discarded counts as never made, and so does an approval that may still be taken back.
        """
        query = (
            sa.select(correction, case.c.split, may_be_learned().label("may_be_learned"))
            .join(case, case.c.id == correction.c.case_id)
            .where(correction.c.roi_name == roi_name, ~was_discarded(), ~is_held_back())
            .order_by(correction.c.approved_at, correction.c.id)
        )
        with reading(self._engine) as connection:
            newest = {row["case_id"]: row for row in connection.execute(query).mappings()}
        by_split: dict[Split, list[Correction]] = {Split.TRAIN: [], Split.VALIDATION: []}
        for row in newest.values():
            if not row["may_be_learned"]:
                continue
            values = {k: v for k, v in row.items() if k not in {"split", "may_be_learned"}}
            by_split[Split(row["split"])].append(to_correction(values))
        return LearningSet(tuple(by_split[Split.TRAIN]), tuple(by_split[Split.VALIDATION]))

    def released(self, roi_name: str) -> ModelVersion | None:
        """The model in service, or None before the first."""
        with reading(self._engine) as connection:
            version = fetch_state(connection, roi_name).in_service
            query = sa.select(model_version).where(model_version.c.version == version)
            row = connection.execute(query).mappings().first()
        return None if row is None else to_version(row)

    def versions(self, roi_name: str) -> list[ModelVersion]:
        """Every model that passed the gate, oldest first, whatever became of it."""
        query = (
            sa.select(model_version)
            .where(model_version.c.roi_name == roi_name)
            .order_by(model_version.c.released_at, model_version.c.version)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [to_version(row) for row in rows]

    def start_round(self, started: Round) -> None:
        """Record a round; one that a crash left running is abandoned.

        What it goes on from, its parent, is what the trainer's line of versions ends with now.
        """
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(training_round)
                .where(
                    training_round.c.state == RUNNING,
                    training_round.c.roi_name == started.roi_name,
                )
                .values(
                    state=ABANDONED,
                    finished_at=started.started_at,
                    verdict="The trainer was stopped; the round was started again.",
                )
            )
            values = {n: getattr(started, n) for n in training_round.c.keys()}  # noqa: SIM118
            values["corrections"] = list(started.corrections)
            values["parent"] = tip_version(connection, started.roi_name)
            connection.execute(sa.insert(training_round).values(**values))

    def progress(
        self,
        round_id: str,
        *,
        step: int,
        loss: float,
        validation_dice: float | None,
        figures: dict[str, Any] | None = None,
    ) -> None:
        """How far a round has come; `figures` join those it has."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(training_round)
                .where(training_round.c.id == round_id)
                .values(
                    step=step,
                    loss=loss,
                    validation_dice=validation_dice,
                    figures=_joined(connection, round_id, figures),
                )
            )

    def end_round(self, round_id: str, *, why: str, now: datetime) -> None:
        """End a round without a verdict, with a sentence that says why."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(training_round)
                .where(training_round.c.id == round_id)
                .values(state=ABANDONED, verdict=why, finished_at=now)
            )

    def finish_round(
        self,
        round_id: str,
        *,
        verdict: str,
        now: datetime,
        released: ModelVersion | None,
        figures: dict[str, Any] | None = None,
    ) -> str | None:
        """End a round; a model that passed the gate goes into service in the same transaction.

        It waits where another version is pinned, and goes nowhere where it was rolled back before
        or a person changed the version in service meanwhile; the verdict then says so. Returns
        its status: RELEASED, WAITS, or None where no version was added.
        """
        with writing(self._engine) as connection:
            query = sa.select(training_round.c.parent).where(training_round.c.id == round_id)
            parent = connection.scalar(query)
            status, why = None, ""
            if released is not None:
                passed, why = add_passed(connection, released, parent)
                status = passed if passed in {RELEASED, WAITS} else None
                if status is None:
                    verdict = f"Not promoted: {why}. ({verdict})"
                elif why:
                    verdict = f"{verdict.rstrip('.')}; it {why}."
            connection.execute(
                sa.update(training_round)
                .where(training_round.c.id == round_id)
                .values(
                    state=DONE,
                    verdict=verdict,
                    finished_at=now,
                    version=None if released is None or status is None else released.version,
                    figures=_joined(connection, round_id, figures),
                )
            )
            if released is not None and status is not None:
                audit.record(
                    connection,
                    who="trainer",
                    event="model.released" if status == RELEASED else "model.waits",
                    now=now,
                    version=released.version,
                    roi_name=released.roi_name,
                    before=parent,
                    after=released.version,
                )
            return status

    def round_count(self, roi_name: str) -> int:
        """How many rounds there were, of any outcome."""
        query = sa.select(sa.func.count()).where(training_round.c.roi_name == roi_name)
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def round_of(self, version: str) -> Round | None:
        """The round that a version came of."""
        query = (
            sa.select(training_round)
            .where(training_round.c.version == version)
            .order_by(training_round.c.started_at)
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _to_round(row)

    def rounds(self, roi_name: str, *, newest: int, finished: bool = False) -> list[Round]:
        """The newest rounds, newest first; of `finished` ones those with a verdict alone."""
        query = (
            sa.select(training_round)
            .where(training_round.c.roi_name == roi_name)
            .order_by(training_round.c.started_at.desc())
            .limit(newest)
        )
        if finished:
            query = query.where(training_round.c.state == DONE)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [_to_round(row) for row in rows]

    def was_challenged(self, roi_name: str, corrections: tuple[str, ...]) -> bool:
        """Whether a challenger on exactly these corrections got its verdict."""
        query = sa.select(training_round.c.corrections).where(
            training_round.c.roi_name == roi_name,
            training_round.c.state == DONE,
            training_round.c.figures["kind"].as_string() == CHALLENGER,
        )
        with reading(self._engine) as connection:
            return list(corrections) in list(connection.scalars(query))


def _joined(
    connection: sa.Connection, round_id: str, figures: dict[str, Any] | None
) -> dict[str, Any]:
    query = sa.select(training_round.c.figures).where(training_round.c.id == round_id)
    return {**(connection.scalar(query) or {}), **(figures or {})}


def _to_round(row: sa.RowMapping) -> Round:
    return Round(**{**row, "corrections": tuple(row["corrections"])})
