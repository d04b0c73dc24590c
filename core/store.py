"""The store: everything the node knows, in one database and one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from core.account_store import AccountStore
from core.alert_store import AlertStore
from core.arm_store import ArmStore
from core.asked_store import AskedStore
from core.audit_export_store import AuditExportStore
from core.audit_store import AuditStore
from core.case_files import CaseFiles
from core.case_store import CaseStore
from core.change_store import ChangeStore
from core.check_store import CheckStore
from core.cohort_store import CohortStore
from core.config import Settings
from core.database import open_engine, upgrade
from core.delivery_store import DeliveryStore
from core.difference_store import DifferenceStore
from core.dose_store import DoseStore
from core.doubt_store import DoubtStore
from core.errors import BackupError
from core.export_store import ExportStore
from core.factor_store import FactorStore
from core.flow_store import FlowStore
from core.group_store import GroupStore
from core.instance_store import InstanceStore
from core.kept_structures import require_kept_spelling
from core.key_store import KeyStore
from core.learning_store import LearningStore
from core.look_store import LookStore
from core.metrics_store import MetricsStore
from core.model_store import ModelStore
from core.observation_store import ObservationStore
from core.outbox_store import OutboxStore
from core.owed_store import OwedStore
from core.quarantine_store import QuarantineStore
from core.query_store import QueryStore
from core.returned_store import ReturnedStore
from core.review_store import ReviewStore
from core.self_check_store import SelfCheckStore
from core.session_store import SessionStore
from core.shadow_store import ShadowStore
from core.teaching_store import TeachingStore
from core.timing_store import TimingStore
from core.turn_store import TurnStore
from core.worklist_store import WorklistStore


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of the store, each for one subject."""

    engine: sa.Engine
    files: CaseFiles
    instances: InstanceStore
    cases: CaseStore
    doses: DoseStore
    reviews: ReviewStore
    flow: FlowStore
    turns: TurnStore
    timing: TimingStore
    arms: ArmStore
    observations: ObservationStore
    looks: LookStore
    accounts: AccountStore
    groups: GroupStore
    factors: FactorStore
    sessions: SessionStore
    keys: KeyStore
    audit: AuditStore
    audit_export: AuditExportStore
    metrics: MetricsStore
    alerts: AlertStore
    deliveries: DeliveryStore
    outbox: OutboxStore
    asked: AskedStore
    owed: OwedStore
    quarantine: QuarantineStore
    query: QueryStore
    exports: ExportStore
    returned: ReturnedStore
    learning: LearningStore
    teaching: TeachingStore
    checks: CheckStore
    changes: ChangeStore
    cohort: CohortStore
    differences: DifferenceStore
    self_checks: SelfCheckStore
    models: ModelStore
    doubts: DoubtStore
    shadows: ShadowStore
    worklist: WorklistStore


RESTORING = "restoring"
"""Lies in a data folder as long as a backup is being brought into it."""


def require_restored(data_folder: Path) -> None:
    """Raise `BackupError` where a backup was brought into the folder and not to its end."""
    if (data_folder / RESTORING).exists():
        raise BackupError(
            f"The restore into {data_folder} was not finished, a part of the data is missing. "
            "Empty the folder and its database, and restore again."
        )


def open_store(settings: Settings) -> Store:
    """The store of `settings`, brought to the newest schema.

    Raises `BackupError` where a restore stopped half way, `ConfigError` where a structure is spelt
    otherwise than what is kept of it.
    """
    require_restored(settings.data_folder)
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    settings.data_folder.chmod(0o700)  # patients' data: for the node's own account only
    engine = open_engine(settings.resolved_database_url())
    upgrade(engine, lock_file=settings.data_folder / "locks" / "migration")
    require_kept_spelling(engine, (structure.name for structure in settings.structures))
    return Store(
        engine=engine,
        files=CaseFiles(settings.data_folder),
        instances=InstanceStore(engine),
        cases=CaseStore(engine),
        doses=DoseStore(engine),
        reviews=ReviewStore(engine),
        flow=FlowStore(engine),
        turns=TurnStore(engine),
        timing=TimingStore(engine),
        arms=ArmStore(engine),
        observations=ObservationStore(engine),
        looks=LookStore(engine),
        accounts=AccountStore(engine),
        groups=GroupStore(engine),
        factors=FactorStore(engine),
        sessions=SessionStore(engine),
        keys=KeyStore(engine),
        audit=AuditStore(engine),
        audit_export=AuditExportStore(engine),
        metrics=MetricsStore(engine),
        alerts=AlertStore(engine),
        deliveries=DeliveryStore(engine),
        outbox=OutboxStore(engine),
        asked=AskedStore(engine),
        owed=OwedStore(engine),
        quarantine=QuarantineStore(engine),
        query=QueryStore(engine),
        exports=ExportStore(engine),
        returned=ReturnedStore(engine),
        learning=LearningStore(engine),
        teaching=TeachingStore(engine),
        checks=CheckStore(engine),
        changes=ChangeStore(engine),
        cohort=CohortStore(engine),
        differences=DifferenceStore(engine),
        self_checks=SelfCheckStore(engine),
        models=ModelStore(engine),
        doubts=DoubtStore(engine),
        shadows=ShadowStore(engine),
        worklist=WorklistStore(engine),
    )
