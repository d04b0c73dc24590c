"""A released model proposes a mask on the CT's own grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.config import ModelSettings
from core.geometry import VolumeGeometry
from core.volume import Volume
from model.predict import Predictor
from model.preprocess import dice
from model.registry import ModelDescription, load, publish
from model.uncertainty import expected_dice
from tests.support.brightness import brightness_cascade, set_bias
from tests.support.settings import config_of


def describe(settings: ModelSettings, **changes: Any) -> ModelDescription:
    return ModelDescription(
        roi_name="Heart",
        config=replace(config_of(settings), **changes),
        code_version="0.1.0",
        parent=None,
        training_set=(),
        scores={},
        created_at="2026-01-02T03:04:05+00:00",
    )


def brightness_described(settings: ModelSettings) -> ModelDescription:
    """With the window that the brightness networks were thought out for."""
    return describe(settings, window_hu=(-160.0, 240.0))


def test_a_bright_ball_is_found_where_it_is(tmp_path, settings, sphere):
    volume, ball = sphere
    weights = brightness_cascade(config_of(settings)).state_dict()
    model = load(tmp_path, publish(tmp_path, weights, brightness_described(settings)))
    prediction = Predictor(settings).predict(volume, model)
    assert prediction.mask.shape == volume.geometry.shape
    assert prediction.mask.dtype == np.bool_
    assert dice(prediction.mask, ball) > 0.9
    middle, true_middle = (np.argwhere(m).mean(0) for m in (prediction.mask, ball))
    np.testing.assert_allclose(middle, true_middle, atol=0.25)
    assert 0.9 < prediction.expected_dice <= 1.0
    assert prediction.probability_mean > 0.9
    assert prediction.seconds > 0


def test_a_ct_of_another_spacing_gets_its_mask_on_its_own_grid(tmp_path, settings, sphere):
    volume, ball = sphere
    halves = np.repeat(np.repeat(volume.values, 2, 1), 2, 2)
    x, y, z = volume.geometry.index_to_mm((0, -0.25, -0.25))
    fine = VolumeGeometry(halves.shape, (x, y, z), (4.0, 2.0, 2.0), "2.25.1")
    weights = brightness_cascade(config_of(settings)).state_dict()
    model = load(tmp_path, publish(tmp_path, weights, brightness_described(settings)))
    mask = Predictor(settings).predict(Volume(halves, fine), model).mask
    assert mask.shape == halves.shape
    assert dice(mask, np.repeat(np.repeat(ball, 2, 1), 2, 2)) > 0.9


def test_nothing_found_is_an_empty_mask_with_no_expected_dice(tmp_path, settings, sphere):
    volume, _ = sphere
    cascade = brightness_cascade(config_of(settings))
    set_bias(cascade, -100.0)
    model = load(tmp_path, publish(tmp_path, cascade.state_dict(), describe(settings)))
    prediction = Predictor(settings).predict(volume, model)
    assert not prediction.mask.any()
    assert prediction.expected_dice == 0.0
    assert prediction.probability_mean == 0.0


def test_a_coarse_network_that_finds_nothing_leaves_nothing_to_contour(tmp_path, settings, sphere):
    volume, _ = sphere
    cascade = brightness_cascade(config_of(settings))
    set_bias(cascade, -100.0, stages=("coarse",))
    model = load(tmp_path, publish(tmp_path, cascade.state_dict(), describe(settings)))
    assert not Predictor(settings).predict(volume, model).mask.any()


def test_a_box_that_cuts_the_structure_grows(tmp_path, settings, sphere):
    """The coarse network sees the middle of the ball alone, the fine one all of it."""
    volume, ball = sphere
    cascade = brightness_cascade(config_of(settings))
    geometry = volume.geometry
    away = np.indices(geometry.shape) - np.array([19.3, 17.8, 21.1]).reshape(3, 1, 1, 1)
    core = np.linalg.norm(away, axis=0) * 4.0 < 14.0
    brighter = Volume(np.where(core, 240, volume.values).astype(np.int16), geometry)
    set_bias(cascade, -36.0, stages=("coarse",))
    described = replace(
        brightness_described(settings),
        config=replace(brightness_described(settings).config, box_margin_mm=8.0),
    )
    model = load(tmp_path, publish(tmp_path, cascade.state_dict(), described))
    assert dice(Predictor(settings).predict(brighter, model).mask, ball) > 0.9


def test_both_of_a_pair_are_contoured_unless_the_largest_piece_alone_is_kept(tmp_path, settings):
    geometry = VolumeGeometry((24, 32, 64), (-83.0, -151.5, -412.25), (4.0, 4.0, 4.0), "2.25.1")
    voxels = np.moveaxis(np.indices(geometry.shape), 0, -1)
    left, right = (
        np.linalg.norm(voxels - centre, axis=-1) * 4.0 < radius_mm
        for centre, radius_mm in (((11.3, 15.8, 48.1), 34.0), ((11.7, 16.2, 14.8), 28.0))
    )
    volume = Volume(np.where(left | right, 40, -100).astype(np.int16), geometry)
    for keep_largest, truth in ((False, left | right), (True, left)):
        described = describe(settings, window_hu=(-160.0, 240.0), keep_largest=keep_largest)
        weights = brightness_cascade(described.config).state_dict()
        model = load(tmp_path, publish(tmp_path, weights, described))
        found = Predictor(settings).predict(volume, model, with_doubts=True)
        assert dice(found.mask, truth) > 0.9
        assert found.estimates is not None
        assert found.estimates.agreement > 0.8  # what the one network sees, the other does


def test_another_version_is_another_network(tmp_path, settings, sphere):
    volume, _ = sphere
    cascade = brightness_cascade(config_of(settings))
    found = load(tmp_path, publish(tmp_path, cascade.state_dict(), describe(settings)))
    set_bias(cascade, -100.0)
    empty = load(tmp_path, publish(tmp_path, cascade.state_dict(), describe(settings)))
    predictor = Predictor(settings)
    masks = [predictor.predict(volume, m).mask for m in (found, empty, found)]
    assert masks[0].any()
    assert not masks[1].any()
    np.testing.assert_array_equal(masks[0], masks[2])


def test_the_expected_dice_is_the_dice_when_probabilities_are_right():
    rng = np.random.default_rng(0)
    probability = rng.beta(0.3, 0.6, (40, 40, 40)).astype(np.float32)
    inside = probability > 0.5
    truths = [rng.random(probability.shape) < probability for _ in range(5)]
    measured = np.mean([dice(inside, truth) for truth in truths])
    assert expected_dice(probability, inside) == pytest.approx(measured, abs=0.01)
