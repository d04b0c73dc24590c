"""What teaches beside approvals: contours imported from elsewhere, strokes that nobody approved."""

from __future__ import annotations

import hashlib
from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.case import CaseState, Split
from core.case_store import to_case
from core.database import reading, writing
from core.errors import TransitionError
from core.records import IMPORTED, STROKES, Case, Correction
from core.review_store import to_correction
from core.reviewed_structure import reviewed_structure
from core.splits import assign_split
from core.tables import case, correction, journal, prediction

# Cases whose strokes may teach although nobody approved.
UNAPPROVED_STATES = (CaseState.IN_REVIEW, CaseState.REJECTED)


class TeachingStore:
    """Rows of what teaches without an approval on the review page."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def case_of_series(self, series_instance_uid: str) -> Case | None:
        """The case of a CT series, None before it has one."""
        query = sa.select(case).where(case.c.series_instance_uid == series_instance_uid)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else to_case(row)

    def predictions(self, case_id: str) -> list[str]:
        """Ids of everything that a model proposed on a case."""
        query = sa.select(prediction.c.id).where(prediction.c.case_id == case_id)
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def corrections(self, case_id: str, roi_name: str) -> list[Correction]:
        """What a case teaches of a structure, oldest first."""
        query = (
            sa.select(correction)
            .where(correction.c.case_id == case_id, correction.c.roi_name == roi_name)
            .order_by(correction.c.approved_at, correction.c.id)
        )
        with reading(self._engine) as connection:
            return [to_correction(row) for row in connection.execute(query).mappings()]

    def import_correction(
        self, made: Correction, *, instance_id: int, to_judge: bool = False
    ) -> bool:
        """Record an imported contour and the set of its case; False where it is there already.

        The mask file must be durable before. Raises `TransitionError` where a physician has
        approved the structure here: that teaches more. With `to_judge` the case goes into the
        validation set whatever the rule says; of a patient who is learned from, it raises too.
        """
        with writing(self._engine) as connection:
            same = (correction.c.case_id == made.case_id) & (correction.c.roi_name == made.roi_name)
            known = connection.execute(
                sa.select(correction.c.id, correction.c.origin).where(same)
            ).all()
            if any(row.id == made.id for row in known):
                return False
            if any(row.origin != IMPORTED for row in known):
                raise TransitionError(
                    f"{made.roi_name} was approved on this case; an import does not replace it."
                )
            values = {name: getattr(made, name) for name in correction.c.keys()}  # noqa: SIM118
            values["slices_seen"] = list(made.slices_seen)
            connection.execute(sa.insert(correction).values(**values))
            wanted = Split.VALIDATION if to_judge else None
            split = assign_split(connection, made.case_id, made.roi_name, wanted)
            if to_judge and split is Split.TRAIN:
                raise TransitionError(
                    "Another case of this patient is learned from, so none of them can judge."
                )
            audit.record(
                connection,
                who=made.approved_by,
                event="correction.imported",
                now=made.approved_at,
                case_id=made.case_id,
                correction=made.id,
                roi_name=made.roi_name,
                mask=made.mask_digest,
                instance=instance_id,
                split=split,
            )
            return True

    def is_learned_from(self, patient_id: str) -> bool:
        """Whether a case of the patient is in the training set."""
        if not patient_id:
            return False
        trains = (case.c.patient_id == patient_id) & (case.c.split == Split.TRAIN)
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(sa.exists().where(trains))) is True

    def take_strokes(
        self, roi_name: str, *, at_rest_since: datetime, now: datetime
    ) -> list[Correction]:
        """Strokes that nobody approved and nobody has gone on with, as corrections that train.

        Each stands for the journal up to `journal_seq`; there is no mask, so no digest. Their
        cases are fixed for training from here on; a patient who is held out gives none.
        """
        query = _strokes_at_rest(roi_name, at_rest_since)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        if any(row.split is None for row in rows):
            with writing(self._engine) as connection:
                rows = connection.execute(query).all()
                for row in rows:
                    if row.split is None:
                        _fix_for_training(connection, row, roi_name, now)
        return [_as_correction(row, roi_name) for row in rows]


def _fix_for_training(
    connection: sa.Connection, row: sa.Row[tuple[object, ...]], roi_name: str, now: datetime
) -> None:
    connection.execute(sa.update(case).where(case.c.id == row.id).values(split=Split.TRAIN))
    audit.record(
        connection,
        who="trainer",
        event="strokes.taken",
        now=now,
        case_id=row.id,
        roi_name=roi_name,
        journal_seq=row.seq,
        before=None,
        after=Split.TRAIN,
    )


def _strokes_at_rest(roi_name: str, since: datetime) -> sa.Select[tuple[object, ...]]:
    newest = (
        sa.select(journal.c.case_id, sa.func.max(journal.c.seq).label("seq"))
        .where(journal.c.roi_name == roi_name)
        .group_by(journal.c.case_id)
        .subquery()
    )
    approved = sa.exists().where(
        correction.c.case_id == case.c.id, correction.c.roi_name == roi_name
    )
    other = case.alias()
    held_out = sa.exists().where(
        other.c.split == Split.VALIDATION,
        (other.c.id == case.c.id)
        | ((other.c.patient_id == case.c.patient_id) & (case.c.patient_id != "")),
    )
    return (
        sa.select(
            case.c.id,
            case.c.assembly,
            case.c.split,
            newest.c.seq,
            journal.c.made_by,
            journal.c.received_at,
        )
        .join(newest, newest.c.case_id == case.c.id)
        .join(
            journal,
            (journal.c.case_id == case.c.id)
            & (journal.c.roi_name == roi_name)
            & (journal.c.seq == newest.c.seq),
        )
        .where(
            # Where another structure is reviewed, the state is that of the other.
            case.c.state.in_(UNAPPROVED_STATES) | (reviewed_structure() != roi_name),
            case.c.assembly.is_not(None),
            journal.c.received_at <= since,
            ~approved,
            ~held_out,
        )
        .order_by(journal.c.received_at, case.c.id)
    )


def _as_correction(row: sa.Row[tuple[object, ...]], roi_name: str) -> Correction:
    named = "\n".join((STROKES, row.id, row.assembly, roi_name, str(row.seq)))
    return Correction(
        id=hashlib.sha256(named.encode()).hexdigest()[:32],
        case_id=row.id,
        assembly=row.assembly,
        roi_name=roi_name,
        prediction_id=None,
        approved_by=row.made_by,
        approved_at=row.received_at,
        mask_digest="",
        slices_seen=(),
        journal_seq=row.seq,
        origin=STROKES,
    )
