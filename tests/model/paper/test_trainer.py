"""The published trainer keeps the best, goes on where it was, and begins anew when stuck."""

import numpy as np
import torch

from model.paper.network import OursAsPair, PaperNetwork
from model.paper.recipe import Annotated, PaperRecipe
from model.paper.trainer import PaperTrainer
from model.unet import fresh_network

SIDE = 16


def build(seed: int) -> OursAsPair:
    return OursAsPair(fresh_network((8, 16), seed=seed))


def ball(name: str, radius: float) -> Annotated:
    rng = np.random.default_rng(len(name))
    far = np.linalg.norm(np.indices((SIDE,) * 3) - SIDE / 2, axis=0)
    inside = far < radius
    image = np.where(inside, 60.0, -100.0) + rng.normal(0, 10, far.shape)
    return Annotated(name, image.astype(np.float32), inside, ~inside)


def recipe(**changes: object) -> PaperRecipe:
    plain = PaperRecipe(
        patch_voxels=(SIDE,) * 3, batch_size=2, first_epoch_patches=4, least_epoch_patches=4
    )
    return PaperRecipe(**{**{n: getattr(plain, n) for n in plain.__slots__}, **changes})


def test_it_learns_a_ball_and_keeps_the_best_it_has_seen():
    trainer = PaperTrainer(
        recipe(loss="corrected", momentum=0.9, learning_rate=0.05), build, seed=1
    )
    assert trainer.best_network() is None
    trainer.learn([ball("a", 5.0)], [ball("bb", 4.0)], steps=80)
    assert trainer.best is not None
    assert trainer.best_dice > 0.8
    kept = trainer.best_dice
    trainer.learn([ball("a", 5.0)], [ball("bb", 4.0)], steps=20)
    assert trainer.best_dice >= kept


def test_a_trainer_that_was_stopped_goes_on_to_the_same_weights():
    images = [ball("a", 5.0)], [ball("bb", 4.0)]
    through = PaperTrainer(recipe(), build, seed=1)
    through.learn(*images, steps=3)
    through.learn(*images, steps=4)
    stopped = PaperTrainer(recipe(), build, seed=1)
    stopped.learn(*images, steps=3)
    again = PaperTrainer(recipe(), build, seed=1)
    again.restore(*stopped.state())
    again.learn(*images, steps=4)
    for name, value in through.state()[0].items():
        torch.testing.assert_close(again.state()[0][name], value, rtol=0, atol=0)
    assert again.state()[1] == through.state()[1]


def test_after_epochs_without_progress_it_begins_anew_and_the_best_stays():
    still = recipe(learning_rate=0.0, patience=3)
    images = [ball("a", 5.0)], [ball("bb", 4.0)]
    trainer = PaperTrainer(still, build, seed=1)
    trainer.learn(*images, steps=2)
    best = trainer.best
    trainer.learn(*images, steps=4)
    assert (trainer.epochs_without_progress, trainer.restarts) == (2, 0)
    trainer.learn(*images, steps=2)
    assert trainer.restarts == 1
    assert trainer.best is best
    never = PaperTrainer(recipe(learning_rate=0.0, patience=3, restarts=False), build, seed=1)
    never.learn(*images, steps=12)
    assert never.restarts == 0


def test_a_new_image_gives_it_patience_again():
    trainer = PaperTrainer(recipe(learning_rate=0.0), build, seed=1)
    trainer.learn([ball("a", 5.0)], [ball("bb", 4.0)], steps=8)
    assert trainer.epochs_without_progress == 3
    trainer.learn([ball("a", 5.0), ball("ccc", 6.0)], [ball("bb", 4.0)], steps=0)
    assert trainer.epochs_without_progress == 0


def test_the_published_network_takes_a_step_and_predicts():
    small = PaperRecipe(patch_voxels=(36, 36, 36), batch_size=1, first_epoch_patches=1)
    trainer = PaperTrainer(small, lambda seed: PaperNetwork(8), seed=0)
    trainer.learn([ball("a", 5.0)], [], steps=1)
    assert trainer.best is not None
