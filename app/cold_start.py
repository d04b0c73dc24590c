"""The starting model: learned from synthetic patients alone, so that the first patient has one.

It never saw a patient, and says so wherever it is named. Corrections go on from it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.calibrating import calibrate_on_synthetic
from app.describing import detail_of
from app.judging import judge_on_validation, network_config
from app.phantom import EDITION
from app.room import SOFTWARE_VERSION, Room, key_of
from app.synthetic_cases import FIRST_SEED, sentinel_cases, synthetic_case
from app.telling import Teller
from app.together import Lead, Lesson, Trainers, teach
from core.errors import ConfigError
from core.model_card import training_set_hash
from core.records import ModelVersion, Round
from core.structures import is_drawn
from model.gate import Verdict
from model.metrics import mean_of, score_weights
from model.predict import choose_device
from model.registry import ModelDescription, Weights, publish
from model.running import Resume
from model.samples import TrainingCase
from model.train import Candidate, RoundProgress

log = structlog.get_logger()

# Real scans differ from synthetic ones in every way that the changes of a patch can imitate.
STRONG = 1.0
ORIGIN = "synthetic patients alone; it never saw a patient"


@dataclass(frozen=True, slots=True)
class ColdStart:
    """How much the starting model learns: synthetic patients, optimiser steps, and the seed."""

    patients: int = 120
    steps: int = 6000
    seed: int = 0


def train_cold_start(
    room: Room,
    roi_name: str,
    plan: ColdStart,
    trainers: Trainers,
    drawn: Callable[[int, int], None],
) -> Round | None:
    """Train on synthetic patients, judge and release the model; None when stopped before the end.

    Goes on from its checkpoint when it was stopped or killed. `drawn(done, of)` is told of each
    synthetic patient. A model that learned from patients is replaced only
    where the gate says so. Raises `ConfigError` for a structure that synthetic patients lack.
    """
    if not is_drawn(roi_name):
        raise ConfigError(
            f"structures: synthetic patients have no {roi_name!r}; they have a Heart. Contour the "
            "first cases of other structures from scratch."
        )
    cases = _cases(room, plan, drawn)
    path = room.settings.data_folder / "training" / f"cold_start_{key_of(roi_name)}.ckpt"
    resume = Resume(path, _key(room, plan))
    started = record_start(room, roi_name, steps=plan.steps)
    tell = Teller(room.store.learning, started.id).tell

    def told(now: RoundProgress) -> None:
        trainers.watch(now)
        tell(now)

    seed = (plan.seed, 77)
    lesson = Lesson(roi_name, seed, plan.steps, tuple(cases), augmentation=STRONG)
    lead = Lead([], None, resume, None, told, trainers.should_stop)
    candidate = teach(trainers.ranks, room.settings, lesson, lead)
    if not candidate.complete:
        return None
    verdict = judged(room, roi_name, candidate.weights)
    released = _publish(room, started, plan, candidate) if verdict.promoted else None
    if released is not None:
        calibrate_on_synthetic(room, released.version, patients=plan.patients)
    room.store.learning.finish_round(
        started.id,
        verdict=verdict.sentence,
        now=room.now(),
        released=released,
        figures=verdict.to_json(),
    )
    resume.path.unlink(missing_ok=True)
    log.info("cold_start.finished", roi=roi_name, verdict=verdict.sentence)
    return room.store.learning.rounds(roi_name, newest=1)[0]


def record_start(room: Room, roi_name: str, *, steps: int) -> Round:
    """The row of a starting model that is about to come."""
    started = Round(
        id=uuid.uuid4().hex,
        roi_name=roi_name,
        corrections=(),
        state="RUNNING",
        step=0,
        steps=steps,
        loss=None,
        validation_dice=None,
        verdict="",
        started_at=room.now(),
        finished_at=None,
    )
    room.store.learning.start_round(started)
    return started


def judged(room: Room, roi_name: str, weights: Weights) -> Verdict:
    """Into service where nothing is, or another starting model; else as the gate says."""
    released = room.store.learning.released(roi_name)
    if released is None or released.scores.get("origin") == ORIGIN:
        return Verdict(True, f"Released as starting model: {ORIGIN}.")
    return judge_on_validation(room, roi_name, weights)


def _cases(room: Room, plan: ColdStart, drawn: Callable[[int, int], None]) -> list[TrainingCase]:
    cases = []
    for number in range(plan.patients):
        seed = FIRST_SEED + number
        cases.append(synthetic_case(room.settings.data_folder, room.settings.model, seed))
        drawn(number + 1, plan.patients)
    return cases


def _key(room: Room, plan: ColdStart) -> str:
    parts = (plan, EDITION, room.settings.model, room.settings.training)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _publish(room: Room, started: Round, plan: ColdStart, candidate: Candidate) -> ModelVersion:
    model, config = room.settings.model, network_config(room.settings, started.roi_name)
    held_out = sentinel_cases(room.settings.data_folder, model)
    on_synthetic = score_weights(candidate.weights, config, held_out, choose_device(model))
    scores = {
        "origin": ORIGIN,
        "synthetic": {case: score.to_json() for case, score in on_synthetic.items()},
        "steps": candidate.steps,
    }
    now = room.now()
    training_set = tuple(f"synthetic-{FIRST_SEED + n}" for n in range(plan.patients))
    made_by = (
        f"recontour train --cold-start --roi {started.roi_name} --patients {plan.patients} "
        f"--steps {plan.steps} --seed {plan.seed}"
    )
    learned = training_set_hash(training_set), {"synthetic": plan.patients}
    detail = detail_of(room, config, learned, seed=[plan.seed], made_by=made_by)
    description = ModelDescription(
        roi_name=started.roi_name,
        config=config,
        code_version=SOFTWARE_VERSION,
        parent=None,
        training_set=training_set,
        scores=scores,
        created_at=now.isoformat(),
        training_set_hash=learned[0],
    )
    return ModelVersion(
        version=publish(room.models_folder, candidate.weights, description),
        roi_name=started.roi_name,
        parent=None,
        validation_dice=mean_of(on_synthetic),
        scores=scores,
        training_set=training_set,
        released_at=now,
        detail=detail,
    )
