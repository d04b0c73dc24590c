"""The network keeps the size of what it is given and can say anything in any voxel."""

import pytest
import torch

from model.unet import UNet, fresh_network


@pytest.mark.parametrize("size", [(16, 16, 16), (17, 23, 19), (1, 5, 31), (33, 8, 40)])
def test_any_size_in_gives_the_same_size_out(size):
    network = UNet((8, 16, 24), structures=2)
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, *size)).shape == (2, 2, *size)


def test_the_head_places_its_eight_channels_on_the_voxels_they_stand_for():
    network = UNet((8, 16))
    channels = torch.arange(8.0).reshape(1, 8, 1, 1, 1)
    voxels = network._to_voxels(channels)[0, 0]
    assert voxels[0, 0, 0] == 0
    assert voxels[0, 0, 1] == 1
    assert voxels[0, 1, 0] == 2
    assert voxels[1, 0, 0] == 4


def test_logits_take_both_signs():
    network = fresh_network((8, 16), seed=0)
    assert network.head.bias is not None
    torch.nn.init.zeros_(network.head.bias)
    with torch.inference_mode():
        logits = network(torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1)))
    assert logits.min() < 0 < logits.max()


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    one, two, other = (fresh_network((8, 16), seed=s) for s in (5, 5, 6))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one.stem.weight, two.stem.weight)
    assert not torch.equal(one.stem.weight, other.stem.weight)


def test_a_trained_step_lowers_the_loss_on_what_it_saw():
    network = fresh_network((8, 16), seed=0)
    x = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    target = (x > 0.5).float()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x), target)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
