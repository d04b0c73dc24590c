"""Figures on the node as a whole, for those who watch it: no case, no patient, no person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.case import CaseState
from core.database import reading
from core.delivery_store import HELD, QUEUED, is_replaced
from core.model_tables import model_state, model_version, training_round
from core.reviewed_structure import reviewed_structure
from core.tables import case, delivery, instance, prediction, quarantine
from core.worklist_store import was_imported


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: its name, what it is, and its values by label."""

    name: str
    kind: str
    about: str
    values: dict[str, float] = field(default_factory=dict)
    label: str = ""


class MetricsStore:
    """Counts and ages, each by one question that does not grow with what it is about."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def ready(self) -> bool:
        """Whether the database answers."""
        try:
            with reading(self._engine) as connection:
                return connection.scalar(sa.select(sa.literal(1))) == 1
        except sa.exc.SQLAlchemyError:
            return False

    def all(self, *, now: datetime) -> Iterator[Metric]:
        """Every figure as it is now; ages in seconds."""
        with reading(self._engine) as connection:
            ask = _Asker(connection, now)
            yield Metric(
                "instances_total", "counter", "Instances that were kept.", ask.one(_count(instance))
            )
            yield Metric(
                "cases", "gauge", "Cases by state.", ask.by(case.c.state, sa.true()), "state"
            )
            yield Metric(
                "case_oldest_waiting_seconds",
                "gauge",
                "Age of the oldest case that a prediction is made for; 0: none waits.",
                ask.age(sa.select(sa.func.min(case.c.created_at)).where(_waits())),
            )
            yield Metric(
                "predictions_total", "counter", "Predictions.", ask.one(_count(prediction))
            )
            spent = sa.select(sa.func.coalesce(sa.func.sum(prediction.c.seconds), 0))
            yield Metric(
                "prediction_seconds_total", "counter", "Time predictions took.", ask.one(spent)
            )
            yield from self._deliveries(ask)
            yield from self._learning(ask)
            yield Metric(
                "quarantined_instances", "gauge", "Set aside, unread.", ask.one(_count(quarantine))
            )

    @staticmethod
    def _deliveries(ask: _Asker) -> Iterator[Metric]:
        current = ~is_replaced()
        yield Metric(
            "deliveries",
            "gauge",
            "Deliveries by state; what was replaced does not count.",
            ask.by(delivery.c.state, current),
            "state",
        )
        tried = (delivery.c.state == QUEUED) & (delivery.c.attempts > 0)
        failed = _count(delivery).where((delivery.c.state == HELD) | tried, current)
        yield Metric(
            "deliveries_failed", "gauge", "Stopped, or refused at the last try.", ask.one(failed)
        )
        queued = (delivery.c.state == QUEUED) & current
        yield Metric(
            "delivery_oldest_waiting_seconds",
            "gauge",
            "Age of the oldest delivery on its way; 0: none.",
            ask.age(sa.select(sa.func.min(delivery.c.created_at)).where(queued)),
        )

    @staticmethod
    def _learning(ask: _Asker) -> Iterator[Metric]:
        yield Metric(
            "rounds_total",
            "counter",
            "Rounds of learning by state.",
            ask.by(training_round.c.state, sa.true()),
            "state",
        )
        served = sa.select(model_state.c.roi_name, model_version.c.validation_dice).join(
            model_version, model_version.c.version == model_state.c.in_service
        )
        yield Metric(
            "model_validation_dice",
            "gauge",
            "Validation Dice of the model in service.",
            ask.pairs(served),
            "roi",
        )


@dataclass(frozen=True, slots=True)
class _Asker:
    connection: sa.Connection
    now: datetime

    def one(self, query: sa.Select[Any]) -> dict[str, float]:
        return {"": float(self.connection.scalar(query) or 0)}

    def by(self, column: sa.Column[str], which: sa.ColumnElement[bool]) -> dict[str, float]:
        query = sa.select(column, sa.func.count()).where(which).group_by(column)
        return {str(name): float(count) for name, count in self.connection.execute(query)}

    def pairs(self, query: sa.Select[Any]) -> dict[str, float]:
        return {str(name): float(value) for name, value in self.connection.execute(query)}

    def age(self, query: sa.Select[Any]) -> dict[str, float]:
        oldest = self.connection.scalar(query)
        return {"": 0.0 if oldest is None else (self.now - oldest).total_seconds()}


def _count(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table)


def _waits() -> sa.ColumnElement[bool]:
    """The cases that are still received, or that a model in service has not predicted yet."""
    models = sa.select(model_state.c.roi_name).where(model_state.c.in_service.is_not(None))
    wanted = reviewed_structure().in_(models)
    return sa.or_(
        case.c.state == CaseState.RECEIVING,
        sa.and_(case.c.state == CaseState.ASSEMBLED, ~was_imported(), wanted),
    )
