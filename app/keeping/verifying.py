"""Whether what is on disk is what the rows say: every object, CT, mask and model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from app.room import Room
from core.errors import ModelUnavailableError, ObsoleteModelError, UnreadableObjectError
from core.kept_structures import kept_structures
from core.model_files import require_whole
from core.records import STROKES
from dicom_node.network.inbox import content_digest

Check = Callable[[], str]
"""Says in a sentence what is wrong, or nothing."""


def checks(room: Room) -> list[Check]:
    """One for each file that a row names, to be asked one after another: they read it whole."""
    return [*_instances(room), *_volumes(room), *_masks(room), *_models(room)]


def _instances(room: Room) -> Iterator[Check]:
    for path, digest in room.store.instances.digests().items():
        yield partial(_instance, room, path, digest)


def _instance(room: Room, path: str, digest: str) -> str:
    try:
        content = room.path(path).read_bytes()
    except FileNotFoundError:
        return f"{path} is missing; restore it from the backup, or send it again."
    if content_digest(content) != digest:
        return f"{path} is not what was received; restore it from the backup."
    return ""


def _volumes(room: Room) -> Iterator[Check]:
    for current in room.store.cases.all():
        if current.assembly is not None:
            yield partial(_volume, room, current.id, current.assembly)


def _volume(room: Room, case_id: str, assembly: str) -> str:
    try:
        room.store.files.require_whole_ct(case_id, assembly)
    except (UnreadableObjectError, ValueError) as error:  # ValueError: cut short
        return f"Case {case_id}: {error}"
    return ""


def _masks(room: Room) -> Iterator[Check]:
    names = kept_structures(room.store.engine)
    for current in room.store.cases.all():
        for prediction_id in room.store.teaching.predictions(current.id):
            made = room.store.cases.prediction(prediction_id)
            yield partial(_mask, room, current.id, f"prediction-{made.id}", made.mask_digest)
        for name in names:
            for taught in room.store.teaching.corrections(current.id, name):
                if taught.origin != STROKES:
                    file = f"correction-{taught.id}"
                    yield partial(_mask, room, current.id, file, taught.mask_digest)
        for found in room.store.observations.of_case(current.id):
            if found.mask_digest is not None:
                file = f"observation-{found.id}"
                yield partial(_mask, room, current.id, file, found.mask_digest)


def _mask(room: Room, case_id: str, name: str, digest: str) -> str:
    try:
        room.store.files.read_mask(case_id, name, digest=digest)
    except UnreadableObjectError as error:
        return f"Case {case_id}: {error}"
    return ""


def _models(room: Room) -> Iterator[Check]:
    for name in kept_structures(room.store.engine):
        for version in room.store.learning.versions(name):
            yield partial(_model, room, version.version)


def _model(room: Room, version: str) -> str:
    try:
        require_whole(room.models_folder, version)
    except ObsoleteModelError:
        return ""  # whole, and no longer used
    except ModelUnavailableError as error:
        return str(error)
    return ""
