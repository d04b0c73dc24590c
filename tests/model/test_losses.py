"""The loss knows labelled voxels only, and not how many they are."""

import pytest
import torch

from model.losses import masked_loss

SHAPE = (1, 1, 20, 20, 20)


def gradient(loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss, logits)[0]


def labelled(share: float) -> torch.Tensor:
    """Weight 1 in the first slices that make up `share` of the volume, 0 elsewhere."""
    weight = torch.zeros(SHAPE)
    weight[:, :, : round(20 * share)] = 1.0
    return weight


def quarter_target() -> torch.Tensor:
    """A quarter of every slice is the structure."""
    target = torch.zeros(SHAPE)
    target[..., :10, :10] = 1.0
    return target


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
def test_a_perfect_prediction_costs_nothing_however_little_is_labelled(share):
    logits = (quarter_target() * 2 - 1) * 30.0
    assert masked_loss(logits, quarter_target(), labelled(share)).item() == pytest.approx(
        0, abs=1e-5
    )


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_loss_and_gradient_do_not_depend_on_the_labelled_share(share):
    sizes = []
    for weight in (labelled(share), labelled(1.0)):
        logits = torch.zeros(SHAPE, requires_grad=True)
        loss = masked_loss(logits, quarter_target(), weight)
        sizes.append((loss.item(), gradient(loss, logits).abs().sum().item()))
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-4)


def test_unlabelled_voxels_have_no_say():
    weight = labelled(0.5)
    logits = torch.zeros(SHAPE, requires_grad=True)
    pull = gradient(masked_loss(logits, quarter_target(), weight), logits)
    assert torch.all(pull[weight == 0] == 0)
    assert torch.all(pull[weight > 0] != 0)
    changed = torch.where(weight > 0, torch.zeros(SHAPE), torch.full(SHAPE, 9.0))
    wrong = torch.where(weight > 0, quarter_target(), torch.ones(SHAPE))
    assert masked_loss(changed, wrong, weight).item() == pytest.approx(
        masked_loss(torch.zeros(SHAPE), quarter_target(), weight).item()
    )


def test_a_painted_voxel_pulls_harder_than_its_neighbour():
    weight = torch.full(SHAPE, 0.05)
    weight[0, 0, 3, 3, 3] = 1.0
    logits = torch.zeros(SHAPE, requires_grad=True)
    pull = gradient(masked_loss(logits, quarter_target(), weight), logits)
    assert pull[0, 0, 3, 3, 3].abs() > 5 * pull[0, 0, 3, 3, 4].abs()


def test_without_labelled_foreground_only_cross_entropy_remains():
    loss = masked_loss(torch.zeros(SHAPE), torch.zeros(SHAPE), labelled(0.2))
    assert loss.item() == pytest.approx(0.6931, abs=1e-3)


def test_nothing_labelled_is_no_loss_and_no_nan():
    assert masked_loss(torch.ones(SHAPE), quarter_target(), torch.zeros(SHAPE)).item() == 0.0
