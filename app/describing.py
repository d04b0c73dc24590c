"""What is written down of a new version: what it learned from, and how to make it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.room import SOFTWARE_VERSION, Room
from core.model_card import training_set_hash
from core.records import REVIEWED, Correction
from model.predict import choose_device
from model.registry import NetworkConfig
from model.samples import TrainingCase


def learned_from(
    train: Sequence[Correction],
    validation: Sequence[Correction],
    read: Sequence[TrainingCase],
    replayed: Sequence[TrainingCase],
) -> tuple[str, dict[str, int]]:
    """(hash, counts) of what a round learned from and was judged on.

    Only corrections whose case could be `read` count.
    """
    there = {case.case_id for case in read}
    taught = [c for c in train if c.case_id in there]
    judged = [c for c in validation if c.case_id in there]
    lines = [f"train {c.id} {c.mask_digest}" for c in taught]
    lines += [f"validation {c.id} {c.mask_digest}" for c in judged]
    lines += [f"replayed {case.case_id}" for case in replayed]
    counts = Counter("corrections" if c.origin == REVIEWED else c.origin for c in taught)
    counts["synthetic"] = len(replayed)
    counts["judged on"] = len(judged)
    return training_set_hash(lines), {name: n for name, n in counts.items() if n}


def detail_of(
    room: Room,
    config: NetworkConfig,
    found: tuple[str, dict[str, int]],
    *,
    seed: Sequence[int],
    made_by: str,
) -> dict[str, Any]:
    """What the card of a version says beside its scores; `made_by` is how it came to be."""
    return {
        "config": asdict(config),
        "code_version": SOFTWARE_VERSION,
        "training_set_hash": found[0],
        "learned_from": found[1],
        "seed": list(seed),
        "device": choose_device(room.settings.model).type,
        "threads": room.settings.model.threads,
        "made_by": made_by,
    }
