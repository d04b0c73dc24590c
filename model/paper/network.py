"""The published network: a residual 3-D U-Net of one width, convolution - ReLU - GroupNorm.

Written anew from the paper and from measured facts on the published software (Smith et al. 2022,
Medical Physics 49(1):461-473). What it does differently from `model/unet.py` is kept on purpose.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the field's spelling
from torch import Tensor, nn

from model.unet import UNet

PUBLISHED_WIDTH = 64
LEVELS = 4
# On each side: the output is 34 voxels smaller than the input along each axis.
LOST_VOXELS = 17
SMALLEST_INPUT = 36


class PairNetwork(Protocol):
    """What the recipe can train: a pair of logits (background, structure) for each voxel."""

    lost_voxels: int

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (batch, 2, ...) of x (batch, 1, ...), `lost_voxels` smaller on each side."""


def _layers(channels_in: int, channels_out: int, width: int, *, padding: int = 1) -> nn.Sequential:
    """Convolution, ReLU, norm. Half as many groups as the width: 32 as published."""
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, padding=padding),
        nn.ReLU(),
        nn.GroupNorm(width // 2, channels_out),
    )


class _Down(nn.Module):
    """Half the resolution; twice the width inside, and what came in added back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _layers(width, 2 * width, width),
            _layers(2 * width, 2 * width, width),
            nn.Conv3d(2 * width, width, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool3d(x, 2)
        return pooled + self.body(pooled)  # type: ignore[no-any-return]


class _Up(nn.Module):
    """Twice the resolution less two voxels; the middle of the level's own features added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rise = nn.Sequential(
            nn.ConvTranspose3d(width, width, 2, stride=2, padding=1),
            nn.ReLU(),
            nn.GroupNorm(width // 2, width),
        )
        self.body = nn.Sequential(_layers(width, width, width), _layers(width, width, width))

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        risen = self.rise(x)
        return self.body(risen + _middle(beside, risen))  # type: ignore[no-any-return]


class PaperNetwork(nn.Module):
    """One channel in, a pair of logits out, 17 voxels lost on each side.

    Valid sizes are 36 + 16 n along each axis. The logits pass a ReLU, as published. Weights start
    as PyTorch draws them: the paper says Kaiming initialisation, its software leaves the default.
    """

    def __init__(self, width: int = PUBLISHED_WIDTH) -> None:
        super().__init__()
        self.lost_voxels = LOST_VOXELS
        self.enter = nn.Sequential(
            _layers(1, width, width, padding=0), _layers(width, width, width, padding=0)
        )
        self.down = nn.ModuleList(_Down(width) for _ in range(LEVELS))
        self.up = nn.ModuleList(_Up(width) for _ in range(LEVELS))
        self.leave = nn.Conv3d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, 2, ...) of x (batch, 1, ...); raises `ValueError` for other sizes."""
        if any(n < SMALLEST_INPUT or (n - SMALLEST_INPUT) % 2**LEVELS for n in x.shape[2:]):
            raise ValueError(f"A patch of {tuple(x.shape[2:])} voxels; expected 36 + 16 n each.")
        levels = [self.enter(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in self.up:
            x = up(x, levels.pop())
        return F.relu(self.leave(x))


class OursAsPair(nn.Module):
    """Our network before the published recipe: one logit, beside it a zero for the background."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.lost_voxels = 0
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, 2, ...) of x (batch, 1, same size)."""
        logit = self.network(x)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


def _middle(x: Tensor, like: Tensor) -> Tensor:
    """The middle of `x`, as large as `like`."""
    for axis in (2, 3, 4):
        wanted = like.shape[axis]
        x = x.narrow(axis, (x.shape[axis] - wanted) // 2, wanted)
    return x
