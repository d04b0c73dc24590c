"""A released model proposes a mask on the CT's own grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.config import ModelSettings
from core.geometry import VolumeGeometry
from core.volume import Volume
from model.predict import Predictor, expected_dice
from model.preprocess import dice
from model.registry import ModelDescription, NetworkConfig, load, publish
from model.unet import UNet, fresh_network


def describe(settings: ModelSettings, **changes: Any) -> ModelDescription:
    return ModelDescription(
        roi_name="Heart",
        config=replace(NetworkConfig.of(settings), **changes),
        code_version="0.1.0",
        parent=None,
        training_set=(),
        scores={},
        created_at="2026-01-02T03:04:05+00:00",
    )


def brightness_described(settings: ModelSettings) -> ModelDescription:
    """At 4 mm, and with the window that the brightness network was thought out for."""
    return describe(settings, spacing_mm=(4.0, 4.0, 4.0), window_hu=(-160.0, 240.0))


def brightness_network(widths: tuple[int, ...]) -> UNet:
    """A network that answers with the mean brightness of each 2 x 2 x 2 block, times twenty."""
    network = fresh_network(widths, seed=0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        # Channel 0 of the stem: mean + 1, never negative, so no ReLU on the way touches it.
        network.stem.weight[0, 0, 1:3, 1:3, 1:3] = 1 / 8
        network.head.weight[:, 0] = 20.0
        assert network.stem.bias is not None
        network.stem.bias[0] = 1.0
    set_bias(network, -14.0)
    return network


def set_bias(network: UNet, value: float) -> None:
    assert network.head.bias is not None
    torch.nn.init.constant_(network.head.bias, value)


def test_a_bright_ball_is_found_where_it_is(tmp_path, settings, sphere):
    volume, ball = sphere
    weights = brightness_network(settings.widths).state_dict()
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
    weights = brightness_network(settings.widths).state_dict()
    model = load(tmp_path, publish(tmp_path, weights, brightness_described(settings)))
    mask = Predictor(settings).predict(Volume(halves, fine), model).mask
    assert mask.shape == halves.shape
    assert dice(mask, np.repeat(np.repeat(ball, 2, 1), 2, 2)) > 0.9


def test_nothing_found_is_an_empty_mask_with_no_expected_dice(tmp_path, settings, sphere):
    volume, _ = sphere
    network = brightness_network(settings.widths)
    set_bias(network, -100.0)
    model = load(tmp_path, publish(tmp_path, network.state_dict(), describe(settings)))
    prediction = Predictor(settings).predict(volume, model)
    assert not prediction.mask.any()
    assert prediction.expected_dice == 0.0
    assert prediction.probability_mean == 0.0


def test_another_version_is_another_network(tmp_path, settings, sphere):
    volume, _ = sphere
    network = brightness_network(settings.widths)
    found = load(tmp_path, publish(tmp_path, network.state_dict(), describe(settings)))
    set_bias(network, -100.0)
    empty = load(tmp_path, publish(tmp_path, network.state_dict(), describe(settings)))
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
