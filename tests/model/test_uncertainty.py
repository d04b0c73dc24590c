"""What a prediction gives away about itself, on networks whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.boxed import ENTROPY_OF
from core.config import ModelSettings
from core.geometry import Mask
from core.volume import Volume
from model.oddities import CUT, NOTHING, UNKNOWN, oddities, population_of
from model.predict import Prediction, Predictor
from model.preprocess import dice
from model.registry import load, publish
from model.uncertainty import Place, entropy_bits
from tests.model.doubtful import SURE, estimates
from tests.model.test_predict import brightness_described
from tests.support.brightness import brightness_cascade, set_bias
from tests.support.settings import config_of

PEOPLE = population_of([estimates(np.random.default_rng(n)).place for n in range(20)])


def predict(
    folder: Path, settings: ModelSettings, volume: Volume, *, bias: float = -14.0
) -> Prediction:
    cascade = brightness_cascade(config_of(settings))
    set_bias(cascade, bias)
    version = publish(folder, cascade.state_dict(), brightness_described(settings))
    return Predictor(settings).predict(volume, load(folder, version), with_doubts=True)


def test_entropy_is_nothing_where_the_network_is_sure_and_a_bit_where_it_is_torn() -> None:
    found = entropy_bits(np.array([0.0, 1.0, 0.5, 0.11], np.float32))
    np.testing.assert_allclose(found, [0.0, 0.0, 1.0, 0.49992], atol=1e-4)
    assert (ENTROPY_OF[0], ENTROPY_OF[255]) == (0, 0)
    assert {ENTROPY_OF[127], ENTROPY_OF[128]} == {255}
    np.testing.assert_array_equal(ENTROPY_OF, ENTROPY_OF[::-1])


def test_a_clear_structure_is_steady_whole_and_where_both_networks_see_it(
    tmp_path: Path, settings: ModelSettings, sphere: tuple[Volume, Mask]
) -> None:
    volume, ball = sphere
    proposed = predict(tmp_path, settings, volume)
    found = proposed.estimates
    assert found is not None
    assert found.agreement > 0.8  # blocks of 16 mm on the coarse grid
    assert found.steadiness > 0.85
    assert found.largest_share == 1.0
    assert (found.cut, found.fills_box) == ((), False)
    assert found.place.volume_cc == pytest.approx(volume.geometry.volume_cc(ball), rel=0.1)
    assert found.place.mean_hu == pytest.approx(40.0, abs=10.0)


def test_the_probability_on_the_ct_is_undecided_at_the_edge_alone(
    tmp_path: Path, settings: ModelSettings, sphere: tuple[Volume, Mask]
) -> None:
    volume, ball = sphere
    boxed = predict(tmp_path, settings, volume).probability
    assert boxed is not None
    assert boxed.shape == volume.geometry.shape
    whole = np.zeros(boxed.shape, np.uint8)
    whole[boxed.box] = boxed.values
    assert dice(whole > 127, ball) > 0.9
    points = np.indices(ball.shape).reshape(3, -1).T
    away = np.linalg.norm((points - (19.3, 17.8, 21.1)) * 4.0, axis=1).reshape(ball.shape)
    undecided = ENTROPY_OF[whole] > 128
    assert undecided.any()
    assert np.abs(away[undecided] - 35.0).max() < 10.0


def test_an_empty_prediction_says_that_there_is_no_organ(
    tmp_path: Path, settings: ModelSettings, sphere: tuple[Volume, Mask]
) -> None:
    proposed = predict(tmp_path, settings, sphere[0], bias=-100.0)
    assert proposed.estimates is not None
    assert proposed.probability is not None
    assert proposed.probability.values.size == 0
    (odd,) = oddities(proposed.estimates, PEOPLE, "Heart")
    assert (odd.kind, odd.sentence) == (NOTHING, "No Heart was found in this scan.")


@pytest.mark.parametrize(
    ("part", "end"),
    [(slice(0, 20), "upper"), (slice(20, 40), "lower")],
)
def test_a_mask_that_ends_with_the_scan_is_cut(
    tmp_path: Path,
    settings: ModelSettings,
    sphere: tuple[Volume, Mask],
    part: slice,
    end: str,
) -> None:
    volume = sphere[0]
    box = (part, slice(0, 36), slice(0, 44))
    proposed = predict(tmp_path, settings, Volume(volume.values[box], volume.geometry.cut(box)))
    assert proposed.estimates is not None
    assert proposed.estimates.cut == (end,)
    kinds = {o.kind: o.sentence for o in oddities(proposed.estimates, {}, "Heart")}
    assert kinds[CUT] == f"Heart reaches the {end} end of the scan; it may be cut off there."


def test_nothing_is_odd_about_a_structure_like_all_others() -> None:
    assert oddities(SURE, PEOPLE, "Heart") == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (replace(SURE.place, volume_cc=60.0), "60 cc instead of about"),
        (replace(SURE.place, left_mm=-60.0), "too far to the right"),
        (replace(SURE.place, back_mm=60.0), "too far to the back"),
        (replace(SURE.place, lung_share=0.0), "0% of what surrounds Heart is lung"),
        (replace(SURE.place, mean_hu=-300.0), "mean of -300 HU"),
    ],
)
def test_what_is_unlike_all_others_is_told_with_its_figure(place: Place, words: str) -> None:
    (odd,) = oddities(replace(SURE, place=place), PEOPLE, "Heart")
    assert odd.kind == UNKNOWN
    assert words in odd.sentence


def test_contrast_medium_is_not_odd_but_metal_is() -> None:
    enhanced = estimates(np.random.default_rng(1))
    for mean_hu, told in ((280.0, False), (700.0, True)):
        found = replace(enhanced, place=replace(enhanced.place, mean_hu=mean_hu))
        assert bool(oddities(found, PEOPLE, "Heart")) is told


def test_networks_that_disagree_on_where_it_is_are_told() -> None:
    (odd,) = oddities(replace(SURE, agreement=0.2), PEOPLE, "Heart")
    assert (odd.kind, odd.sentence) == (
        UNKNOWN,
        "The two networks disagree on Heart (Dice 0.20).",
    )
