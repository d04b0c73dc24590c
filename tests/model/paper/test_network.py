"""The published network has the published size."""

import pytest
import torch

from model.paper.network import OursAsPair, PaperNetwork
from model.unet import fresh_network


def test_the_published_width_has_the_published_number_of_parameters():
    network = PaperNetwork()
    assert sum(p.numel() for p in network.parameters()) == 3_820_994
    parts = [sum(p.numel() for p in part.parameters()) for part in (network.enter, network.leave)]
    assert parts == [112_704, 130]
    assert [sum(p.numel() for p in d.parameters()) for d in network.down] == [672_512] * 4
    assert [sum(p.numel() for p in u.parameters()) for u in network.up] == [254_528] * 4


def test_the_output_is_thirty_four_voxels_smaller_than_the_input():
    with torch.inference_mode():
        assert PaperNetwork()(torch.zeros(1, 1, 36, 36, 52)).shape == (1, 2, 2, 2, 18)
        assert PaperNetwork(8)(torch.zeros(2, 1, 68, 36, 52)).shape == (2, 2, 34, 2, 18)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="36"):
        PaperNetwork(8)(torch.zeros(1, 1, 36, 36, 50))
    with pytest.raises(ValueError, match="20"):
        PaperNetwork(8)(torch.zeros(1, 1, 20, 36, 36))


def test_its_logits_are_never_negative():
    torch.manual_seed(0)
    with torch.inference_mode():
        logits = PaperNetwork(8)(torch.rand(1, 1, 36, 36, 36))
    assert float(logits.min()) >= 0.0
    assert float(logits.max()) > 0.0


def test_an_output_voxel_does_not_move_when_the_patch_lies_elsewhere_in_the_image():
    """The middle of the output is the middle of the input: skips are cut about the centre."""
    network = PaperNetwork(8).eval()
    x = torch.rand(1, 1, 36, 36, 36, requires_grad=True)
    network.leave.weight.data.abs_()
    (steep,) = torch.autograd.grad(network(x)[0, :, 0, 0, 0].sum(), [x])
    steep = steep[0, 0].abs()
    peak = torch.nonzero(steep == steep.max())[0]
    assert all(abs(int(p) - 17) <= 3 for p in peak)


def test_our_network_keeps_its_size_and_its_probability_as_a_pair():
    ours = fresh_network((8, 16), seed=0).eval()
    x = torch.rand(1, 1, 16, 16, 16)
    with torch.inference_mode():
        pair = torch.softmax(OursAsPair(ours)(x), 1)[:, 1:]
        torch.testing.assert_close(pair, torch.sigmoid(ours(x)))
