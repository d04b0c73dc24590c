"""What a perfect prediction costs, by how much of the patch was painted."""

from collections.abc import Callable

import pytest
import torch

from model.paper.losses import corrected_loss, published_loss

SIDE = 20  # 8000 voxels
SURE = 8.0
Measure = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def perfect(share: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits that are right everywhere, half of it structure; the first `share` is painted."""
    voxels = SIDE**3
    foreground = (torch.arange(voxels) % 2 == 0).reshape(1, SIDE, SIDE, SIDE)
    labelled = (torch.arange(voxels) < round(share * voxels)).reshape(1, SIDE, SIDE, SIDE)
    logits = torch.stack([(~foreground).float(), foreground.float()], dim=1) * SURE
    return logits, foreground, labelled


def gradient(
    measure: Measure, logits: torch.Tensor, foreground: torch.Tensor, labelled: torch.Tensor
) -> torch.Tensor:
    logits = logits.detach().requires_grad_()
    (found,) = torch.autograd.grad(measure(logits, foreground, labelled), [logits])
    return found


@pytest.mark.parametrize(("share", "loss"), [(1.0, 0.0004), (0.5, 0.44), (0.1, 1.01), (0.01, 1.19)])
def test_the_published_loss_of_a_perfect_prediction_grows_as_less_is_painted(share, loss):
    assert float(published_loss(*perfect(share))) == pytest.approx(
        loss, abs=0.005 if loss > 0.1 else 5e-5
    )


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01])
def test_the_corrected_loss_of_a_perfect_prediction_does_not_know_the_share(share):
    assert float(corrected_loss(*perfect(share))) == pytest.approx(0.0004, abs=5e-5)


def test_the_published_gradient_shrinks_with_the_painted_share_and_the_corrected_one_does_not():
    def steepness(measure: Measure, share: float) -> float:
        _, foreground, labelled = perfect(share)
        logits = torch.zeros(1, 2, SIDE, SIDE, SIDE)
        return float(gradient(measure, logits, foreground, labelled).abs().sum())

    assert steepness(published_loss, 0.01) < 0.03 * steepness(published_loss, 1.0)
    assert steepness(corrected_loss, 0.01) == pytest.approx(
        steepness(corrected_loss, 1.0), rel=0.02
    )


@pytest.mark.parametrize("measure", [published_loss, corrected_loss])
def test_what_is_not_painted_has_no_gradient(measure):
    logits, foreground, labelled = perfect(0.5)
    steep = gradient(measure, logits * 0.1, foreground, labelled).movedim(1, -1)
    assert float(steep[~labelled].abs().max()) == 0.0
    assert float(steep[labelled].abs().min()) > 0.0


def test_without_painted_structure_only_the_cross_entropy_is_left():
    logits = torch.zeros(1, 2, 4, 4, 4)
    nothing = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    half = nothing.clone()
    half[:, :2] = True
    expected = 0.3 * torch.log(torch.tensor(2.0))
    torch.testing.assert_close(published_loss(logits, nothing, half), expected)
    torch.testing.assert_close(corrected_loss(logits, nothing, half), expected)
