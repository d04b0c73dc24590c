"""A round while it runs, with all that must be kept to go on with it in another process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch

from core.files import disk_alarm
from model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from model.keeper import Keeper, Look
from model.learner import Learner
from model.metrics import CaseScore
from model.ranks import Ranks
from model.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a round keeps its checkpoint, or learning its memory, and the key of what it is."""

    path: Path
    key: str
    reserve_mb: int = 0
    """Megabytes that stay free: below, no checkpoint is written, and the one before stays."""


@dataclass(slots=True)
class Running:
    """What learns, what is kept of it, what it learns from; `losses` of the steps taken."""

    learner: Learner
    keeper: Keeper
    sampler: Sampler
    rng: np.random.Generator
    ranks: Ranks
    losses: list[float] = field(default_factory=list)

    def take_up(self, resume: Resume | None, memory: Resume | None) -> None:
        """Stand where the checkpoint of `resume` does, if there is one, all processes alike.

        Without, where the round before left its `memory`, but at the first step.
        """
        found = self._read(resume)
        if found is not None:
            self._restore(found)
        elif (remembered := self._read(memory)) is not None:
            self.learner.restore(remembered.tensors)
        if self.ranks.count > 1:
            own = safetensors.torch.save(self.learner.state()) if self.ranks.first else b""
            self.learner.restore(safetensors.torch.load(self.ranks.share(own)))
        values = self.ranks.share_values(None if found is None else found.values)
        if values is None:
            return
        self.losses = [float(loss) for loss in values["losses"]]
        if self.ranks.rank < len(values["ranks"]):  # one more than before draws its own chance
            mine = values["ranks"][self.ranks.rank]
            self.sampler.restore(mine["sampler"])
            self.rng.bit_generator.state = mine["random"]

    def keep(self, resume: Resume | None) -> None:
        """Write a checkpoint, where the round has one; all processes call it after one step."""
        mine = {"sampler": self.sampler.state(), "random": self.rng.bit_generator.state}
        ranks = self.ranks.gather_values(mine)
        if resume is None or not self.ranks.first or _is_full(resume):
            return
        keeper = self.keeper
        best = {f"best.{name}": value for name, value in (keeper.best or {}).items()}
        values = {
            "key": resume.key,
            "losses": self.losses,
            "best_dice": keeper.best_dice,
            "scores": {case: s.to_json() for case, s in keeper.scores.items()},
            "looks": keeper.looks,
            "ranks": ranks,
        }
        write_checkpoint(resume.path, self.learner.state() | best, values)

    def remember(self, memory: Resume | None) -> None:
        """Leave what was learned to the next round, where it has a memory."""
        if memory is not None and self.ranks.first:
            write_checkpoint(memory.path, self.learner.state(), {"key": memory.key})

    def digest(self) -> str:
        """SHA-256 of the weights, live and averaged."""
        found = hashlib.sha256()
        for network in (self.learner.live, self.learner.averaged):
            for value in network.state_dict().values():
                found.update(value.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    def _read(self, kept: Resume | None) -> Checkpoint | None:
        if kept is None or not self.ranks.first:
            return None
        return read_checkpoint(kept.path, key=kept.key)

    def _restore(self, found: Checkpoint) -> None:
        self.learner.restore(found.tensors)
        values: dict[str, Any] = found.values
        best = {n[len("best.") :]: v for n, v in found.tensors.items() if n.startswith("best.")}
        keeper = self.keeper
        keeper.best, keeper.best_dice = best or None, values["best_dice"]
        keeper.scores = {case: CaseScore.from_json(s) for case, s in values["scores"].items()}
        keeper.looks = [Look(*look) for look in values["looks"]]


def _is_full(resume: Resume) -> bool:
    folder = resume.path.parent
    return folder.is_dir() and bool(disk_alarm(folder, reserve_mb=resume.reserve_mb))
