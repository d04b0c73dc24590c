"""The story of a case as durable workflows, readable top to bottom.

An instance arrives (dicom_node) -> its series falls quiet -> ASSEMBLE -> dose and structure sets
JOIN -> PREDICT with the model in service -> a physician corrects and approves (review_ui) ->
DELIVER to the TPS; CHECK whether it may be learned from; the trainer learns from it (app.trainer).
SUM makes a plan's dose of the doses of its beams; MEASURE runs whenever a contour and a dose have
met, SELF_CHECK where a dose brings the TPS's own figures. A version in SHADOW predicts last, and
nobody sees it.

The store's rows are the outbox: `reconcile` reads what is due and makes sure that a workflow with
a deterministic id is on its way. Whatever dies, the rows stay, and the next look goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple
from datetime import timedelta
from typing import Any

import structlog
from dbos import DBOS

from app import (
    approved_figures,
    checking,
    committing,
    comparing,
    delivering,
    dosing,
    intake,
    plan_doses,
    predicting,
    self_checking,
    sending_audit,
    shadowing,
)
from app.alerting.watch import Watch, tell_notice
from app.jobs import Jobs
from app.room import Room
from core.case_store import DoseDue
from core.difference_store import DifferenceDue
from core.rules import urgency
from core.self_check_store import CheckDue
from model.predict import Predictor

log = structlog.get_logger()

# Behind every real prediction, however little urgent.
LAST = 10
# At a time of what nobody waits for.
FEW = 4


class Story:
    """The registered workflows; make one per process, before `Jobs.launch`."""

    def __init__(self, room: Room, predictor: Predictor, jobs: Jobs) -> None:
        self._room = room
        self._jobs = jobs
        self._fits_no_rule: set[str] = set()
        self._assemble = _one_step(
            "assemble", lambda case_id, series: intake.assemble(room, case_id, series)
        )
        self._join = _one_step(
            "join", lambda case_id, instance_id: intake.attach(room, case_id, instance_id)
        )
        self._predict = _one_step(
            "predict",
            lambda case_id, roi, version: predicting.predict(
                room, predictor, case_id, roi, version
            ),
        )
        self._sum = _one_step(
            "sum", lambda case_id, plan: plan_doses.sum_beams(room, case_id, plan)
        )
        self._measure = _one_step("measure", lambda *due: dosing.measure(room, DoseDue(*due)))
        # Write, let two readers check, send. One try a workflow: a destination that is down holds
        # no place that another could use.
        self._deliver = _one_step(
            "deliver", lambda delivery_id, _attempt: delivering.deliver(room, delivery_id)
        )

        self._compare = _one_step("compare", lambda made_id: comparing.compare(room, made_id))
        self._figure = _one_step(
            "measure_approved",
            lambda made_id, reference_id: approved_figures.measure(room, made_id, reference_id),
        )
        self._self_check = _one_step(
            "self_check", lambda *due: self_checking.check(room, CheckDue(*due))
        )
        self._compare_dose = _one_step(
            "compare_dose", lambda *due: comparing.compare_dose(room, DifferenceDue(*due))
        )
        self._check = _one_step("check", lambda roi: checking.check_what_is_new(room, roi))
        self._predict_in_shadow = _one_step(
            "predict_in_shadow",
            lambda case_id, roi, version: shadowing.predict(room, predictor, case_id, roi, version),
        )
        self._measure_shadow = _one_step(
            "measure_shadow", lambda roi, shadow_id: shadowing.measure(room, roi, shadow_id)
        )

        self._report_owed = _one_step(
            "report_owed", lambda owed_id, _attempt: committing.report_owed(room, owed_id)
        )
        self._ask_to_commit = _one_step(
            "ask_to_commit", lambda asked_id, _last: committing.ask_to_commit(room, asked_id)
        )

        self._send_audit = _one_step(
            "send_audit", lambda sent_id, _attempt: sending_audit.send_audit(room, sent_id)
        )

        self._watch = Watch(room)
        self._tell = _one_step("tell", lambda notice_id, _attempt: tell_notice(room, notice_id))

    def reconcile(self) -> None:
        """Bring everything that is due on its way; one part that fails does not stop the others."""
        for part in (
            self._deliver_what_was_approved,
            self._commit_what_is_owed_and_asked,
            self._use_what_replaces_damaged,
            self._assemble_quiet_series,
            self._route_what_has_no_rule,
            self._join_what_belongs,
            self._sum_where_all_beams_came,
            self._predict_with_the_model_in_service,
            self._measure_where_contour_and_dose_met,
            self._hold_against_the_tps,
            self._check_what_was_approved,
            self._compare_what_was_approved,
            self._measure_what_was_approved,
            self._compare_on_each_dose,
            self._run_in_shadow,
            self._send_what_was_audited,
            self._tell_what_is_wrong,
        ):
            try:
                part()
            except Exception:
                log.exception("reconcile.failed", part=part.__name__)

    def _use_what_replaces_damaged(self) -> None:
        replaced = self._room.store.quarantine.put_replacements_in_use(now=self._room.now())
        if replaced:
            log.info("instance.replaced", instances=replaced)

    def _assemble_quiet_series(self) -> None:
        quiet_since = self._room.now() - timedelta(seconds=self._room.settings.dicom.quiet_time_s)
        due = self._room.store.instances.series_due(quiet_since=quiet_since)
        for case_id, series, count in due:
            key = f"assemble-{case_id}-{count}"
            self._jobs.ensure(self._assemble, key, case_id, series, queue="intake")

    def _route_what_has_no_rule(self) -> None:
        for case in self._room.store.cases.to_route():
            # The rules stay as they are until the node is started again.
            if case.id not in self._fits_no_rule and not intake.route_now(self._room, case):
                self._fits_no_rule.add(case.id)

    def _join_what_belongs(self) -> None:
        for case_id, instance in self._room.store.instances.to_attach():
            # On a new volume everything joins anew: the assembly is part of the key.
            assembly = self._room.store.cases.get(case_id).assembly or ""
            key = f"join-{case_id}-{assembly[:16]}-{instance.id}"
            self._jobs.ensure(self._join, key, case_id, instance.id, queue="intake")

    def _sum_where_all_beams_came(self) -> None:
        for case, plan_uid, newest in plan_doses.sums_due(self._room):
            key = f"sum-{case.id}-{(case.assembly or '')[:16]}-{newest}-{plan_uid}"
            self._jobs.ensure(self._sum, key, case.id, plan_uid, queue="dose")

    def _predict_with_the_model_in_service(self) -> None:
        for structure in self._room.settings.structures:
            model = self._room.store.learning.released(structure.name)
            if model is None:
                continue
            version = model.version
            for case in self._room.store.cases.to_predict(structure.name, version):
                key = f"predict-{case.id}-{(case.assembly or '')[:16]}-{version[:16]}"
                what = (case.id, structure.name, version)
                self._jobs.ensure(
                    self._predict, key, *what, queue="predict", priority=urgency(case)
                )

    def _measure_where_contour_and_dose_met(self) -> None:
        for due in self._room.store.cases.dose_due():
            key = f"measure-{due.source}-{due.source_id}-{due.dose_instance_id}"
            what = (due.case_id, due.dose_instance_id, due.source, due.source_id, due.roi_name)
            self._jobs.ensure(self._measure, key, *what, queue="dose")

    def _hold_against_the_tps(self) -> None:
        basis = self_checking.basis_of(self._room)
        due = [astuple(one) for one in self._room.store.self_checks.due(basis)]
        keys = [f"self-check-{basis}-{'-'.join(map(str, what))}" for what in due]
        self._a_few((key, self._self_check, what) for key, what in zip(keys, due, strict=True))

    def _check_what_was_approved(self) -> None:
        for structure in self._room.settings.structures:
            for approved in self._room.store.checks.due(structure.name)[-1:]:
                key = f"check-{approved.id}"
                self._jobs.ensure(self._check, key, structure.name, queue="dose")

    def _compare_what_was_approved(self) -> None:
        edition = comparing.EDITION
        due = self._room.store.changes.due(edition)
        self._a_few((f"compare-{edition}-{made}", self._compare, (made,)) for made in due)

    def _measure_what_was_approved(self) -> None:
        due = self._room.store.cohort.due()
        self._a_few((f"approved-{made}-{ref}", self._figure, (made, ref)) for made, ref in due)

    def _a_few(self, due: Iterable[tuple[str, Callable[..., Any], tuple[Any, ...]]]) -> None:
        """After an upgrade all that was ever approved is due: behind what somebody waits for."""
        on_their_way = 0
        for key, workflow, what in due:
            on_their_way += self._jobs.ensure(workflow, key, *what, queue="dose", priority=LAST)
            if on_their_way == FEW:
                return

    def _compare_on_each_dose(self) -> None:
        edition = comparing.EDITION
        due = [astuple(one) for one in self._room.store.differences.due(edition)]
        keys = [f"dose-change-{edition}-{'-'.join(map(str, what))}" for what in due]
        self._a_few((key, self._compare_dose, what) for key, what in zip(keys, due, strict=True))

    def _run_in_shadow(self) -> None:
        for structure in self._room.settings.structures:
            roi, shadows = structure.name, self._room.store.shadows
            for case, version in shadows.to_predict(roi):
                key = f"shadow-{case.id}-{(case.assembly or '')[:16]}-{version[:16]}"
                what = (case.id, roi, version)
                self._jobs.ensure(
                    self._predict_in_shadow, key, *what, queue="predict", priority=LAST
                )
            for due in shadows.to_measure(roi):
                key = f"measure-shadow-{due.shadow.id}-{due.key}"
                self._jobs.ensure(self._measure_shadow, key, roi, due.shadow.id, queue="dose")

    def _deliver_what_was_approved(self) -> None:
        for row in self._room.store.deliveries.due(now=self._room.now()):
            key = f"deliver-{row.id}-{row.attempts}"
            self._jobs.ensure(self._deliver, key, row.id, row.attempts, queue="send")

    def _commit_what_is_owed_and_asked(self) -> None:
        now = self._room.now()
        for owed in self._room.store.owed.due(now=now):
            key = f"report-{owed.id}-{owed.attempts}"
            self._jobs.ensure(self._report_owed, key, owed.id, owed.attempts, queue="commit")
        for asked in self._room.store.asked.due(now=now):
            key = f"ask-{asked.id}-{asked.transaction_uid}"
            last = asked.transaction_uid
            self._jobs.ensure(self._ask_to_commit, key, asked.id, last, queue="commit")

    def _send_what_was_audited(self) -> None:
        host = self._room.settings.audit.syslog.host
        due = self._room.store.audit_export.due(host, now=self._room.now()) if host else None
        if due is not None:
            key = f"audit-{host}-{due.sent_id}-{due.attempts}"
            self._jobs.ensure(self._send_audit, key, due.sent_id, due.attempts, queue="commit")

    def _tell_what_is_wrong(self) -> None:
        self._watch.look()
        for notice in self._watch.due():
            key = f"tell-{notice.id}-{notice.attempts}"
            self._jobs.ensure(self._tell, key, notice.id, notice.attempts, queue="commit")


def _one_step(name: str, action: Callable[..., Any]) -> Callable[..., Any]:
    """A durable workflow of one step: repeated after a crash, recorded once it is done."""
    step = DBOS.step(name=name)(action)

    def workflow(*args: Any) -> Any:
        return step(*args)

    return DBOS.workflow(name=name, max_recovery_attempts=None)(workflow)
