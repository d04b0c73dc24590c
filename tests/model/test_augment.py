"""Patches change a little and are never mirrored."""

import numpy as np
import torch

from model.augment import change_grey, random_patch, small_affine
from model.samples import TrainingCase

SHAPE = (30, 34, 38)
SIZE = (16, 24, 16)


def case_with_left_half() -> TrainingCase:
    """The structure is the left half (high columns) of the upper half, heavier than the rest."""
    target = np.zeros(SHAPE, bool)
    target[15:, :, 19:] = True
    weight = np.where(target, 1.0, 0.25).astype(np.float32)
    image = np.where(target, 0.2, -0.4).astype(np.float32)
    return TrainingCase("c", "p", image, target, weight)


def test_no_map_mirrors_or_moves_far():
    rng = np.random.default_rng(0)
    for _ in range(200):
        affine = small_affine(rng)
        assert np.linalg.det(affine) > 0.5
        assert np.all(np.diag(affine) > 0.8)
        assert np.abs(affine - np.diag(np.diag(affine))).max() < 0.4


def test_left_stays_left_and_up_stays_up():
    rng = np.random.default_rng(1)
    case = case_with_left_half()
    for _ in range(30):
        _, target, _ = random_patch(case, np.array([15, 17, 19]), SIZE, rng)
        slices, _, columns = (
            torch.nonzero(target[0]).float().mean(0) / torch.tensor(SIZE)
        ).tolist()
        assert slices > 0.6
        assert columns > 0.6


def test_image_target_and_weight_move_together():
    rng = np.random.default_rng(2)
    for _ in range(20):
        image, target, weight = random_patch(
            case_with_left_half(), np.array([15, 17, 19]), SIZE, rng
        )
        assert image.shape == target.shape == weight.shape == (1, *SIZE)
        heavy, structure = weight > 0.5, target > 0.5
        overlap = 2 * (heavy & structure).sum() / (heavy.sum() + structure.sum())
        assert overlap > 0.9
        assert torch.all((target == 0) | (target == 1))


def test_beyond_the_volume_nothing_is_labelled():
    rng = np.random.default_rng(3)
    _, _, weight = random_patch(case_with_left_half(), np.array([0, 17, 19]), SIZE, rng)
    assert torch.all(weight[0, :5] == 0)
    assert torch.all(weight[0, 11:, 4:-4, 4:-4] > 0)


def test_a_patch_larger_than_the_volume_is_filled():
    shape = (4, 5, 1)
    small = TrainingCase(
        "c", "p", np.zeros(shape, np.float32), np.ones(shape, bool), np.ones(shape, np.float32)
    )
    image, _, weight = random_patch(small, np.array([2, 2, 0]), SIZE, np.random.default_rng(0))
    assert torch.isfinite(image).all()
    assert 0 < weight.sum() < weight.numel() / 10


def test_the_same_generator_gives_the_same_patch():
    one, two = (
        random_patch(case_with_left_half(), np.array([15, 17, 19]), SIZE, np.random.default_rng(7))
        for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_contrast_medium_fills_the_structure_and_spares_the_air():
    target = torch.zeros(1, *SIZE)
    target[:, 4:12, 6:18, 4:12] = 1.0
    image = torch.where(target > 0, 0.1, -1.0)
    changes = []
    for seed in range(60):
        changed = change_grey(image, target, np.random.default_rng(seed))
        assert changed.abs().max() <= 1.3
        changes.append((changed[0, 8, 12, 8] - changed[0, 1, 1, 1]).item())
    assert min(changes) < 1.0
    assert max(changes) > 1.7
