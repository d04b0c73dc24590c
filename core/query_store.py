"""What the node holds, as studies, series and instances: what a query asks about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.instance_store import PLANNING_MODALITY, to_instance
from core.records import Instance
from core.tables import instance


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052) of the study root (PS3.4 C.6.2)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


UNIQUE_KEY = {
    Level.STUDY: instance.c.study_instance_uid,
    Level.SERIES: instance.c.series_instance_uid,
    Level.IMAGE: instance.c.sop_instance_uid,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Unique keys that narrow a question; an empty one narrows nothing."""

    study_instance_uids: tuple[str, ...] = ()
    series_instance_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A study, a series or an instance; `first` stands for what its instances share.

    The counts are of everything the node holds of the study and of the series.
    """

    first: Instance
    modalities: tuple[str, ...]
    study_series: int
    study_instances: int
    series_instances: int


class QueryStore:
    """Reads over all instances in use; what was kept aside is not there for a query."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def at_level(self, level: Level, scope: Scope) -> list[Held]:
        """Everything of `scope` at one level, in order of arrival."""
        key = UNIQUE_KEY[level]
        firsts = sa.select(sa.func.min(instance.c.id)).where(*_in_scope(scope)).group_by(key)
        query = sa.select(instance).where(instance.c.id.in_(firsts)).order_by(instance.c.id)
        with reading(self._engine) as connection:
            found = [to_instance(row) for row in connection.execute(query).mappings()]
            counts = _Counts(connection, scope)
        return [counts.held(first) for first in found]

    def instances(self, scope: Scope) -> list[Instance]:
        """The instances of `scope`, in order of arrival."""
        query = sa.select(instance).where(*_in_scope(scope)).order_by(instance.c.id)
        with reading(self._engine) as connection:
            return [to_instance(row) for row in connection.execute(query).mappings()]

    def without_ct(self, *, newest: int) -> list[Instance]:
        """Doses and structure sets on a frame of reference of which the node holds no CT.

        One for each study and kind, the newest first: their CT was not pushed, or not yet.
        """
        ct = sa.select(instance.c.frame_of_reference_uid).where(
            instance.c.modality == PLANNING_MODALITY,
            instance.c.kept_aside.is_(False),
            instance.c.frame_of_reference_uid.is_not(None),
        )
        last = (
            sa.select(sa.func.max(instance.c.id))
            .where(
                instance.c.modality.in_(["RTDOSE", "RTSTRUCT"]),
                instance.c.kept_aside.is_(False),
                instance.c.frame_of_reference_uid.is_not(None),
                instance.c.frame_of_reference_uid.not_in(ct),
            )
            .group_by(instance.c.study_instance_uid, instance.c.modality)
        )
        query = (
            sa.select(instance)
            .where(instance.c.id.in_(last))
            .order_by(instance.c.id.desc())
            .limit(newest)
        )
        with reading(self._engine) as connection:
            return [to_instance(row) for row in connection.execute(query).mappings()]

    def audited(self, *, who: str, event: str, now: datetime, **detail: Any) -> None:
        """Write down who asked or fetched what (PS3.15 A.5: Query, DICOM Instances Transferred)."""
        with writing(self._engine) as connection:
            audit.record(connection, who=who, event=event, now=now, **detail)


class _Counts:
    """Modalities and counts of every study within a scope's studies."""

    def __init__(self, connection: sa.Connection, scope: Scope) -> None:
        study, series = instance.c.study_instance_uid, instance.c.series_instance_uid
        inside = sa.select(study).where(*_in_scope(scope))
        query = (
            sa.select(study, series, instance.c.modality, sa.func.count())
            .where(instance.c.kept_aside.is_(False), study.in_(inside))
            .group_by(study, series, instance.c.modality)
        )
        self._modalities: dict[str, set[str]] = defaultdict(set)
        self._series: dict[str, set[str]] = defaultdict(set)
        self._of_study: dict[str, int] = defaultdict(int)
        self._of_series: dict[str, int] = defaultdict(int)
        for study_uid, series_uid, modality, count in connection.execute(query):
            self._modalities[study_uid].add(modality)
            self._series[study_uid].add(series_uid)
            self._of_study[study_uid] += count
            self._of_series[series_uid] += count

    def held(self, first: Instance) -> Held:
        study = first.header.study_instance_uid
        return Held(
            first=first,
            modalities=tuple(sorted(self._modalities[study])),
            study_series=len(self._series[study]),
            study_instances=self._of_study[study],
            series_instances=self._of_series[first.header.series_instance_uid],
        )


def _in_scope(scope: Scope) -> Iterator[sa.ColumnElement[bool]]:
    yield instance.c.kept_aside.is_(False)
    narrowed: tuple[tuple[sa.Column[str], Sequence[str]], ...] = (
        (instance.c.study_instance_uid, scope.study_instance_uids),
        (instance.c.series_instance_uid, scope.series_instance_uids),
        (instance.c.sop_instance_uid, scope.sop_instance_uids),
    )
    for column, uids in narrowed:
        if uids:
            yield column.in_(uids)
