"""A round of learning: from the approved corrections to a model that passed the gate, or not."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import structlog

from app.checking import check_what_is_new
from app.describing import detail_of, learned_from
from app.judging import in_service_of, judge_candidate, network_config, readable_cases
from app.room import SOFTWARE_VERSION, Room, key_of
from app.synthetic_cases import replayed_cases
from core.learning_store import DONE, LearningSet
from core.records import RELEASED, ModelVersion, Round
from model.registry import (
    LoadedModel,
    ModelDescription,
    Weights,
    publish,
)
from model.samples import TrainingCase
from model.train import Candidate, Resume, RoundProgress, steps_of_round, train_round

log = structlog.get_logger()

# Strokes that somebody may still go on with teach nothing yet.
STROKES_REST = timedelta(hours=1)


def learn_what_is_new(room: Room, roi_name: str, should_stop: Callable[[], bool]) -> bool:
    """Run one round if there is something to learn; True when a model was released.

    There is, when corrections came since the last finished round, and as long as rounds on the
    same corrections still lead to better models: it stops after `rounds_without_progress` that
    did not. After a rollback it waits until the corrections are others.
    """
    check_what_is_new(room, roi_name)
    known = _learning_set(room, roi_name)
    if not _is_due(room, roi_name, known):
        return False
    model = room.settings.model
    train = readable_cases(room, known.train, model)
    validation = readable_cases(room, known.validation, model)
    if not train or not validation:
        return False  # nothing could be judged: the gate needs a validation case
    return _run_round(room, roi_name, known, (train, validation), should_stop)


def _learning_set(room: Room, roi_name: str) -> LearningSet:
    """What was approved, and where the settings say so the strokes that nobody approved."""
    known = room.store.learning.learning_set(roi_name)
    if not room.settings.training.learn_from_strokes:
        return known
    now = room.now()
    strokes = room.store.teaching.take_strokes(roi_name, at_rest_since=now - STROKES_REST, now=now)
    return replace(known, train=(*known.train, *strokes))


def _is_due(room: Room, roi_name: str, known: LearningSet) -> bool:
    if not known.train or not known.validation:
        return False
    patience = room.settings.training.rounds_without_progress
    newest = room.store.learning.rounds(roi_name, newest=patience + 5)
    finished = [r for r in newest if r.state == DONE][:patience]
    same = [r for r in finished if r.corrections == known.ids()]
    by_hand = room.store.models.state(roi_name).changed_by_hand_at
    if by_hand is not None and any(r.started_at < by_hand for r in same):
        return False  # what was rolled back from would only be learned once more
    return len(same) < patience or any(r.version is not None for r in same)


def _run_round(
    room: Room,
    roi_name: str,
    known: LearningSet,
    cases: tuple[list[TrainingCase], list[TrainingCase]],
    should_stop: Callable[[], bool],
) -> bool:
    store, settings = room.store, room.settings
    train, validation = cases
    seed = [settings.training.seed, store.learning.round_count(roi_name)]
    config = network_config(settings, roi_name)
    replay = replayed_cases(settings.data_folder, settings.model)
    started = Round(
        id=uuid.uuid4().hex,
        roi_name=roi_name,
        corrections=known.ids(),
        state="RUNNING",
        step=0,
        steps=steps_of_round(len(train), settings.training),
        loss=None,
        validation_dice=None,
        verdict="",
        started_at=room.now(),
        finished_at=None,
    )
    in_service = in_service_of(room, roi_name)
    resume = _resume(room, roi_name, known, in_service)
    store.learning.start_round(started)

    def progress(now: RoundProgress) -> None:
        store.learning.progress(
            started.id, step=now.step, loss=now.loss, validation_dice=now.validation_dice
        )

    candidate = train_round(
        train,
        validation,
        start=_start_weights(room, in_service),
        settings=settings.model,
        config=config,
        training=settings.training,
        rng=np.random.default_rng(seed),
        progress=progress,
        should_stop=should_stop,
        replay=replay,
        resume=resume,
    )
    if candidate.steps < started.steps:
        return False  # stopped: the next start goes on from the checkpoint
    verdict = judge_candidate(
        room, candidate.weights, candidate.scores, in_service, known, validation
    )
    taught = learned_from(known.train, known.validation, [*train, *validation], replay)
    made_by = "recontour train, from the corrections of its training set"
    detail = detail_of(room, config, taught, seed=seed, made_by=made_by)
    released = _release(room, started, candidate, in_service, detail) if verdict.promoted else None
    status = store.learning.finish_round(
        started.id,
        verdict=verdict.sentence,
        now=room.now(),
        released=released,
        figures=verdict.to_json(),
    )
    resume.path.unlink(missing_ok=True)
    log.info("round.finished", roi=roi_name, verdict=verdict.sentence, became=status)
    return status == RELEASED


def _resume(room: Room, roi_name: str, known: LearningSet, parent: LoadedModel | None) -> Resume:
    """Where this round keeps its checkpoint: a round on other corrections begins anew."""
    settings = room.settings
    parts = (known.ids(), settings.model, settings.training, parent and parent.version)
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    return Resume(settings.data_folder / "training" / f"round_{key_of(roi_name)}.ckpt", key)


def _start_weights(room: Room, in_service: LoadedModel | None) -> Weights | None:
    """The weights in service, if they fit today's network settings; else none: from scratch."""
    if in_service is None:
        return None
    today = network_config(room.settings, in_service.description.roi_name)
    if in_service.description.config != today:
        log.warning("round.from_scratch", reason="the model settings were changed")
        return None
    return in_service.weights


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
