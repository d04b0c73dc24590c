"""Our recipe in the stream: whole volumes, whole approved structures, the gate, the registry."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.experiment.physician import Corrected
from app.synthetic_cases import (
    FIRST_SEED,
    MOST_REPLAYED,
    replayed_cases,
    sentinel_cases,
    synthetic_case,
)
from benchmarks.stream.budget import seconds_a_step
from benchmarks.stream.patients import SimulatedPatient
from benchmarks.stream.sizes import Size
from core.case import Split, next_split
from core.config import ModelSettings, load_settings
from core.geometry import Mask
from model.gate import Verdict, judge
from model.labels import Labels
from model.metrics import CaseScore, mean_of, score_weights
from model.predict import Predictor, choose_device
from model.registry import LoadedModel, ModelDescription, NetworkConfig, Weights, load, publish
from model.running import Resume
from model.samples import TrainingCase, cached_training_case, make_training_case
from model.train import Candidate, train_round

CONFIG = Path(__file__).parents[2] / "config.yaml"


class Ours:
    """What the trainer of the node does with each approved case; one round for each patient.

    `starting_model` is the folder of a version of a registry; from random weights without.
    """

    def __init__(self, folder: Path, size: Size, *, seed: int, starting_model: Path | None) -> None:
        self._folder, self._size, self._seed = folder, size, seed
        settings = load_settings(CONFIG)
        self._released: LoadedModel | None = None
        # Scores of the released version.
        self._known: dict[str, CaseScore] = {}
        self._known_sentinel: dict[str, CaseScore] = {}
        self._sets: dict[Split, list[TrainingCase]] = {Split.TRAIN: [], Split.VALIDATION: []}
        if starting_model is None:
            self._settings = _small(settings.model, size)
            self._config = NetworkConfig.of(self._settings, settings.structures[0])
        else:
            start = load(starting_model.parent, starting_model.name)
            publish(self._registry, start.weights, start.description)
            self._released, self._config = start, start.description.config
            self._settings = _as_of(settings.model, self._config)
            for number in range(FIRST_SEED, FIRST_SEED + MOST_REPLAYED):
                synthetic_case(self._size_folder, self._settings, number)
        self._training = settings.training
        self._unspent_s = 0.0
        self._predictor = Predictor(self._settings)
        cold = starting_model is not None
        self._replay = replayed_cases(self._size_folder, self._settings) if cold else []
        self._sentinel = sentinel_cases(self._size_folder, self._settings) if cold else []

    def version(self) -> str | None:
        """The released version."""
        return None if self._released is None else self._released.version

    def propose(self, patient: SimulatedPatient) -> Mask:
        """On the whole CT, without a box."""
        if self._released is None:
            return np.zeros_like(patient.heart)
        return self._predictor.predict(patient.volume, self._released).mask

    def learn(self, number: int, patient: SimulatedPatient, corrected: Corrected) -> dict[str, Any]:
        """The whole approved structure is learned, painted voxels weighing more."""
        split = self._join(number, lambda: self._made(number, patient, corrected))
        self._unspent_s += self._size.training_s
        figures: dict[str, Any] = {"split": str(split), "training_s": 0.0, "cpu_s": 0.0}
        train, validation = self._sets[Split.TRAIN], self._sets[Split.VALIDATION]
        if validation:
            start = time.process_time()
            steps, training_s = self._steps(train)
            memory = self._recalled(number)
            rng = [self._seed, number, 5]
            candidate = self._round(train, validation, steps, rng=rng, memory=memory)
            memory.path.rename(self._memory_after(number))
            figures |= {"training_s": training_s, "steps": steps, "losses": _ends(candidate)}
            figures |= self._judged(candidate, validation)
            figures["cpu_s"] = time.process_time() - start
        return figures | {"version": self.version(), "unspent_s": self._unspent_s}

    def keep(self, patients: int) -> None:
        """Cases and versions are on disk as soon as they exist; old states of learning go."""
        self._memory_after(patients - 3).unlink(missing_ok=True)

    def restore(self, done: list[dict[str, Any]]) -> None:
        """Cases, the released version, and what of the budget is left."""
        for number in range(len(done)):
            self._join(number, _not_on_disk)
        if done and done[-1]["version"] is not None:
            self._released = load(self._registry, done[-1]["version"])
        if done:
            self._unspent_s = float(done[-1]["unspent_s"])

    @property
    def _registry(self) -> Path:
        return self._folder / "models"

    @property
    def _size_folder(self) -> Path:
        return self._folder.parent.parent

    def _made(self, number: int, patient: SimulatedPatient, corrected: Corrected) -> TrainingCase:
        return make_training_case(
            patient.volume,
            Labels.approved(
                corrected.approved,
                corrected.red | corrected.green,
                slices_seen=corrected.slices_seen,
            ),
            settings=self._settings,
            case_id=f"{number:03d}",
            patient_key=patient.name,
            dose=patient.dose,
        )

    def _join(self, number: int, make: Any) -> Split:
        name = f"{number:03d}"
        case = cached_training_case(
            self._folder / "cases", name, self._settings, make, case_id=name, patient_key=name
        )
        split = next_split(len(self._sets[Split.TRAIN]), len(self._sets[Split.VALIDATION]))
        self._sets[split].append(case)
        return split

    def _steps(self, train: Sequence[TrainingCase]) -> tuple[int, float]:
        """Steps that the unspent seconds buy, and what they cost."""
        key = "ours-cold" if self._replay else "ours"
        cost = seconds_a_step(
            self._size_folder, key, lambda n: self._round(train[:1], [], n, rng=[0])
        )
        steps = max(1, int(self._unspent_s / cost))
        self._unspent_s -= steps * cost
        return steps, steps * cost

    def _recalled(self, number: int) -> Resume:
        """Where learning stood after the patient before: a killed run begins its patient anew."""
        memory = Resume(self._folder / "memory" / "now.ckpt", "the stream")
        memory.path.parent.mkdir(parents=True, exist_ok=True)
        before = self._memory_after(number - 1)
        if before.is_file():
            shutil.copyfile(before, memory.path)
        else:
            memory.path.unlink(missing_ok=True)
        return memory

    def _memory_after(self, number: int) -> Path:
        return self._folder / "memory" / f"{number:03d}.ckpt"

    def _round(
        self,
        train: Sequence[TrainingCase],
        validation: Sequence[TrainingCase],
        steps: int,
        *,
        rng: list[int],
        memory: Resume | None = None,
    ) -> Candidate:
        # Rounds are short here: one look at the end, where the learning rate is low.
        once = {"validate_every": steps}
        return train_round(
            train,
            validation,
            start=None if self._released is None else self._released.weights,
            settings=self._settings,
            config=self._config,
            training=self._training.model_copy(update=once),
            rng=np.random.default_rng(rng),
            progress=lambda _: None,
            should_stop=lambda: False,
            steps=steps,
            replay=self._replay,
            memory=memory,
        )

    def _judged(self, candidate: Candidate, validation: Sequence[TrainingCase]) -> dict[str, Any]:
        """The verdict; a promoted candidate is published, read back and measured once more."""
        before = self._scores_of_released(validation)
        sentinel = self._scores(candidate.weights, self._sentinel)
        verdict = self._verdict(candidate, before, sentinel)
        figures: dict[str, Any] = {
            "verdict": verdict.sentence,
            "validation_before": None if before is None else mean_of(before),
            "validation_candidate": candidate.validation_dice,
        }
        if verdict.promoted:
            self._released = load(self._registry, self._publish(candidate))
            self._known, self._known_sentinel = {}, sentinel
            figures["validation_after"] = mean_of(self._scores_of_released(validation) or {})
        return figures | {"promoted": verdict.promoted}

    def _verdict(
        self,
        candidate: Candidate,
        before: dict[str, CaseScore] | None,
        sentinel: dict[str, CaseScore],
    ) -> Verdict:
        if self._released is None or not sentinel:
            return judge(candidate.scores, before)
        if not self._known_sentinel:
            self._known_sentinel = self._scores(self._released.weights, self._sentinel)
        return judge(
            candidate.scores,
            before,
            sentinel=sentinel,
            released_sentinel=self._known_sentinel,
        )

    def _scores_of_released(
        self, validation: Sequence[TrainingCase]
    ) -> dict[str, CaseScore] | None:
        if self._released is None:
            return None
        new = [case for case in validation if case.case_id not in self._known]
        self._known |= self._scores(self._released.weights, new)
        return dict(self._known)

    def _scores(self, weights: Weights, cases: Sequence[TrainingCase]) -> dict[str, CaseScore]:
        return score_weights(weights, self._config, cases, choose_device(self._settings))

    def _publish(self, candidate: Candidate) -> str:
        description = ModelDescription(
            roi_name="Heart",
            config=self._config,
            code_version="benchmark",
            parent=self.version(),
            training_set=tuple(case.case_id for case in self._sets[Split.TRAIN]),
            scores={case: score.to_json() for case, score in candidate.scores.items()},
            created_at="2026-01-01T00:00:00+00:00",
        )
        return publish(self._registry, candidate.weights, description)


def _small(shipped: ModelSettings, size: Size) -> ModelSettings:
    """The shipped settings with the networks of this size; one thread, no GPU."""
    stages = {
        "coarse": (size.coarse_mm, size.coarse_patch),
        "fine": (size.fine_mm, size.fine_patch),
    }
    update: dict[str, Any] = {"device": "cpu", "threads": 1}
    for stage, (spacing_mm, patch) in stages.items():
        changes = {
            "spacing_mm": (spacing_mm,) * 3,
            "widths": size.widths,
            "patch_voxels": patch,
        }
        update[stage] = getattr(shipped, stage).model_copy(update=changes)
    return shipped.model_copy(update=update)


def _as_of(shipped: ModelSettings, config: NetworkConfig) -> ModelSettings:
    """The shipped settings with the networks of a model that exists."""
    update: dict[str, Any] = {
        "device": "cpu",
        "threads": 1,
        "window_hu": config.window_hu,
        "box_margin_mm": config.box_margin_mm,
    }
    for stage in ("coarse", "fine"):
        known = getattr(config, stage)
        changes = {"spacing_mm": known.spacing_mm, "widths": known.widths}
        update[stage] = getattr(shipped, stage).model_copy(update=changes)
    return shipped.model_copy(update=update)


def _ends(candidate: Candidate) -> list[float]:
    """Mean loss of the first and of the last tenth of the round."""
    tenth = max(1, len(candidate.losses) // 10)
    first, last = candidate.losses[:tenth], candidate.losses[-tenth:]
    return [float(np.mean(first)), float(np.mean(last))]


def _not_on_disk() -> TrainingCase:
    raise FileNotFoundError("A case of this run is no longer on disk; remove the run's folder.")
