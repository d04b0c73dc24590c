"""One training run over a snapshot of corrections, from its row to the verdict of the gate."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from app.cold_start import ORIGIN
from app.describing import detail_of, learned_from
from app.judging import in_service_of, judge_candidate, network_config, readable_cases
from app.room import SOFTWARE_VERSION, Room, key_of
from app.synthetic_cases import replayed_for
from app.telling import Teller
from app.together import Lead, Lesson, Trainers, teach
from app.turns import wait_for_predictions
from core.errors import ModelUnavailableError
from core.files import require_free_space
from core.learning_store import LearningSet
from core.records import CHALLENGER, RELEASED, ModelVersion, Round
from model.registry import LoadedModel, ModelDescription, Weights, load, publish
from model.running import Resume
from model.samples import TrainingCase
from model.train import Candidate, RoundProgress, steps_of_round

log = structlog.get_logger()

# How much more often a case comes that the model in service has not learned from.
NEW = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: `finished` with a verdict or not, and whether a model was released."""

    round_id: str
    finished: bool
    released: bool = False


def run_round(
    room: Room,
    roi_name: str,
    known: LearningSet,
    trainers: Trainers,
    *,
    challenger: bool = False,
) -> Outcome | None:
    """Train on `known` and let the gate judge; None where no case of a set could be read.

    An ordinary round goes on where the last one ended, whatever became of it, and where there was
    none from the model in service; a `challenger` begins anew, from the starting model where there
    is one, and if it is released the next rounds go on from it. Raises `StorageFullError` where the
    disk's reserve is reached.
    """
    settings, store = room.settings, room.store
    require_free_space(settings.data_folder, reserve_mb=settings.disk_reserve_mb)
    train = readable_cases(room, known.train, settings.model)
    validation = readable_cases(room, known.validation, settings.model)
    if not train or not validation:
        return None  # nothing could be judged: the gate needs a validation case
    in_service = in_service_of(room, roi_name)
    parent = _starting_model(room, roi_name) if challenger else in_service
    lesson = Lesson(
        roi_name=roi_name,
        seed=(settings.training.seed, store.learning.round_count(roi_name)),
        steps=_steps(room, len(train), challenger=challenger),
        cases=tuple(_emphasised(train, known, parent)),
        replay=tuple(replayed_for(roi_name, settings.data_folder, settings.model)),
    )
    started = _started(room, known, lesson, challenger=challenger)
    resume = _resume(room, started, parent, in_service)
    store.learning.start_round(started)
    tell = Teller(store.learning, started.id).tell

    def progress(now: RoundProgress) -> None:
        tell(now)
        trainers.watch(now)

    lead = Lead(
        validation=validation,
        start=_start_weights(room, parent),
        resume=resume,
        memory=None if challenger else _memory(room, roi_name),
        progress=progress,
        should_stop=trainers.should_stop,
        pause=lambda: wait_for_predictions(settings.data_folder, trainers.should_stop),
    )
    candidate = teach(trainers.ranks, settings, lesson, lead)
    if not candidate.complete:
        return Outcome(started.id, finished=False)  # the next start goes on from the checkpoint
    verdict = judge_candidate(
        room, candidate.weights, candidate.scores, in_service, known, validation
    )
    sentence = f"Challenger: {verdict.sentence}" if challenger else verdict.sentence
    released = None
    if verdict.promoted:
        found = learned_from(known.train, known.validation, [*train, *validation], lesson.replay)
        released = _release(room, started, candidate, parent, _detail(room, lesson, found))
    status = store.learning.finish_round(
        started.id,
        verdict=sentence,
        now=room.now(),
        released=released,
        figures=verdict.to_json(),
    )
    resume.path.unlink(missing_ok=True)
    if challenger and status == RELEASED:
        _memory(room, roi_name).path.unlink(missing_ok=True)
    log.info("round.finished", roi=roi_name, verdict=sentence, became=status)
    return Outcome(started.id, finished=True, released=status == RELEASED)


def end_round(room: Room, roi_name: str, outcome: Outcome, why: str) -> None:
    """End a run that did not finish for good: nothing goes on from where it stood."""
    room.store.learning.end_round(outcome.round_id, why=why, now=room.now())
    _checkpoint(room, roi_name, challenger=True).unlink(missing_ok=True)


