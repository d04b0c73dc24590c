"""Patches, tiles, epochs and the order of sets, as published."""

import numpy as np
import pytest
import torch

from core.case import Split, next_split
from model.paper.patches import PatchSampler
from model.paper.predict import annotated_patches, pooled_dice, predict_in_box
from model.paper.recipe import Annotated, PaperRecipe, normalised, tile_starts

SMALL = PaperRecipe(patch_voxels=(36, 36, 36), batch_size=2)


class Bright:
    """A network that finds what is brighter than the middle of its tile's grey values."""

    lost_voxels = 17

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        inner = x[:, :, 17:-17, 17:-17, 17:-17]
        return torch.cat([torch.full_like(inner, 0.5), inner], dim=1)


def annotated(
    shape: tuple[int, int, int] = (20, 20, 20), *, name: str = "a", value: float = 0.0
) -> Annotated:
    nothing = np.zeros(shape, bool)
    return Annotated(name, np.full(shape, value, np.float32), nothing.copy(), nothing.copy())


def test_the_first_image_trains_the_second_validates_then_one_in_six():
    train = validation = 0
    order = ""
    for _ in range(18):
        split = next_split(train, validation)
        train += split is Split.TRAIN
        validation += split is Split.VALIDATION
        order += "T" if split is Split.TRAIN else "V"
    assert order == "TVTTTTVTTTTTVTTTTT"


def test_the_published_figures():
    recipe = PaperRecipe()
    assert recipe.patch_voxels == (52, 228, 228)
    assert (recipe.batch_size, recipe.learning_rate, recipe.momentum) == (4, 0.01, 0.99)
    assert recipe.patience == 60
    assert [recipe.patches_of_epoch(v) for v in (0, 1, 32, 33, 100)] == [128, 64, 64, 66, 200]
    assert [recipe.forced_share(n) for n in (0, 30, 90, 500)] == [0.9, 0.6, 0.0, 0.0]


def test_a_patch_is_normalised_by_itself_and_a_constant_one_is_nothing():
    assert normalised(np.array([-1000, 0, 1000])).tolist() == [0.0, 0.5, 1.0]
    assert normalised(np.full(3, 40)).tolist() == [0.0, 0.0, 0.0]
    one_bright_voxel = normalised(np.array([-1000, -20, 40, 3071]))
    assert one_bright_voxel[2] - one_bright_voxel[1] == pytest.approx(0.0147, abs=1e-4)


def test_the_last_tile_is_shifted_back():
    assert tile_starts(50, 18) == [0, 18, 32]
    assert tile_starts(36, 18) == [0, 18]
    assert tile_starts(10, 18) == [0]


def test_every_patch_holds_paint_and_labels_lie_on_their_voxels():
    image = annotated((60, 50, 40), value=-100.0)
    image.foreground[30, 25, 20] = True
    image.image[30, 25, 20] = 500.0
    recipe = PaperRecipe(patch_voxels=(36, 36, 36), batch_size=8)
    sampler = PatchSampler([image], recipe, 17, np.random.default_rng(0), annotated_images=0)
    seen, foreground, labelled = sampler.batch()
    assert foreground.shape == (8, 2, 2, 2)
    hits = 0
    for patch, painted, known in zip(seen, foreground, labelled, strict=True):
        assert float(patch.max()) == 1.0, "the painted voxel lies in the patch"
        assert torch.equal(painted, known)
        inner = patch[0, 17:-17, 17:-17, 17:-17]
        assert torch.equal(inner == 1.0, painted)
        hits += int(painted.any())
    assert hits >= 5, "foreground is forced into the output nine times in ten"


def test_without_force_a_patch_may_hold_its_paint_in_the_rim_that_teaches_nothing():
    image = annotated((60, 60, 60))
    image.background[5, 5, 5] = True
    recipe = PaperRecipe(patch_voxels=(36, 36, 36), batch_size=20, forced_foreground=False)
    sampler = PatchSampler([image], recipe, 17, np.random.default_rng(0), annotated_images=0)
    assert int(sampler.batch()[2].any((1, 2, 3)).sum()) < 20


def test_images_take_turns_and_one_without_paint_is_left_out():
    images = []
    for number, value in enumerate((10.0, 20.0, 30.0)):
        image = annotated(name=str(number), value=value)
        image.background[:] = True
        image.image[: number + 1] = -value
        images.append(image)
    sampler = PatchSampler(
        [*images, annotated(name="blank")],
        PaperRecipe(patch_voxels=(36, 36, 36), batch_size=3),
        0,
        np.random.default_rng(3),
        annotated_images=4,
    )
    assert len(sampler) == 3
    for _ in range(4):
        seen = sampler.batch()[0]
        levels = seen.mean((1, 2, 3, 4))
        assert len({round(float(level), 4) for level in levels}) == 3, "each of the three came once"


def test_tiles_cover_a_box_that_is_no_multiple_of_them():
    truth = np.zeros((5, 3, 7), bool)
    truth[1:4, 1, 2:6] = True
    image = np.where(truth, 200, -200).astype(np.int16)
    assert np.array_equal(predict_in_box(Bright(), image, (36, 36, 36)), truth)


def test_validation_counts_painted_voxels_alone_and_pools_them():
    truth = np.zeros((4, 4, 4), bool)
    truth[1:3, 1:3, 1:3] = True
    image = np.where(truth, 200, -200).astype(np.int16)
    right, half = np.zeros_like(truth), np.zeros_like(truth)
    right[1, 1, 1:3] = True  # two voxels found and painted as structure
    half[0, 0, :2] = True  # two not found, though painted as structure
    images = [
        Annotated("a", image, right, np.zeros_like(truth)),
        Annotated("b", image, half, np.zeros_like(truth)),
    ]
    assert pooled_dice(Bright(), images, (36, 36, 36)) == pytest.approx(2 * 2 / (2 * 2 + 2))
    assert pooled_dice(Bright(), images[1:], (36, 36, 36)) == 0.0
    assert annotated_patches(images, (36, 36, 36), 17) == 3, (
        "the first image's paint lies in two tiles"
    )
