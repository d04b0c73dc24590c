"""What the trainer learns from as cases, and how a candidate is judged on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import structlog

from app.labelling import labels_of
from app.room import Room
from app.synthetic_cases import replayed_for, sentinel_cases
from core.case import Split
from core.config import ModelSettings, Settings
from core.errors import ObsoleteModelError, RecontourError
from core.geometry import require_same_frame_of_reference
from core.learning_store import LearningSet
from core.records import Case, Correction
from core.volume import Volume
from model.gate import Verdict, judge
from model.metrics import CaseScore, score_weights
from model.predict import choose_device
from model.registry import LoadedModel, NetworkConfig, Weights, load
from model.samples import TrainingCase, cached_training_case, make_training_case

log = structlog.get_logger()


def judge_candidate(
    room: Room,
    weights: Weights,
    scores: dict[str, CaseScore],
    in_service: LoadedModel | None,
    known: LearningSet,
    validation: list[TrainingCase],
) -> Verdict:
    """The gate, with sentinel cases where a starting model was built here."""
    before = _scores_in_service(room, in_service, known, validation)
    model, folder = room.settings.model, room.settings.data_folder
    if in_service is None:
        return judge(scores, before)
    roi_name = in_service.description.roi_name
    config = network_config(room.settings, roi_name)
    if not replayed_for(roi_name, folder, model):
        return judge(scores, before)
    if in_service.description.config != config:
        return judge(scores, before)
    sentinel, device = sentinel_cases(folder, model), choose_device(model)
    return judge(
        scores,
        before,
        sentinel=score_weights(weights, config, sentinel, device),
        released_sentinel=score_weights(in_service.weights, config, sentinel, device),
    )


def judge_on_validation(room: Room, roi_name: str, weights: Weights) -> Verdict:
    """Judge weights that did not come from a round against the model in service."""
    known = room.store.learning.learning_set(roi_name)
    model = room.settings.model
    validation = readable_cases(room, known.validation, model)
    config = network_config(room.settings, roi_name)
    scores = score_weights(weights, config, validation, choose_device(model))
    return judge_candidate(room, weights, scores, in_service_of(room, roi_name), known, validation)


def network_config(settings: Settings, roi_name: str) -> NetworkConfig:
    """What a model of the structure that is trained today looks like."""
    return NetworkConfig.of(settings.model, settings.structure_named(roi_name))


def in_service_of(room: Room, roi_name: str) -> LoadedModel | None:
    """What the trainer goes on from and judges against, with its weights; None before the first.

    The model in service; while that one is pinned, the newest that waits behind it. One of networks
    that are no longer used counts as none: nobody can go on from it or measure it.
    """
    tip = room.store.models.tip(roi_name)
    if tip is None:
        return None
    try:
        return load(room.models_folder, tip.version)
    except ObsoleteModelError as error:
        log.warning("model.obsolete", roi=roi_name, reason=str(error))
        return None


def _scores_in_service(
    room: Room,
    in_service: LoadedModel | None,
    known: LearningSet,
    validation: list[TrainingCase],
) -> dict[str, CaseScore] | None:
    """What the model in service scores on the same cases, seen as that model sees them."""
    if in_service is None:
        return None
    config, today = in_service.description.config, room.settings.model
    seen = _seen_by(config, today)
    if seen != today:
        validation = readable_cases(room, known.validation, seen)
    return score_weights(in_service.weights, config, validation, choose_device(today))


def _seen_by(config: NetworkConfig, today: ModelSettings) -> ModelSettings:
    """Today's settings with the spacings of a model that was made with others."""
    coarse = today.coarse.model_copy(update={"spacing_mm": config.coarse.spacing_mm})
    fine = today.fine.model_copy(update={"spacing_mm": config.fine.spacing_mm})
    return today.model_copy(update={"coarse": coarse, "fine": fine})


def readable_cases(
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
    dose_id, dose = _dose_to_judge_on(room, current)

    def make() -> TrainingCase:
        return make_training_case(
            room.store.files.read_ct(current.id, approved.assembly).volume,
            labels_of(room, approved),
            settings=model,
            case_id=current.id,
            patient_key=patient_key,
            dose=dose,
        )

    return cached_training_case(
        room.settings.data_folder / "training",
        # A dose may join days later: then the case is made anew, with it.
        approved.id if dose is None else f"{approved.id}-dose{dose_id}",
        model,
        make,
        case_id=current.id,
        patient_key=patient_key,
    )


def _dose_to_judge_on(room: Room, current: Case) -> tuple[int, Volume | None]:
    """(instance id, plan dose in Gy) of a held-out case; None where it has none to sample."""
    joined = room.store.doses.primary(current.id)
    if current.split is not Split.VALIDATION or joined is None or current.geometry is None:
        return 0, None
    try:
        dose = room.store.files.read_dose(current.id, joined.instance_id)
        require_same_frame_of_reference(dose.geometry, current.geometry)
    except (RecontourError, OSError) as error:
        log.warning("dose.left_out", case=current.id, reason=str(error))
        return 0, None
    even = dose.geometry.slice_offsets_mm is None
    return joined.instance_id, dose if even else None
