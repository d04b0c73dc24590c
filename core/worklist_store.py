"""What is known of many cases at once, in a number of queries that does not grow with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from core.case import CaseState
from core.case_store import as_shown, to_case
from core.check_store import suspicions_of
from core.database import reading
from core.delivery_store import select_deliveries
from core.dose_store import PLAN_KIND, WHOLE_DOSE, JoinedDose
from core.group_store import Sight, is_seen
from core.instance_store import UNUSED_KINDS, is_joined
from core.observation_store import is_asked_for
from core.plans import DoseOrigin, Plan
from core.records import MANUAL, REVIEWED, Case, Correction, Delivery, DoseFigure, Prediction
from core.review_store import to_correction
from core.rules import FOR_TRAINING, structure_under_review
from core.self_check_store import standing
from core.tables import (
    attachment,
    case,
    correction,
    delivery,
    dose_figure,
    instance,
    observation,
    prediction,
    returned,
    review,
    review_lock,
)

_Hanging = TypeVar("_Hanging", Prediction, DoseFigure, Delivery, Correction)

PAGE_ROWS = 50
Order = Literal["priority", "arrival", "impact"]
Shown = Literal["all", "waiting", "finished"]

FINISHED = frozenset({CaseState.APPROVED, CaseState.DELIVERED, CaseState.REJECTED})
WAITING = frozenset({CaseState.ASSEMBLED, CaseState.PREDICTED, CaseState.IN_REVIEW})
UNOPENED = frozenset({CaseState.ASSEMBLED, CaseState.PREDICTED})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asks of the worklist. `search` is words of name, patient ID or description.

    `hidden` are cases that this reader must not see, of those in `sight`.
    """

    search: str = ""
    order: Order = "priority"
    shown: Shown = "all"
    page: int = 1
    hidden: frozenset[str] = frozenset()
    sight: Sight = None


@dataclass(frozen=True, slots=True)
class Found:
    """How many cases fit, how many of them wait for a reviewer, and which page this is."""

    total: int
    waiting: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case with what hangs on it, for `roi_name`, the structure that is corrected on it now.

    `prediction` is the one a reviewer sees; `predicted` and `corrected` are figures on the dose
    that came last, `dose_instance_id`; `dose_words` names its plan. `instances` counts the CT
    series as it is now, `kept_aside` the objects of the study whose UID was taken; `refusals` say
    why objects are not used, `suspicions` why what was approved waits before it is learned from;
    `deviations` where our dose figures and the TPS's own differ.
    """

    case: Case
    roi_name: str
    holder: str | None
    prediction: Prediction | None
    correction: Correction | None
    approved_structures: frozenset[str]
    dose_instance_id: int | None
    dose_words: str
    predicted: DoseFigure | None
    corrected: DoseFigure | None
    deliveries: tuple[Delivery, ...]
    refusals: tuple[str, ...]
    suspicions: tuple[str, ...]
    deviations: tuple[str, ...]
    instances: int
    kept_aside: int


class WorklistStore:
    """Reads across cases. All answers of one call are from one moment."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(
        self, roi_name: str, asked: Asked, *, now: datetime
    ) -> tuple[list[CaseSummary], Found]:
        """One page of the cases that are asked for, and how many there are.

        Each with what hangs on the structure under review; where no rule has decided yet, on
        `roi_name`.
        """
        with reading(self._engine) as connection:
            found = count(connection, asked)
            query = select_page(asked, found.page)
            cases = [to_case(row) for row in connection.execute(query).mappings()]
            tables = _Tables(connection, cases, roi_name, now)
        return [tables.summary(current) for current in cases], found

    def all(self, roi_name: str, *, now: datetime, sight: Sight = None) -> list[CaseSummary]:
        """Every case in sight, newest first, with each structure that was approved on it."""
        with reading(self._engine) as connection:
            query = (
                sa.select(case).where(is_seen(sight)).order_by(case.c.created_at.desc(), case.c.id)
            )
            cases = [to_case(row) for row in connection.execute(query).mappings()]
            tables = _Tables(connection, cases, roi_name, now)
            found = [tables.summary(current) for current in cases]
            for other in sorted({roi for one in found for roi in one.approved_structures}):
                turned = [
                    replace(one.case, under_review=other, state=CaseState.APPROVED)
                    for one in found[: len(cases)]
                    if other in one.approved_structures and one.roi_name != other
                ]
                tables = _Tables(connection, turned, other, now)
                found += [tables.summary(current) for current in turned]
        place = {current.id: number for number, current in enumerate(cases)}
        return sorted(found, key=lambda one: place[one.case.id])

    def cases(self, case_ids: Iterable[str], *, sight: Sight = None) -> dict[str, Case]:
        """Those of these cases that are in sight, by id."""
        wanted = set(case_ids)
        if not wanted:
            return {}
        query = sa.select(case).where(case.c.id.in_(wanted), is_seen(sight))
        with reading(self._engine) as connection:
            return {row["id"]: to_case(row) for row in connection.execute(query).mappings()}

    def next_waiting(
        self, *, who: str, now: datetime, after: str | None = None, sight: Sight = None
    ) -> str | None:
        """Id of the case to review next (see `core.worklist_store.next_waiting`)."""
        with reading(self._engine) as connection:
            return next_waiting(connection, who=who, now=now, after=after, sight=sight)