def _started(room: Room, known: LearningSet, lesson: Lesson, *, challenger: bool) -> Round:
    return Round(
        id=uuid.uuid4().hex,
        roi_name=lesson.roi_name,
        corrections=known.ids(),
        state="RUNNING",
        step=0,
        steps=lesson.steps,
        loss=None,
        validation_dice=None,
        verdict="",
        started_at=room.now(),
        finished_at=None,
        figures={"kind": CHALLENGER} if challenger else {},
    )


def _steps(room: Room, case_count: int, *, challenger: bool) -> int:
    training = room.settings.training
    return training.challenger_steps if challenger else steps_of_round(case_count, training)


def _emphasised(
    cases: list[TrainingCase], known: LearningSet, parent: LoadedModel | None
) -> list[TrainingCase]:
    """What the model that the run goes on from has not learned comes more often."""
    learned = set() if parent is None else set(parent.description.training_set)
    new = {c.case_id for c in known.train if c.id not in learned}
    return [replace(case, emphasis=NEW) if case.case_id in new else case for case in cases]


def _starting_model(room: Room, roi_name: str) -> LoadedModel | None:
    """The newest starting model of a structure; None where there is none, or no longer whole."""
    versions = room.store.learning.versions(roi_name)
    found = [v for v in versions if v.scores.get("origin") == ORIGIN]
    if not found:
        return None
    try:
        return load(room.models_folder, found[-1].version)
    except ModelUnavailableError as error:
        log.warning("round.from_scratch", reason=str(error))
        return None


def _resume(
    room: Room, started: Round, parent: LoadedModel | None, in_service: LoadedModel | None
) -> Resume:
    """Where this run keeps its checkpoint: one on other corrections begins anew."""
    settings = room.settings
    versions = tuple(model and model.version for model in (parent, in_service))
    parts = (started.corrections, settings.model, settings.training, versions)
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    path = _checkpoint(room, started.roi_name, challenger=started.is_challenger)
    return Resume(path, key, settings.disk_reserve_mb)


def _memory(room: Room, roi_name: str) -> Resume:
    """Where learning left off; void once a person or another starting model began something new."""
    settings = room.settings
    by_hand = room.store.models.state(roi_name).changed_by_hand_at
    starting = _starting_model(room, roi_name)
    parts = (
        settings.model,
        settings.training.learning_rate,
        by_hand,
        starting and starting.version,
    )
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    return Resume(settings.data_folder / "training" / f"memory_{key_of(roi_name)}.ckpt", key)


def _checkpoint(room: Room, roi_name: str, *, challenger: bool) -> Path:
    kind = CHALLENGER if challenger else "round"
    return room.settings.data_folder / "training" / f"{kind}_{key_of(roi_name)}.ckpt"


def _start_weights(room: Room, parent: LoadedModel | None) -> Weights | None:
    """The weights to go on from, if they fit today's network settings; else none: from scratch."""
    if parent is None:
        return None
    today = network_config(room.settings, parent.description.roi_name)
    if parent.description.config != today:
        log.warning("round.from_scratch", reason="the model settings were changed")
        return None
    return parent.weights


def _detail(room: Room, lesson: Lesson, found: tuple[str, dict[str, int]]) -> dict[str, Any]:
    made_by = "recontour train, from the corrections of its training set"
    config = network_config(room.settings, lesson.roi_name)
    return detail_of(room, config, found, seed=lesson.seed, made_by=made_by)


def _release(
    room: Room,
    started: Round,
    candidate: Candidate,
    parent: LoadedModel | None,
    detail: dict[str, Any],
) -> ModelVersion:
    """Files first, whole; the row that puts them into service comes after."""
    now = room.now()
    scores = {
        "validation": {case: score.to_json() for case, score in candidate.scores.items()},
        "steps": candidate.steps,
    }
    description = ModelDescription(
        roi_name=started.roi_name,
        config=network_config(room.settings, started.roi_name),
        code_version=SOFTWARE_VERSION,
        parent=None if parent is None else parent.version,
        training_set=started.corrections,
        scores=scores,
        created_at=now.isoformat(),
        training_set_hash=detail["training_set_hash"],
    )
    version = publish(room.models_folder, candidate.weights, description)
    return ModelVersion(
        version=version,
        roi_name=started.roi_name,
        parent=description.parent,
        validation_dice=candidate.validation_dice,
        scores=scores,
        training_set=started.corrections,
        released_at=now,
        detail=detail,
    )
