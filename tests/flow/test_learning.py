"""The system learns from corrections: from no model to a useful one in six patients.

Synthetic patients arrive one by one. A simulated physician corrects what the released model
proposes, imperfectly; the case goes to training or validation by the paper's rule; a round runs
from the released weights; the candidate passes the gate and the registry, or it does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage, optimize

from app.phantom import Phantom, make_phantom
from core.case import Split, next_split
from core.config import ModelSettings, Settings, StageSettings, TrainingSettings, load_settings
from core.geometry import Mask
from model.gate import judge
from model.labels import Labels
from model.metrics import score_weights
from model.predict import Predictor
from model.preprocess import dice
from model.registry import ModelDescription, NetworkConfig, load, publish
from model.samples import TrainingCase, make_training_case
from model.train import train_round
from tests.support.settings import config_of

CONFIG = Path(__file__).parents[2] / "config.yaml"
SPACING_MM = (6.0, 6.0, 6.0)
# Measured: seeds 0 to 9 end at 0.80 to 0.89; with exchanged masks six seeds end at 0.01 to 0.44.
SEED = 1
PATIENTS = 6
HELD_OUT = 3
FACES = ndimage.generate_binary_structure(3, 1)
IN_PLANE = FACES & (np.arange(3) == 1)[:, None, None]


@dataclass
class Clinic:
    """What the node would hold: settings, the registry, the two sets, the released version."""

    settings: ModelSettings
    training: TrainingSettings
    registry: Path
    rng: np.random.Generator
    released: str | None = None
    sets: dict[Split, list[TrainingCase]] = field(
        default_factory=lambda: {Split.TRAIN: [], Split.VALIDATION: []}
    )

    @property
    def config(self) -> NetworkConfig:
        """What its models look like."""
        return config_of(self.settings)

    def propose(self, phantom: Phantom) -> Mask:
        """What the released model proposes; empty while there is none."""
        if self.released is None:
            return np.zeros_like(phantom.heart)
        model = load(self.registry, self.released)
        return Predictor(self.settings).predict(phantom.volume, model).mask

    def take_in(self, name: str, phantom: Phantom, truth: Mask) -> None:
        """The physician corrects the proposal for this CT; the approved case joins its set."""
        approved, painted = correct(self.propose(phantom), truth, self.rng)
        case = make_training_case(
            phantom.volume,
            Labels.approved(approved, painted, slices_seen=None),
            settings=self.settings,
            case_id=name,
            patient_key=name,
        )
        split = next_split(len(self.sets[Split.TRAIN]), len(self.sets[Split.VALIDATION]))
        self.sets[split].append(case)

    def learn(self) -> str:
        """One round from the released weights, the gate, the registry; the verdict."""
        cases, validation = self.sets[Split.TRAIN], self.sets[Split.VALIDATION]
        parent = None if self.released is None else load(self.registry, self.released)
        candidate = train_round(
            cases,
            validation,
            start=None if parent is None else parent.weights,
            settings=self.settings,
            config=self.config,
            training=self.training,
            rng=self.rng,
            progress=lambda _: None,
            should_stop=lambda: False,
        )
        before = (
            None
            if parent is None
            else score_weights(parent.weights, self.config, validation, torch.device("cpu"))
        )
        verdict = judge(candidate.scores, before)
        if verdict.promoted:
            description = ModelDescription(
                roi_name="Heart",
                config=self.config,
                code_version="test",
                parent=self.released,
                training_set=tuple(case.case_id for case in cases),
                scores={c: s.to_json() for c, s in candidate.scores.items()},
                created_at="2026-01-01T00:00:00+00:00",
            )
            self.released = publish(self.registry, candidate.weights, description)
        return verdict.sentence


def correct(proposal: Mask, truth: Mask, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """The approved mask and what was painted for it: red on what is missing, green on what is not.

    Without a useful proposal the heart is painted whole, with a ragged rim. Otherwise errors are
    painted slice by slice; one slice in ten is overlooked, and most of the tiny errors too.
    """
    if dice(proposal, truth) < 0.5:
        rim = truth & ~ndimage.binary_erosion(truth, FACES)
        red = truth & ~(rim & (rng.random(truth.shape) < 0.15))
        ring = ndimage.binary_dilation(truth, FACES, iterations=4) & ~truth
        green = ring | (proposal & ~truth)
        return ndimage.binary_closing(red, FACES) & ~green, red | green
    red = strokes(truth & ~proposal, rng) & truth
    green = strokes(proposal & ~truth, rng) & ~truth
    return (proposal | red) & ~green, red | green


def strokes(errors: Mask, rng: np.random.Generator) -> Mask:
    """What a brush covers when it follows `errors` in the slices where they are noticed."""
    noticed = np.zeros_like(errors)
    for number in np.flatnonzero(errors.any((1, 2))):
        if rng.random() < 0.1:
            continue
        labels, count = ndimage.label(errors[number])
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        seen = (sizes >= 3) | (rng.random(count + 1) < 0.35)
        seen[0] = False
        noticed[number] = seen[labels]
    return np.asarray(ndimage.binary_dilation(noticed, IN_PLANE), bool)


def fitted(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """`mask` on a grid of another shape, index for index."""
    onto = np.zeros(shape, bool)
    box = tuple(slice(0, min(a, b)) for a, b in zip(mask.shape, shape, strict=True))
    onto[box] = mask[box]
    return onto


def partners(patients: Sequence[Phantom]) -> list[int]:
    """For each patient whose mask it gets in the control: the exchange that fits worst.

    Hearts lie alike in all scans, so a chance exchange may still teach where the heart is.
    """
    overlap = [
        [2.0 if a is b else dice(fitted(b.heart, a.heart.shape), a.heart) for b in patients]
        for a in patients
    ]
    return [int(j) for j in optimize.linear_sum_assignment(overlap)[1]]


def run(
    settings: Settings, registry: Path, *, seed: int, shuffled: bool
) -> list[tuple[int, str | None, float]]:
    """(patients so far, released version, mean held-out Dice) after each patient."""
    patients = [make_phantom(1000 * seed + i, spacing_mm=SPACING_MM) for i in range(PATIENTS)]
    held_out = [make_phantom(1000 * seed + 500 + i, spacing_mm=SPACING_MM) for i in range(HELD_OUT)]
    clinic = Clinic(settings.model, settings.training, registry, np.random.default_rng(seed))
    curve: list[tuple[int, str | None, float]] = [(0, None, held_out_dice(clinic, held_out))]
    whose = partners(patients) if shuffled else list(range(PATIENTS))
    for number, phantom in enumerate(patients):
        truth = fitted(patients[whose[number]].heart, phantom.heart.shape)
        clinic.take_in(f"case-{number}", phantom, truth)
        verdict = clinic.learn()
        curve.append((number + 1, clinic.released, held_out_dice(clinic, held_out)))
        print(f"k={number + 1} held-out Dice {curve[-1][2]:.3f}; {verdict}")
    return curve


def cohort(first: int, count: int) -> list[Phantom]:
    """Synthetic patients of a clinic that gives contrast medium to every second one."""
    return [
        make_phantom(first + i, spacing_mm=SPACING_MM, contrast=i % 2 == 0) for i in range(count)
    ]


def held_out_dice(clinic: Clinic, phantoms: Sequence[Phantom]) -> float:
    return float(np.mean([dice(clinic.propose(p), p.heart) for p in phantoms]))


@pytest.fixture
def settings() -> Settings:
    return small_settings()


def small_settings(**training: object) -> Settings:
    """config.yaml with a coarse, small network and rounds of seconds."""
    settings = load_settings(CONFIG)
    coarse, fine = (
        StageSettings(spacing_mm=SPACING_MM, widths=(16, 32, 64), patch_voxels=(24, 32, 32))
        for _ in range(2)
    )
    model = settings.model.model_copy(
        update={"coarse": coarse, "fine": fine, "device": "cpu", "threads": 1}
    )
    rounds = settings.training.model_copy(
        update={
            "steps_first": 100,
            "steps_per_case": 30,
            "steps_longest": 250,
            "validate_every": 30,
            **training,
        }
    )
    return settings.model_copy(update={"model": model, "training": rounds})


@pytest.mark.slow
def test_six_corrected_patients_make_a_useful_model_from_none(settings, tmp_path):
    curve = run(settings, tmp_path, seed=SEED, shuffled=False)
    assert curve[0][1:] == (None, 0.0)
    assert curve[-1][1] is not None
    assert curve[-1][2] >= 0.75


@pytest.mark.slow
def test_corrections_shuffled_between_the_patients_teach_nothing(settings, tmp_path):
    curve = run(settings, tmp_path, seed=SEED, shuffled=True)
    assert curve[-1][2] < 0.5