def count(connection: sa.Connection, asked: Asked) -> Found:
    """How many cases fit; a page beyond the last becomes the last."""
    waits = may_be_worked_on()
    query = sa.select(sa.func.count(), sa.func.sum(sa.case((waits, 1), else_=0))).where(
        _fits(asked)
    )
    total, waiting = connection.execute(query).one()
    pages = max(1, -(-total // PAGE_ROWS))
    return Found(total, waiting or 0, min(max(asked.page, 1), pages), pages)


def select_page(asked: Asked, page: int) -> sa.Select[Any]:
    """The cases of one page, in order."""
    query = sa.select(case).where(_fits(asked)).order_by(*_order(asked.order))
    return query.limit(PAGE_ROWS).offset((page - 1) * PAGE_ROWS)


def next_waiting(
    connection: sa.Connection, *, who: str, now: datetime, after: str | None, sight: Sight
) -> str | None:
    """Id of the case to review next: of the most urgent in sight the oldest, and nobody else's.

    With `after`, the one that comes after that case in this order, from the last one to the first.
    """
    elsewhere = sa.exists().where(
        review_lock.c.case_id == case.c.id,
        review_lock.c.holder != who,
        review_lock.c.expires_at > now,
    )
    observed = sa.exists().where(
        observation.c.case_id == case.c.id,
        observation.c.observer == who,
        is_asked_for(),
    )
    place = (_rank(), case.c.created_at, case.c.id)
    free = (
        sa.select(case.c.id)
        .where(
            may_be_worked_on(),
            ~elsewhere,
            case.c.assigned_to.is_(None) | (case.c.assigned_to == who),
            ~observed,
            is_seen(sight),
            case.c.id != (after or ""),
        )
        .order_by(*place)
        .limit(1)
    )
    found: str | None = None
    known = (case.c.id == (after or "")) & is_seen(sight)
    here = connection.execute(sa.select(*place).where(known)).first()
    if here is not None:
        later = sa.tuple_(*place) > sa.tuple_(
            sa.literal(here[0]), sa.literal(here[1], case.c.created_at.type), sa.literal(here[2])
        )
        found = connection.scalar(free.where(later))
    return found or connection.scalar(free)


def may_be_worked_on() -> sa.ColumnElement[bool]:
    """The cases that a reviewer may work on: not those that were imported and go nowhere."""
    return case.c.state.in_(WAITING) & case.c.assembly.is_not(None) & ~was_imported()


def was_imported() -> sa.ColumnElement[bool]:
    """The cases that were imported to be learned from, and are nobody's work."""
    return sa.func.coalesce(case.c.routing["rule"].as_string(), "") == FOR_TRAINING


def _fits(asked: Asked) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [is_seen(asked.sight)]
    if asked.hidden:
        conditions.append(case.c.id.not_in(asked.hidden))
    if asked.shown == "waiting":
        conditions.append(may_be_worked_on())
    if asked.shown == "finished":
        conditions.append(case.c.state.in_(FINISHED))
    text = sa.func.lower(case.c.patient_name + " " + case.c.patient_id + " " + case.c.description)
    # "Doe, Anna" on the screen is Doe^Anna in the object.
    words = asked.search.lower().replace(",", " ").split()[:8]
    conditions += [text.contains(word, autoescape=True) for word in words]
    return sa.and_(*conditions)


def _order(order: Order) -> tuple[sa.ColumnElement[Any], ...]:
    newest = (case.c.created_at.desc(), case.c.id)
    if order == "arrival":
        return newest
    unfinished_first = sa.case((case.c.state.in_(FINISHED) | was_imported(), 1), else_=0)
    if order == "impact":
        # What is expected of a prediction that is not shown is not told by the order either.
        known = sa.case((case.c.arm != MANUAL, case.c.expected_impact_gy))
        impact = sa.func.coalesce(known, -1.0)
        return (unfinished_first, impact.desc(), *newest)
    return (unfinished_first, _rank(), *newest)


def _rank() -> sa.ColumnElement[int]:
    """1 urgent, 2 normal, 3 low; as `core.rules.urgency` says of one case."""
    priority = case.c.routing["priority"].as_string()
    return sa.case((priority == "urgent", 1), (priority == "low", 3), else_=2)


class _Tables:
    """Rows about some cases, by case id; one query a table."""

    def __init__(
        self, connection: sa.Connection, cases: Sequence[Case], roi_name: str, now: datetime
    ) -> None:
        rois = {c.id: structure_under_review(c, roi_name) for c in cases}

        def rows(table: sa.Table, *order: Any) -> Iterable[sa.RowMapping]:
            query = sa.select(table).where(table.c.case_id.in_(list(rois))).order_by(*order)
            return connection.execute(query).mappings()

        def of_roi(table: sa.Table, *order: Any) -> Iterator[sa.RowMapping]:
            return (r for r in rows(table, *order) if r["roi_name"] == rois[r["case_id"]])

        self.rois = rois
        shown_first = as_shown()
        self.predictions = _by_case(Prediction(**row) for row in of_roi(prediction, *shown_first))
        self.bases = {r["case_id"]: r["prediction_id"] for r in of_roi(review)}
        # What came back from the TPS is told apart: a case's figures are those of its review.
        approved = _approved(rows(correction, correction.c.approved_at))
        self.corrections = {a.case_id: a for a in approved if a.roi_name == rois[a.case_id]}
        self.approved = _by_case(approved)
        self.figures = _by_case(
            DoseFigure(**{name: value for name, value in row.items() if name != "id"})
            for row in of_roi(dose_figure, dose_figure.c.id)
        )
        self.deliveries = _by_case(
            Delivery(**row)
            for row in connection.execute(
                select_deliveries()
                .where(delivery.c.case_id.in_(list(rois)))
                .order_by(delivery.c.created_at.desc(), delivery.c.id)
            ).mappings()
        )
        self.doses: dict[str, int] = {}
        self.origins: dict[tuple[str, int], DoseOrigin] = {}
        self.plans: dict[str, list[Plan]] = defaultdict(list)
        self.refusals: dict[str, list[str]] = defaultdict(list)
        for row in rows(attachment, attachment.c.attached_at, attachment.c.instance_id):
            if row["kind"] == WHOLE_DOSE:
                newest = max(row["instance_id"], self.doses.get(row["case_id"], 0))
                self.doses[row["case_id"]] = newest
                if row["detail"] is not None:
                    origin = DoseOrigin.from_json(row["detail"])
                    self.origins[row["case_id"], row["instance_id"]] = origin
            elif row["kind"] == PLAN_KIND and row["detail"] is not None:
                self.plans[row["case_id"]].append(Plan.from_json(row["detail"]))
            elif row["kind"] in UNUSED_KINDS and row["note"]:
                self.refusals[row["case_id"]].append(row["note"])
        for row in rows(returned, returned.c.instance_id):
            if row["note"]:
                self.refusals[row["case_id"]].append(row["note"])
        self.suspicions = suspicions_of(connection, rois)
        self.deviations = standing(connection, list(rois))
        self.holders = {
            row["case_id"]: row["holder"] for row in rows(review_lock) if row["expires_at"] > now
        }
        series = [c.series_instance_uid for c in cases]
        self.instances = _counts(connection, instance.c.series_instance_uid, series, aside=False)
        studies = {c.study_instance_uid for c in cases}
        self.aside = _counts(connection, instance.c.study_instance_uid, studies, aside=True)

    def summary(self, current: Case) -> CaseSummary:
        shown = self._shown(current)
        approved = self.corrections.get(current.id)
        dose_id = self.doses.get(current.id)
        figures = {
            f.source_id: f for f in self.figures[current.id] if f.dose_instance_id == dose_id
        }
        return CaseSummary(
            case=current,
            roi_name=self.rois[current.id],
            holder=self.holders.get(current.id),
            prediction=shown,
            correction=approved,
            approved_structures=frozenset(a.roi_name for a in self.approved[current.id]),
            dose_instance_id=dose_id,
            dose_words=self._dose_words(current.id, dose_id),
            predicted=figures.get(shown.id) if shown else None,
            corrected=figures.get(approved.id) if approved else None,
            deliveries=tuple(self.deliveries[current.id]),
            refusals=tuple(self.refusals[current.id]),
            suspicions=tuple(self.suspicions[current.id]),
            deviations=tuple(self.deviations.get(current.id, ())),
            instances=self.instances.get(current.series_instance_uid, 0),
            kept_aside=self.aside.get(current.study_instance_uid, 0),
        )

    def _dose_words(self, case_id: str, dose_id: int | None) -> str:
        if dose_id is None:
            return ""
        return JoinedDose(dose_id, WHOLE_DOSE, self.origins.get((case_id, dose_id))).words(
            self.plans[case_id]
        )

    def _shown(self, current: Case) -> Prediction | None:
        """The newest on the present volume, until a review fixes one."""
        found = self.predictions[current.id]
        if current.state in UNOPENED and current.arm == MANUAL:
            return None
        if current.state in UNOPENED:
            return next((p for p in found if p.assembly == current.assembly), None)
        return next((p for p in found if p.id == self.bases.get(current.id)), None)


def _approved(rows: Iterable[sa.RowMapping]) -> list[Correction]:
    return [to_correction(row) for row in rows if row["origin"] == REVIEWED]


def _by_case(records: Iterable[_Hanging]) -> dict[str, list[_Hanging]]:
    found: dict[str, list[_Hanging]] = defaultdict(list)
    for record in records:
        found[record.case_id].append(record)
    return found


def _counts(
    connection: sa.Connection, column: sa.Column[str], uids: Iterable[str], *, aside: bool
) -> dict[str, int]:
    query = (
        sa.select(column, sa.func.count())
        .where(column.in_(uids), instance.c.kept_aside.is_(aside))
        .group_by(column)
    )
    if aside:
        query = query.where(~is_joined())
    return {row[0]: row[1] for row in connection.execute(query)}
