"""Several processes train one round: the first one says what, the others follow.

The first alone owns store, gate and files; the others read nothing but settings and the cache of
cases. Whatever goes wrong in a round ends the process, and torchrun starts all of them again: the
round then goes on from its checkpoint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from app.judging import network_config
from core.config import Settings
from core.errors import UnreadableObjectError
from model.ranks import ALONE, Ranks
from model.registry import Weights
from model.running import Resume
from model.samples import TrainingCase, read_samples
from model.train import Candidate, RoundProgress, train_round

log = structlog.get_logger()

END, NOTHING_YET = "end", "nothing yet"
BROKEN = 70
_KEPT_AS = re.compile(r"(synthetic/)?[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Trainers:
    """Who trains, who watches, and who may end it."""

    should_stop: Callable[[], bool]
    ranks: Ranks = ALONE
    watch: Callable[[RoundProgress], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one training run is over; the same for all processes that take part.

    `augmentation` takes the place of the setting, where it is given.
    """

    roi_name: str
    seed: tuple[int, ...]
    steps: int
    cases: tuple[TrainingCase, ...]
    replay: tuple[TrainingCase, ...] = ()
    augmentation: float | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """What the first process alone does in a run (see `model.train.train_round`)."""

    validation: list[TrainingCase]
    start: Weights | None
    resume: Resume
    memory: Resume | None
    progress: Callable[[RoundProgress], None]
    should_stop: Callable[[], bool]
    pause: Callable[[], None] = lambda: None


def teach(ranks: Ranks, settings: Settings, lesson: Lesson, lead: Lead) -> Candidate:
    """Train, with all processes where there are several, and return what came of it."""
    if ranks.count == 1:
        return _train(ranks, settings, lesson, lead)
    ranks.share_values(_to_json(lesson))
    try:
        return _train(ranks, settings, lesson, lead)
    except Exception:
        # The others wait within the round: nothing can be said to them but to begin again.
        log.exception("round.broken", rank=ranks.rank)
        raise SystemExit(BROKEN) from None


def follow(ranks: Ranks, settings: Settings, should_stop: Callable[[], bool]) -> None:
    """Train what the first process says until it says the end."""
    while (told := ranks.share_values(None)) != END:
        if told == NOTHING_YET:
            continue
        lesson = _from_json(told, settings)
        nothing = Path(os.devnull)
        lead = Lead([], None, Resume(nothing, ""), None, lambda _: None, should_stop)
        _train(ranks, settings, lesson, lead)


def _train(ranks: Ranks, settings: Settings, lesson: Lesson, lead: Lead) -> Candidate:
    seed = lesson.seed if ranks.first else (*lesson.seed, ranks.rank)
    training = settings.training
    if lesson.augmentation is not None:
        training = training.model_copy(update={"augmentation": lesson.augmentation})
    candidate = train_round(
        lesson.cases,
        lead.validation,
        start=lead.start,
        settings=settings.model,
        config=network_config(settings, lesson.roi_name),
        training=training,
        rng=np.random.default_rng(seed),
        progress=lead.progress,
        should_stop=lead.should_stop,
        steps=lesson.steps,
        replay=lesson.replay,
        resume=lead.resume,
        memory=lead.memory,
        pause=lead.pause,
        ranks=ranks,
    )
    if ranks.count > 1:
        log.info("ranks.equal", rank=ranks.rank, digest=candidate.digest)
    return candidate


def _to_json(lesson: Lesson) -> dict[str, Any]:
    def told(case: TrainingCase) -> dict[str, Any]:
        names = ("case_id", "patient_key", "emphasis", "kept_as")
        return {name: getattr(case, name) for name in names}

    return {
        "roi_name": lesson.roi_name,
        "seed": lesson.seed,
        "steps": lesson.steps,
        "augmentation": lesson.augmentation,
        "cases": [told(case) for case in lesson.cases],
        "replay": [told(case) for case in lesson.replay],
    }


def _from_json(told: dict[str, Any], settings: Settings) -> Lesson:
    def case(found: dict[str, Any]) -> TrainingCase:
        if not _KEPT_AS.fullmatch(found["kept_as"]):
            raise UnreadableObjectError(f"{found['kept_as'][:80]!r} names no kept case.")
        folder = settings.data_folder / "training"
        coarse, fine = read_samples(folder, found["kept_as"], settings.model)
        made = TrainingCase(found["case_id"], found["patient_key"], coarse, fine)
        return replace(made, emphasis=found["emphasis"], kept_as=found["kept_as"])

    return Lesson(
        told["roi_name"],
        tuple(told["seed"]),
        told["steps"],
        tuple(case(each) for each in told["cases"]),
        tuple(case(each) for each in told["replay"]),
        told["augmentation"],
    )
