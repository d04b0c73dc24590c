"""What may leave the node as files, and who took it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.errors import NoSuchCaseError
from core.instance_store import to_instance
from core.records import REVIEWED, Correction, Instance
from core.review_store import to_correction
from core.tables import attachment, case, correction, instance, quarantine

REFUSED = "refused"


class ExportStore:
    """Reads of what is in use: never what was kept aside or put into quarantine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of_study(self, study_instance_uid: str) -> list[Instance]:
        """Everything of a study, in order of arrival."""
        return self._instances(instance.c.study_instance_uid == study_instance_uid)

    def of_case(self, case_id: str) -> list[Instance]:
        """A case's CT and what joined it, without what was refused; raises `NoSuchCaseError`."""
        with reading(self._engine) as connection:
            series = connection.scalar(
                sa.select(case.c.series_instance_uid).where(case.c.id == case_id)
            )
        if series is None:
            raise NoSuchCaseError("No case has this id. Take it from the worklist's address.")
        joined = sa.select(attachment.c.instance_id).where(
            attachment.c.case_id == case_id, attachment.c.kind != REFUSED
        )
        return self._instances(
            (instance.c.series_instance_uid == series) | instance.c.id.in_(joined)
        )

    def approved(self, series_instance_uids: set[str]) -> list[Correction]:
        """Structures approved on the review page on these CT series, oldest first.

        What came back from a TPS is among the instances.
        """
        query = (
            sa.select(correction)
            .join(case, case.c.id == correction.c.case_id)
            .where(
                case.c.series_instance_uid.in_(series_instance_uids),
                correction.c.origin == REVIEWED,
            )
            .order_by(correction.c.approved_at)
        )
        with reading(self._engine) as connection:
            return [to_correction(row) for row in connection.execute(query).mappings()]

    def record(self, *, who: str, now: datetime, instances: int, deidentified: bool) -> None:
        """Write into the audit that data was exported (PS3.15 A.5.3.8, Data Export)."""
        with writing(self._engine) as connection:
            audit.record(
                connection,
                who=who,
                event="data.exported",
                now=now,
                instances=instances,
                deidentified=deidentified,
            )

    def _instances(self, chosen: sa.ColumnElement[bool]) -> list[Instance]:
        in_quarantine = sa.exists().where(quarantine.c.instance_id == instance.c.id)
        query = (
            sa.select(instance)
            .where(chosen, instance.c.kept_aside.is_(False), ~in_quarantine)
            .order_by(instance.c.id)
        )
        with reading(self._engine) as connection:
            return [to_instance(row) for row in connection.execute(query).mappings()]
