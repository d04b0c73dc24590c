"""What there is to learn: from the approved corrections to a model that passed the gate, or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from app.checking import check_what_is_new
from app.room import Room
from app.rounds import end_round, run_round
from app.together import Trainers
from core.learning_store import LearningSet
from core.records import Round

log = structlog.get_logger()

# Strokes that somebody may still go on with teach nothing yet.
STROKES_REST = timedelta(hours=1)


def learn_what_is_new(room: Room, roi_name: str, trainers: Trainers) -> bool:
    """Run one round if there is something to learn; True when a model was released.

    There is, when corrections came since the last finished round, and as long as rounds on the
    same corrections still lead to better models: it stops after `rounds_without_progress` that
    did not. After a rollback it waits until the corrections are others.
    """
    known = _learning_set(room, roi_name)
    if not _is_due(room, roi_name, known):
        return False
    outcome = run_round(room, roi_name, known, trainers)
    return outcome is not None and outcome.released


def challenge(room: Room, roi_name: str, trainers: Trainers) -> bool:
    """Try once whether to begin anew leads further, where rounds rest; True when it was released.

    Anything new to learn, of any structure, ends it at once: ordinary rounds go first.
    """
    if room.settings.training.challenger_steps == 0:
        return False
    before = _all_learning_sets(room)
    if any(_is_due(room, name, known) for name, known in before.items()):
        return False
    known = before[roi_name]
    if not _is_due_a_challenger(room, roi_name, known):
        return False
    for_now = replace(trainers, should_stop=_or_something_new(room, before, trainers.should_stop))
    outcome = run_round(room, roi_name, known, for_now, challenger=True)
    if outcome is None:
        return False
    if not outcome.finished and not trainers.should_stop():
        end_round(room, roi_name, outcome, "Challenger: ended, since there is something to learn.")
        log.info("challenger.ended", roi=roi_name)
    return outcome.released


def _learning_set(room: Room, roi_name: str) -> LearningSet:
    """What was approved, and where the settings say so the strokes that nobody approved."""
    check_what_is_new(room, roi_name)
    known = room.store.learning.learning_set(roi_name)
    if not room.settings.training.learn_from_strokes:
        return known
    now = room.now()
    strokes = room.store.teaching.take_strokes(roi_name, at_rest_since=now - STROKES_REST, now=now)
    return replace(known, train=(*known.train, *strokes))


def _all_learning_sets(room: Room) -> dict[str, LearningSet]:
    return {s.name: _learning_set(room, s.name) for s in room.settings.structures}


def _or_something_new(
    room: Room, before: dict[str, LearningSet], should_stop: Callable[[], bool]
) -> Callable[[], bool]:
    """Whether to stop: because we are asked to, or because `before` is not all any more."""
    known = {name: found.ids() for name, found in before.items()}
    looked_at = time.monotonic()

    def stop() -> bool:
        nonlocal looked_at
        if should_stop():
            return True
        if time.monotonic() - looked_at < room.settings.training.poll_s:
            return False
        looked_at = time.monotonic()
        return {name: found.ids() for name, found in _all_learning_sets(room).items()} != known

    return stop


def _is_due(room: Room, roi_name: str, known: LearningSet) -> bool:
    if not known.train or not known.validation:
        return False
    newest = _newest_finished(room, roi_name)
    return not _rolled_back(room, roi_name, known, newest) and not _in_vain(room, known, newest)


def _is_due_a_challenger(room: Room, roi_name: str, known: LearningSet) -> bool:
    """Whether rounds on these corrections rest, and none has begun anew on them."""
    if not known.train or not known.validation:
        return False
    newest = _newest_finished(room, roi_name)
    return (
        _in_vain(room, known, newest)
        and not _rolled_back(room, roi_name, known, newest)
        and not room.store.learning.was_challenged(roi_name, known.ids())
    )


def _newest_finished(room: Room, roi_name: str) -> list[Round]:
    patience = room.settings.training.rounds_without_progress
    return room.store.learning.rounds(roi_name, newest=patience, finished=True)


def _in_vain(room: Room, known: LearningSet, newest: list[Round]) -> bool:
    """Whether as many rounds as are allowed led nowhere on these corrections."""
    same = [r for r in newest if r.corrections == known.ids()]
    patience = room.settings.training.rounds_without_progress
    return len(same) == patience and all(r.version is None for r in same)


def _rolled_back(room: Room, roi_name: str, known: LearningSet, newest: list[Round]) -> bool:
    """Whether a person changed what is in service: the same would only be learned once more."""
    by_hand = room.store.models.state(roi_name).changed_by_hand_at
    same = [r for r in newest if r.corrections == known.ids()]
    return by_hand is not None and any(r.started_at < by_hand for r in same)
