"""Two networks in a row: a coarse one finds the structure in the scan, a fine one contours it.

The coarse network sees the whole scan at once, so nothing is cut into tiles; the fine one sees the
box around what was found. Both are trained side by side, each on patches of its own grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from core.geometry import Box, Mask
from model.postprocess import postprocessed
from model.precision import inference_autocast
from model.preprocess import Values, normalise
from model.registry import NetworkConfig, Weights
from model.unet import UNet, fresh_network

# A mask that touches the side of its box may go on behind it: the box grows, but not for ever.
MOST_GROWTHS = 3
STAGES = ("coarse", "fine")
Scan = Values | npt.NDArray[np.int16]
# Probabilities of the network of a stage for normalised values, same shape.
Run = Callable[[str, Values], Values]


class Cascade(nn.Module):
    """The two networks of one structure, as one module with one set of weights."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.coarse = UNet(config.coarse.widths)
        self.fine = UNet(config.fine.widths)

    def stages(self) -> dict[str, UNet]:
        """The networks by their names."""
        return {"coarse": self.coarse, "fine": self.fine}


@dataclass(frozen=True, slots=True)
class Found:
    """Probabilities of the coarse network on the whole scan and of the fine one in its box.

    `box` is on the fine grid (slice, row, column), None where the coarse network found nothing;
    `fine` then has no voxels.
    """

    coarse: Values
    fine: Values
    box: Box | None


def fresh_cascade(config: NetworkConfig, *, seed: int) -> Cascade:
    """Untrained networks; the same `seed` gives the same weights."""
    cascade = Cascade(config)
    for number, (name, stage) in enumerate(cascade.stages().items()):
        widths = getattr(config, name).widths
        stage.load_state_dict(fresh_network(widths, seed=seed + number).state_dict())
    return cascade


def loaded_cascade(config: NetworkConfig, weights: Weights, device: torch.device) -> Cascade:
    """The networks of a model, ready to predict."""
    cascade = Cascade(config)
    cascade.load_state_dict(weights)
    return cascade.to(device).eval()


def torch_run(cascade: Cascade) -> Run:
    """Runs the networks of `cascade`, which must be in eval mode, with PyTorch on its device."""
    stages = cascade.stages()
    return lambda stage, values: probabilities(stages[stage], values)


def find(
    run: Run,
    config: NetworkConfig,
    coarse_hu: Scan,
    fine_hu: Callable[[Box], Scan],
    fine_shape: tuple[int, int, int],
) -> Found:
    """Where the structure is, at both resolutions.

    `coarse_hu` is the scan on the coarse working grid, `fine_hu` gives a box of it on the fine one
    (of `fine_shape`, with the same outer corner), both in HU. A box whose side cuts the structure
    grows and is looked at again.
    """
    coarse = run("coarse", normalise(coarse_hu, config.window_hu))
    box = proposed_box(coarse, config, fine_shape)
    if box is None:
        return Found(coarse, np.zeros((0, 0, 0), np.float32), None)
    fine = np.zeros((0, 0, 0), np.float32)
    for growth in range(MOST_GROWTHS + 1):
        fine = run("fine", normalise(fine_hu(box), config.window_hu))
        grown = _grown(box, fine, config, fine_shape)
        if grown == box or growth == MOST_GROWTHS:
            break
        box = grown
    return Found(coarse, fine, box)


def proposed_box(
    coarse: Values, config: NetworkConfig, fine_shape: tuple[int, int, int]
) -> Box | None:
    """The box on the fine grid around what the coarse network found, with its margin."""
    mask = found_coarsely(coarse, config)
    if not mask.any():
        return None
    voxels = np.argwhere(mask)
    coarse_mm, fine_mm = np.asarray(config.coarse.spacing_mm), np.asarray(config.fine.spacing_mm)
    low = (voxels.min(0) * coarse_mm - config.box_margin_mm) / fine_mm
    high = ((voxels.max(0) + 1) * coarse_mm + config.box_margin_mm) / fine_mm
    return _box(np.floor(low), np.ceil(high), fine_shape)


def found_coarsely(coarse: Values, config: NetworkConfig) -> Mask:
    """Where `coarse` is above 0.5: its largest piece, or all of a structure in several pieces."""
    return postprocessed(coarse > 0.5, keep_largest=config.keep_largest, fill_holes=False)


def probabilities(network: UNet, values: Values) -> Values:
    """Probability of the structure in each voxel of `values` (normalised), same shape."""
    weight = next(network.parameters())
    # Read-only memory maps are copied: torch wants to own what it may write to.
    x: Tensor = torch.from_numpy(np.array(values, np.float32))[None, None].to(weight.device)
    with torch.inference_mode(), inference_autocast(weight.device):
        p = torch.sigmoid(network(x)[0, 0].float())
    return np.asarray(p.cpu().numpy(), np.float32)


def _grown(box: Box, fine: Values, config: NetworkConfig, fine_shape: tuple[int, int, int]) -> Box:
    inside = fine > 0.5
    margin = np.ceil(config.box_margin_mm / np.asarray(config.fine.spacing_mm))
    low = np.array([part.start for part in box], float)
    high = np.array([part.stop for part in box], float)
    for axis in range(3):
        sides = np.moveaxis(inside, axis, 0)
        low[axis] -= margin[axis] * bool(sides[0].any())
        high[axis] += margin[axis] * bool(sides[-1].any())
    return _box(low, high, fine_shape)


def _box(low: Values, high: Values, shape: tuple[int, int, int]) -> Box:
    first = np.clip(low, 0, np.asarray(shape) - 1).astype(int)
    after = np.clip(high, first + 1, shape).astype(int)
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(first, after, strict=True))
    return slices, rows, columns
