"""New and hard cases come more often."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from core.config import ModelSettings, TrainingSettings
from core.volume import Volume
from model.labels import Labels
from model.sampler import Sampler
from model.samples import TrainingCase, make_training_case

DRAWS = 600


@pytest.fixture
def case(settings: ModelSettings, sphere: tuple[Volume, np.ndarray]) -> TrainingCase:
    volume, ball = sphere
    return make_training_case(
        volume, Labels.imported(ball), settings=settings, case_id="a", patient_key="a"
    )


def drawn(sampler: Sampler) -> Counter[int]:
    """How often each case is drawn, without cutting its patches."""
    return Counter(sampler._draw() for _ in range(DRAWS))


def test_a_case_with_emphasis_two_is_drawn_about_twice_as_often(
    case: TrainingCase, settings: ModelSettings, training: TrainingSettings
) -> None:
    cases = [case, replace(case, emphasis=2.0), case]
    counts = drawn(Sampler(cases, [], settings, training, np.random.default_rng(0)))
    assert counts[1] / counts[0] == pytest.approx(2.0, rel=0.25)
    assert counts[1] / counts[2] == pytest.approx(2.0, rel=0.25)


def test_a_harder_case_is_drawn_more_often_but_not_without_bound(
    case: TrainingCase, settings: ModelSettings, training: TrainingSettings
) -> None:
    sampler = Sampler([case, case, case], [], settings, training, np.random.default_rng(0))
    for number, loss in enumerate((0.1, 0.2, 9.0)):
        sampler._drawn = [number]
        sampler.learned(loss)
    counts = drawn(sampler)
    # Losses count from half to twice their mean: 0.5, 0.5 and 2.
    assert counts[2] / counts[0] == pytest.approx(4.0, rel=0.35)
    assert counts[1] / counts[0] == pytest.approx(1.0, rel=0.35)
