"""A round of learning: from the approved corrections to a model that passed the gate, or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import structlog

from app.room import SOFTWARE_VERSION, Room
from core.learning_store import DONE, LearningSet
from core.records import Correction, ModelVersion, Round
from model.gate import judge
from model.metrics import score_weights
from model.registry import LoadedModel, ModelDescription, NetworkConfig, load, publish
from model.samples import TrainingCase, cached_training_case, make_training_case
from model.train import Candidate, RoundProgress, steps_of_round, train_round

log = structlog.get_logger()


def learn_what_is_new(room: Room, roi_name: str, should_stop: Callable[[], bool]) -> bool:
    """Run one round if there is something to learn; True when a model was released.

    There is, when corrections came since the last finished round, or when that round released a
    better model: it may not have been the best there is.
    """
    known = room.store.learning.learning_set(roi_name)
    if not known.train or not known.validation:
        return False  # nothing could be judged: the gate needs a validation case
    if not _is_due(room, roi_name, known):
        return False
    return _run_round(room, roi_name, known, should_stop)


def _is_due(room: Room, roi_name: str, known: LearningSet) -> bool:
    finished = [r for r in room.store.learning.rounds(roi_name) if r.state == DONE]
    if not finished:
        return True
    return finished[0].corrections != known.ids() or finished[0].version is not None


def _run_round(
    room: Room, roi_name: str, known: LearningSet, should_stop: Callable[[], bool]
) -> bool:
    store, settings = room.store, room.settings
    rounds_before = len(store.learning.rounds(roi_name))
    started = Round(
        id=uuid.uuid4().hex,
        roi_name=roi_name,
        corrections=known.ids(),
        state="RUNNING",
        step=0,
        steps=steps_of_round(len(known.train), settings.training),
        loss=None,
        validation_dice=None,
        verdict="",
        started_at=room.now(),
        finished_at=None,
    )
    store.learning.start_round(started)
    train = [_training_case(room, c) for c in known.train]
    validation = [_training_case(room, c) for c in known.validation]
    parent = _usable_parent(room, roi_name)

    def progress(now: RoundProgress) -> None:
        store.learning.progress(
            started.id, step=now.step, loss=now.loss, validation_dice=now.validation_dice
        )

    candidate = train_round(
        train,
        validation,
        start=None if parent is None else parent.weights,
        settings=settings.model,
        training=settings.training,
        rng=np.random.default_rng([settings.training.seed, rounds_before]),
        progress=progress,
        should_stop=should_stop,
    )
    if should_stop():
        return False  # the next start abandons this round and begins anew
    return _judge_and_release(room, started, candidate, parent, validation)


def _judge_and_release(
    room: Room,
    started: Round,
    candidate: Candidate,
    parent: LoadedModel | None,
    validation: list[TrainingCase],
) -> bool:
    in_service = (
        None if parent is None else score_weights(parent.weights, validation, room.settings.model)
    )
    verdict = judge(candidate.dice_by_case, in_service)
    released = _release(room, started, candidate, parent) if verdict.promoted else None
    room.store.learning.finish_round(
        started.id, verdict=verdict.sentence, now=room.now(), released=released
    )
    log.info("round.finished", roi=started.roi_name, verdict=verdict.sentence)
    return released is not None


def _release(
    room: Room, started: Round, candidate: Candidate, parent: LoadedModel | None
) -> ModelVersion:
    """Files first, whole; the row that puts them into service comes after."""
    now = room.now()
    scores = {"dice_by_case": candidate.dice_by_case, "steps": candidate.steps}
    description = ModelDescription(
        roi_name=started.roi_name,
        config=NetworkConfig.of(room.settings.model),
        code_version=SOFTWARE_VERSION,
        parent=None if parent is None else parent.version,
        training_set=started.corrections,
        scores=scores,
        created_at=now.isoformat(),
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
    )


def _usable_parent(room: Room, roi_name: str) -> LoadedModel | None:
    """The model in service, if it was made with today's network settings."""
    released = room.store.learning.released(roi_name)
    if released is None:
        return None
    parent = load(room.models_folder, released.version)
    if asdict(parent.description.config) != asdict(NetworkConfig.of(room.settings.model)):
        log.warning("round.from_scratch", reason="the model settings were changed")
        return None
    return parent


def _training_case(room: Room, approved: Correction) -> TrainingCase:
    current = room.store.cases.get(approved.case_id)
    files = room.store.files

    def make() -> TrainingCase:
        return make_training_case(
            files.read_ct(current.id, approved.assembly).volume,
            files.read_mask(current.id, f"correction-{approved.id}", digest=approved.mask_digest),
            painted=files.read_mask(current.id, f"painted-{approved.id}"),
            settings=room.settings.model,
            case_id=current.id,
            patient_key=current.id,
        )

    return cached_training_case(
        room.settings.data_folder / "training",
        approved.id,
        room.settings.model,
        make,
        case_id=current.id,
        patient_key=current.id,
    )
