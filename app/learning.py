"""A round of learning: from the approved corrections to a model that passed the gate, or not."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence

import numpy as np
import structlog

from app.room import SOFTWARE_VERSION, Room
from core.config import ModelSettings
from core.errors import RecontourError
from core.learning_store import DONE, LearningSet
from core.records import Correction, ModelVersion, Round
from model.gate import judge
from model.metrics import score_weights
from model.registry import (
    LoadedModel,
    ModelDescription,
    NetworkConfig,
    Weights,
    load,
    publish,
)
from model.samples import TrainingCase, cached_training_case, make_training_case
from model.train import Candidate, RoundProgress, steps_of_round, train_round

log = structlog.get_logger()


def learn_what_is_new(room: Room, roi_name: str, should_stop: Callable[[], bool]) -> bool:
    """Run one round if there is something to learn; True when a model was released.

    There is, when corrections came since the last finished round, and as long as rounds on the
    same corrections still lead to better models: it stops after `rounds_without_progress` that
    did not.
    """
    known = room.store.learning.learning_set(roi_name)
    if not _is_due(room, roi_name, known):
        return False
    model = room.settings.model
    train = _readable_cases(room, known.train, model)
    validation = _readable_cases(room, known.validation, model)
    if not train or not validation:
        return False  # nothing could be judged: the gate needs a validation case
    return _run_round(room, roi_name, known, (train, validation), should_stop)


def _is_due(room: Room, roi_name: str, known: LearningSet) -> bool:
    if not known.train or not known.validation:
        return False
    patience = room.settings.training.rounds_without_progress
    newest = room.store.learning.rounds(roi_name, newest=patience + 5)
    finished = [r for r in newest if r.state == DONE][:patience]
    same = [r for r in finished if r.corrections == known.ids()]
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
    rounds_before = store.learning.round_count(roi_name)
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
    in_service = _in_service(room, roi_name)
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
        training=settings.training,
        rng=np.random.default_rng([settings.training.seed, rounds_before]),
        progress=progress,
        should_stop=should_stop,
    )
    if should_stop():
        return False  # the next start abandons this round and begins anew
    verdict = judge(candidate.dice_by_case, _scores_in_service(room, in_service, known, validation))
    released = _release(room, started, candidate, in_service) if verdict.promoted else None
    store.learning.finish_round(
        started.id, verdict=verdict.sentence, now=room.now(), released=released
    )
    log.info("round.finished", roi=roi_name, verdict=verdict.sentence)
    return released is not None


def _in_service(room: Room, roi_name: str) -> LoadedModel | None:
    released = room.store.learning.released(roi_name)
    return None if released is None else load(room.models_folder, released.version)


def _start_weights(room: Room, in_service: LoadedModel | None) -> Weights | None:
    """The weights in service, if they fit today's network settings; else none: from scratch."""
    if in_service is None:
        return None
    if in_service.description.config != NetworkConfig.of(room.settings.model):
        log.warning("round.from_scratch", reason="the model settings were changed")
        return None
    return in_service.weights


def _scores_in_service(
    room: Room,
    in_service: LoadedModel | None,
    known: LearningSet,
    validation: list[TrainingCase],
) -> dict[str, float] | None:
    """What the model in service scores on the same cases, seen as that model sees them."""
    if in_service is None:
        return None
    config = in_service.description.config
    today = room.settings.model
    seen = today.model_copy(
        update={
            "spacing_mm": config.spacing_mm,
            "widths": config.widths,
            "window_hu": config.window_hu,
        }
    )
    if seen != today:
        validation = _readable_cases(room, known.validation, seen)
    return score_weights(in_service.weights, validation, seen)


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


def _readable_cases(
    room: Room, corrections: Sequence[Correction], model: ModelSettings
) -> list[TrainingCase]:
    """The corrections as the network learns them; one that cannot be read is left out, and said."""
    cases = []
    for approved in corrections:
        try:
            cases.append(_training_case(room, approved, model))
        except (RecontourError, OSError) as error:
            log.warning("correction.left_out", correction=approved.id, reason=str(error))
    return cases


def _training_case(room: Room, approved: Correction, model: ModelSettings) -> TrainingCase:
    current = room.store.cases.get(approved.case_id)
    patient_key = hashlib.sha256(current.patient_id.encode()).hexdigest()[:16]
    files = room.store.files

    def make() -> TrainingCase:
        return make_training_case(
            files.read_ct(current.id, approved.assembly).volume,
            files.read_mask(current.id, f"correction-{approved.id}", digest=approved.mask_digest),
            painted=files.read_mask(current.id, f"painted-{approved.id}"),
            settings=model,
            case_id=current.id,
            patient_key=patient_key,
        )

    return cached_training_case(
        room.settings.data_folder / "training",
        approved.id,
        model,
        make,
        case_id=current.id,
        patient_key=patient_key,
    )
