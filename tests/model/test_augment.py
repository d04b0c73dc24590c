"""Patches change strongly and are never mirrored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's spelling

from model.augment import random_patch
from model.grey import another_scan
from model.samples import Sample
from model.warp import (
    FieldOfView,
    Picked,
    Placement,
    random_field_of_view,
    random_placement,
    seen,
    small_affine,
    spread_out,
)

SHAPE = (30, 34, 38)
SIZE = (16, 24, 16)
CENTRE = np.array([15, 17, 19])
WINDOW_HU = (-250.0, 350.0)
SPACING_MM = (4.0, 4.0, 4.0)


def case_with_left_half() -> Sample:
    """The structure is the left half (high columns) of the upper half, heavier than the rest."""
    target = np.zeros(SHAPE, bool)
    target[15:, :, 19:] = True
    weight = np.where(target, 1.0, 0.25).astype(np.float32)
    image = np.where(target, 60.0, -100.0).astype(np.float32)
    return Sample.of(image, target, weight, SPACING_MM)


def patch(
    case: Sample, rng: np.random.Generator, centre: np.ndarray = CENTRE
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return random_patch(case, centre, SIZE, window_hu=WINDOW_HU, rng=rng, strength=1.0)


def test_no_map_mirrors_or_moves_far() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        affine = small_affine(rng, 1.0)
        assert np.linalg.det(affine) > 0.3
        assert np.all(np.diag(affine) > 0.6)
        assert np.abs(affine - np.diag(np.diag(affine))).max() < 0.6


def test_left_stays_left_and_up_stays_up() -> None:
    rng, case = np.random.default_rng(1), case_with_left_half()
    found = []
    for _ in range(40):
        _, target, _ = patch(case, rng)
        if target.any():
            found.append(torch.nonzero(target[0]).float().mean(0) / torch.tensor(SIZE))
    assert len(found) > 25
    slices, _, columns = torch.stack(found).min(0).values.tolist()
    assert slices > 0.5
    assert columns > 0.5


def test_target_and_weight_move_together() -> None:
    rng = np.random.default_rng(2)
    overlaps = []
    for _ in range(30):
        image, target, weight = patch(case_with_left_half(), rng)
        assert image.shape == target.shape == weight.shape == (1, *SIZE)
        assert torch.isfinite(image).all()
        assert image.abs().max() <= 1.0
        assert torch.all((target == 0) | (target == 1))
        heavy, structure = weight > 0.625, target > 0.5
        overlaps.append(float(2 * (heavy & structure).sum() / (heavy.sum() + structure.sum())))
    # A shorter field of view takes the target away, not the weight: the middle one tells.
    assert np.median(overlaps) > 0.95


def test_beyond_the_volume_nothing_is_labelled() -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        _, target, weight = patch(case_with_left_half(), rng, np.array([-4, 17, 19]))
        assert torch.all(weight[0, 0] == 0)
        assert torch.all(target[0, 0] == 0)
        assert (weight > 0).any()


def test_a_patch_larger_than_the_volume_is_filled() -> None:
    shape = (4, 5, 1)
    small = Sample.of(
        np.zeros(shape, np.float32),
        np.ones(shape, bool),
        np.ones(shape, np.float32),
        SPACING_MM,
    )
    image, _, weight = patch(small, np.random.default_rng(0), np.array([2, 2, 0]))
    assert torch.isfinite(image).all()
    assert 0 < weight.sum() < weight.numel() / 10


def test_the_same_generator_gives_the_same_patch() -> None:
    one, two = (patch(case_with_left_half(), np.random.default_rng(7)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    other = patch(case_with_left_half(), np.random.default_rng(8))
    assert not torch.equal(one[0], other[0])


def placement(places_from: list[float], *, bends: torch.Tensor | None = None) -> Placement:
    """A patch of 1 x 1 x 3 voxels along the columns about the middle place."""
    none = torch.zeros((3, 5, 5, 5))
    return Placement(np.array(places_from), (1, 1, 3), np.eye(3), none if bends is None else bends)


def test_values_are_picked_where_the_placement_says() -> None:
    volume = torch.arange(4 * 5 * 6, dtype=torch.float32).reshape(4, 5, 6)
    whole = Picked.of(placement([1.0, 2.5, 4.0]).places(np.array([0, 0, 0])), volume.shape)
    assert whole.linear(volume).flatten().tolist() == pytest.approx([48.0, 49.0, 50.0])
    cut = Picked.of(placement([1.0, 2.5, 5.0]).places(np.array([1, 1, 2])), (3, 4, 4))
    assert cut.linear(volume[1:, 1:, 2:]).flatten().tolist() == pytest.approx([49.0, 50.0, 0.0])
    off = Picked.of(placement([1.3, 1.6, 4.2]).places(np.array([0, 0, 0])), volume.shape)
    assert off.nearest(volume).flatten().tolist() == [45.0, 46.0, 47.0]


def test_values_are_picked_as_by_a_sampler_of_volumes() -> None:
    shape = (9, 11, 13)
    noise = torch.Generator().manual_seed(3)
    volume = torch.randn(shape, generator=noise)
    found = random_placement(
        np.array([4, 5, 6]), (8, 9, 10), SPACING_MM, np.random.default_rng(3), noise, 1.0
    )
    places = found.places(np.zeros(3, int))
    picked = Picked.of(places, shape)
    scaled = (places + 0.5).movedim(0, -1) * 2.0 / torch.tensor(shape) - 1.0
    for values, mode in ((picked.linear(volume), "bilinear"), (picked.nearest(volume), "nearest")):
        expected = F.grid_sample(
            volume[None, None], scaled.flip(-1)[None], mode, align_corners=False
        )
        torch.testing.assert_close(values, expected[0], rtol=0, atol=1e-4)


def test_no_place_lies_beyond_the_bounds() -> None:
    rng, noise = np.random.default_rng(4), torch.Generator().manual_seed(4)
    for _ in range(20):
        found = random_placement(CENTRE, SIZE, SPACING_MM, rng, noise, 1.0)
        low, high = found.bounds()
        places = found.places(np.zeros(3, int)).reshape(3, -1).numpy()
        assert np.all(places.min(1) >= low - 1e-3)
        assert np.all(places.max(1) <= high + 1e-3)
        assert np.all(high - low < 60)


def test_a_field_is_spread_between_its_nodes() -> None:
    nodes = torch.randn((2, 5, 4, 3), generator=torch.Generator().manual_seed(0))
    field = spread_out(nodes, (9, 10, 7))
    expected = F.interpolate(nodes[None], (9, 10, 7), mode="trilinear", align_corners=True)[0]
    torch.testing.assert_close(field, expected)


def test_bends_are_in_millimetres() -> None:
    """On slices twice as far apart the same bend moves half as many of them."""
    bends = []
    for spacing_mm in (SPACING_MM, (8.0, 4.0, 4.0)):
        rng, noise = np.random.default_rng(5), torch.Generator().manual_seed(5)  # one that bends
        bends.append(random_placement(CENTRE, SIZE, spacing_mm, rng, noise, 1.0).bends)
    assert bends[0].abs().max() > 0
    torch.testing.assert_close(bends[0][0], 2.0 * bends[1][0])
    torch.testing.assert_close(bends[0][1:], bends[1][1:])


def test_a_shorter_scan_shows_only_what_lies_in_it() -> None:
    view = FieldOfView(np.array([0.0, 0.0, 2.0]), np.array([9.0, 9.0, 3.5]))
    low = np.array([0, 0, 1])
    for middle, expected in ((2.0, [False, True, True]), (3.0, [True, True, False])):
        places = placement([1.0, 1.0, middle]).places(low)
        assert seen(places, view, low).flatten().tolist() == expected


def test_some_scans_are_shorter_and_most_are_whole() -> None:
    rng = np.random.default_rng(0)
    views = [random_field_of_view(np.array(SHAPE), rng, 1.0) for _ in range(300)]
    cut = [view for view in views if view is not None]
    assert 0.5 < len(cut) / 300 < 0.7
    assert all(np.all(view.low < view.high) for view in cut)


def test_contrast_medium_fills_the_structure_and_spares_the_air() -> None:
    target = torch.zeros(1, *SIZE)
    target[:, 4:12, 6:18, 4:12] = 1.0
    hu = torch.where(target > 0, 40.0, -1000.0)
    inside, outside = [], []
    for seed in range(80):
        rng, noise = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        grey = another_scan(hu, target, WINDOW_HU, rng, noise, 1.0)
        inside.append(float(grey[0, 8, 12, 8]))
        outside.append(float(grey[0, 1, 1, 1]))
    assert max(inside) > 0.9
    assert min(inside) < 0.1
    assert np.mean(np.array(outside) < -0.95) > 0.9


def test_at_no_strength_a_patch_is_the_scan_itself_but_for_contrast_medium() -> None:
    case, rng = case_with_left_half(), np.random.default_rng(3)
    low, high = WINDOW_HU
    own = torch.from_numpy(case.image[7:23, 5:29, 11:27].astype(np.float32))
    expected = 2.0 * (own - low) / (high - low) - 1.0
    same = 0
    for _ in range(20):
        image, target, _ = random_patch(
            case, np.array([15, 17, 19]), SIZE, window_hu=WINDOW_HU, rng=rng, strength=0.0
        )
        outside = target[0] == 0
        # Patches have even sides: their middle lies between two voxels.
        apart = (image[0] - expected).abs()[outside]
        same += bool(apart.median() < 1e-4)
    assert same == 20
