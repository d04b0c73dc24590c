"""Cases, their predictions and dose figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.arms import arm_of
from core.case import CaseState, Split, require_transition
from core.database import reading, writing
from core.errors import NoSuchCaseError, TransitionError
from core.geometry import VolumeGeometry
from core.model_tables import model_state
from core.records import Case, DoseFigure, Prediction, Routing
from core.rules import is_under_review, is_wanted, urgency
from core.tables import (
    attachment,
    case,
    correction,
    dose_figure,
    journal,
    prediction,
    review_lock,
)
from core.touched import is_touched
from core.unrouted import waits_for_a_rule

NODE = "node"

# States in which a prediction may still come, as long as nobody has painted.
PREDICTABLE = frozenset({CaseState.ASSEMBLED, CaseState.PREDICTED, CaseState.IN_REVIEW})

# States in which it still matters what the rules say.
UNROUTED_STATES = frozenset({*PREDICTABLE, CaseState.APPROVED, CaseState.DELIVERED})

# Where the contour of a dose figure comes from.
PREDICTION, CORRECTION, REFERENCE = "prediction", "correction", "reference"


@dataclass(frozen=True, slots=True)
class DoseDue:
    """A dose figure that is still to be computed. A reference has its instance id as source."""

    case_id: str
    dose_instance_id: int
    source: str
    source_id: str
    roi_name: str


class CaseStore:
    """Rows about cases. Every change of state is checked and audited in its transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, case_id: str) -> Case:
        """The case, or `NoSuchCaseError`."""
        with reading(self._engine) as connection:
            return fetch_case(connection, case_id)

    def all(self, *, states: Iterable[CaseState] | None = None) -> list[Case]:
        """Cases, newest first; only those in `states` where given."""
        query = sa.select(case).order_by(case.c.created_at.desc(), case.c.id)
        if states is not None:
            query = query.where(case.c.state.in_(list(states)))
        return self._cases(query)

    def assembled(  # noqa: PLR0913 (one argument a column)
        self,
        case_id: str,
        *,
        assembly: str,
        instance_count: int,
        geometry: VolumeGeometry,
        now: datetime,
        findings: Sequence[str] = (),
        routing: Routing | None = None,
        manual_every: int = 0,
    ) -> None:
        """The series became a volume; what was predicted on an older assembly is void.

        Each `manual_every`-th new case that a structure is reviewed on is put in the arm MANUAL.
        Raises `TransitionError` when the case was painted on or approved meanwhile.
        """
        with writing(self._engine) as connection:
            _close_unpainted_review(connection, case_id)
            arm = arm_of(connection, fetch_case(connection, case_id), routing, manual_every)
            move(connection, case_id, CaseState.ASSEMBLED, who=NODE, now=now, assembly=assembly)
            connection.execute(
                sa.update(case)
                .where(case.c.id == case_id)
                .values(
                    assembly=assembly,
                    assembled_count=instance_count,
                    geometry=geometry.to_json(),
                    frame_of_reference_uid=geometry.frame_of_reference_uid,
                    findings=list(findings),
                    routing=None if routing is None else asdict(routing),
                    under_review=None,
                    reason="",
                    arm=arm,
                )
            )
            # What joined the older volume joins again, on the new one.
            connection.execute(sa.delete(attachment).where(attachment.c.case_id == case_id))
            connection.execute(
                sa.delete(dose_figure).where(
                    dose_figure.c.case_id == case_id, dose_figure.c.source == REFERENCE
                )
            )

    def failed(self, case_id: str, *, reason: str, instance_count: int, now: datetime) -> None:
        """The series cannot become a volume; `reason` is the sentence to show.

        Raises `TransitionError` when the case was painted on or approved meanwhile.
        """
        with writing(self._engine) as connection:
            _close_unpainted_review(connection, case_id)
            move(connection, case_id, CaseState.FAILED, who=NODE, now=now, reason=reason)
            connection.execute(
                sa.update(case)
                .where(case.c.id == case_id)
                .values(reason=reason, assembled_count=instance_count)
            )

    def predicted(self, made: Prediction) -> bool:
        """Record a prediction; False when the case has moved on and the prediction is void."""
        with writing(self._engine) as connection:
            current = fetch_case(connection, made.case_id)
            known = sa.select(prediction.c.id).where(prediction.c.id == made.id)
            if connection.execute(known).first() is not None:
                return True
            painted = connection.execute(
                sa.select(is_touched(made.case_id, made.roi_name))
            ).scalar_one()
            if current.state not in PREDICTABLE or painted or current.assembly != made.assembly:
                return False
            values = {name: getattr(made, name) for name in prediction.c.keys()}  # noqa: SIM118
            connection.execute(sa.insert(prediction).values(**values))
            if not is_under_review(current, made.roi_name):
                return True  # what the reviewer waits for is another one
            connection.execute(sa.update(case).where(case.c.id == made.case_id).values(reason=""))
            if current.state is CaseState.IN_REVIEW:
                return True  # opened, not painted on: the next opening starts from it
            move(
                connection,
                made.case_id,
                CaseState.PREDICTED,
                who=NODE,
                now=made.created_at,
                prediction=made.id,
                model=made.model_version,
            )
            return True

    def waits(self, case_id: str, *, reason: str) -> None:
        """Say on a case that nobody has approved yet why its prediction does not come."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(case)
                .where(case.c.id == case_id, case.c.state.in_(PREDICTABLE))
                .values(reason=reason)
            )

    def has_prediction(self, prediction_id: str) -> bool:
        """Whether this prediction is recorded."""
        query = sa.select(prediction.c.id).where(prediction.c.id == prediction_id)
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None

    def retry_failed(self, *, now: datetime) -> int:
        """Make every failed case due for assembly again; returns how many there are."""
        with writing(self._engine) as connection:
            changed = connection.execute(
                sa.update(case)
                .where(case.c.state == CaseState.FAILED)
                .values(assembled_count=0, updated_at=now)
            )
            return changed.rowcount

    def latest_prediction(self, current: Case, roi_name: str) -> Prediction | None:
        """The prediction on the case's present assembly: of the model in service, else the newest.

        After a rollback an older prediction is the right one.
        """
        query = (
            sa.select(prediction)
            .where(
                prediction.c.case_id == current.id,
                prediction.c.assembly == (current.assembly or ""),
                prediction.c.roi_name == roi_name,
            )
            .order_by(*as_shown())
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Prediction(**row)

    def prediction(self, prediction_id: str) -> Prediction:
        """The prediction with this id."""
        query = sa.select(prediction).where(prediction.c.id == prediction_id)
        with reading(self._engine) as connection:
            return Prediction(**connection.execute(query).mappings().one())

    def to_predict(self, roi_name: str, model_version: str) -> list[Case]:
        """Cases that wait for this structure from `model_version`, the urgent ones first.

        Nobody has painted on them, and the rules want the structure on them.
        """
        done = sa.exists().where(
            prediction.c.case_id == case.c.id,
            prediction.c.assembly == case.c.assembly,
            prediction.c.roi_name == roi_name,
            prediction.c.model_version == model_version,
        )
        query = (
            sa.select(case)
            .where(case.c.state.in_(PREDICTABLE), ~is_touched(case.c.id, roi_name), ~done)
            .order_by(case.c.created_at)
        )
        return sorted((c for c in self._cases(query) if is_wanted(c, roi_name)), key=urgency)

    def to_route(self) -> list[Case]:
        """Cases with a volume that wait for a rule to decide on them."""
        query = sa.select(case).where(
            case.c.assembly.is_not(None), case.c.state.in_(UNROUTED_STATES), waits_for_a_rule()
        )
        return self._cases(query.order_by(case.c.created_at))

    def routed(self, case_id: str, routing: Routing) -> None:
        """What the rules decided for a case that had no routing.

        The structure that somebody painted before stays the one under review.
        """
        with writing(self._engine) as connection:
            painted = connection.scalar(
                sa.select(journal.c.roi_name).where(journal.c.case_id == case_id).limit(1)
            )
            if painted is not None:
                others = (name for name in routing.structures if name != painted)
                routing = replace(routing, structures=(painted, *others))
            connection.execute(
                sa.update(case).where(case.c.id == case_id).values(routing=asdict(routing))
            )

    def add_dose_figure(self, figure: DoseFigure) -> None:
        """Record a figure; one that is already there stays as it was."""
        same = (
            (dose_figure.c.source == figure.source)
            & (dose_figure.c.source_id == figure.source_id)
            & (dose_figure.c.roi_name == figure.roi_name)
            & (dose_figure.c.dose_instance_id == figure.dose_instance_id)
        )
        with writing(self._engine) as connection:
            if connection.execute(sa.select(dose_figure.c.id).where(same)).first() is None:
                values = {n: getattr(figure, n) for n in dose_figure.c.keys() if n != "id"}  # noqa: SIM118
                connection.execute(sa.insert(dose_figure).values(**values))

    def dose_due(self) -> list[DoseDue]:
        """Contours on a case with a dose that have no figure for it yet."""
        has_dose = (attachment.c.case_id == case.c.id) & attachment.c.kind.in_(
            ("dose", "dose_part")
        )
        due: list[DoseDue] = []
        with reading(self._engine) as connection:
            for source, table in ((PREDICTION, prediction), (CORRECTION, correction)):
                query = (
                    sa.select(case.c.id, attachment.c.instance_id, table.c.id, table.c.roi_name)
                    .join(attachment, has_dose)
                    .join(
                        table,
                        (table.c.case_id == case.c.id) & (table.c.assembly == case.c.assembly),
                    )
                    .where(~_figure_exists(source, table.c.id, table.c.roi_name))
                )
                due += [DoseDue(r[0], r[1], source, r[2], r[3]) for r in connection.execute(query)]
            references = attachment.alias()
            source_id = sa.cast(references.c.instance_id, sa.String(64))
            query = (
                sa.select(case.c.id, attachment.c.instance_id, source_id, references.c.note)
                .join(attachment, has_dose)
                .join(
                    references,
                    (references.c.case_id == case.c.id)
                    & (references.c.kind == "structure_set")
                    & (references.c.note != ""),
                )
                .where(~_figure_exists(REFERENCE, source_id, references.c.note))
            )
            due += [DoseDue(r[0], r[1], REFERENCE, r[2], r[3]) for r in connection.execute(query)]
        return due

    def dose_figures(self, case_id: str | None = None) -> list[DoseFigure]:
        """All figures, or those of one case, oldest first."""
        query = sa.select(dose_figure).order_by(dose_figure.c.id)
        if case_id is not None:
            query = query.where(dose_figure.c.case_id == case_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [DoseFigure(**{k: v for k, v in row.items() if k != "id"}) for row in rows]

    def _cases(self, query: sa.Select[Any]) -> list[Case]:
        with reading(self._engine) as connection:
            return [to_case(row) for row in connection.execute(query).mappings()]


def as_shown() -> tuple[sa.ColumnElement[Any], ...]:
    """The order of predictions: of the model in service first, then the newest."""
    in_service = sa.exists().where(
        model_state.c.roi_name == prediction.c.roi_name,
        model_state.c.in_service == prediction.c.model_version,
    )
    return (sa.case((in_service, 0), else_=1), prediction.c.created_at.desc(), prediction.c.id)


def _close_unpainted_review(connection: sa.Connection, case_id: str) -> None:
    """Take the case from a reviewer who has only looked at it: the slices under it change."""
    if connection.execute(sa.select(is_touched(case_id))).scalar_one():
        raise TransitionError("The case was painted on; its volume cannot change any more.")
    # Without the lock no stroke of a page that is open can come for the older volume.
    connection.execute(sa.delete(review_lock).where(review_lock.c.case_id == case_id))


def _figure_exists(
    source: str, source_id: sa.ColumnElement[str], roi_name: sa.ColumnElement[str]
) -> sa.Exists:
    return sa.exists().where(
        dose_figure.c.source == source,
        dose_figure.c.source_id == source_id,
        dose_figure.c.roi_name == roi_name,
        dose_figure.c.dose_instance_id == attachment.c.instance_id,
    )


def fetch_case(connection: sa.Connection, case_id: str) -> Case:
    """The case inside a transaction, or `NoSuchCaseError`."""
    row = connection.execute(sa.select(case).where(case.c.id == case_id)).mappings().first()
    if row is None:
        raise NoSuchCaseError("There is no such case. Open it from the worklist.")
    return to_case(row)


def move(
    connection: sa.Connection,
    case_id: str,
    state: CaseState,
    *,
    who: str,
    now: datetime,
    **detail: Any,
) -> None:
    """Change a case's state inside a transaction, checked and audited."""
    before = fetch_case(connection, case_id).state
    require_transition(before, state)
    connection.execute(
        sa.update(case).where(case.c.id == case_id).values(state=state, updated_at=now)
    )
    audit.record(
        connection,
        who=who,
        event=f"case.{state.lower()}",
        now=now,
        case_id=case_id,
        before=str(before),
        after=str(state),
        **detail,
    )


def to_case(row: sa.RowMapping) -> Case:
    """A row as the record."""
    values = dict(row)
    geometry = values.pop("geometry")
    split = values.pop("split")
    routing = values.pop("routing")
    findings = values.pop("findings")
    return Case(
        **{**values, "state": CaseState(values["state"])},
        geometry=None if geometry is None else VolumeGeometry.from_json(geometry),
        split=None if split is None else Split(split),
        findings=tuple(findings),
        routing=None if routing is None else _routing(routing),
    )


def _routing(values: dict[str, Any]) -> Routing:
    return Routing(
        **{
            **values,
            "structures": tuple(values["structures"]),
            "destinations": tuple(values["destinations"]),
        }
    )
