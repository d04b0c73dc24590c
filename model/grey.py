"""The grey values of another scan of the patient: contrast medium, beam, kernel, noise, window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.warp import along_axes, spread_out

REMAPPED_SHARE = 0.8
ENHANCED_SHARE = 0.4
SHADED_SHARE = 0.6
BLURRED_SHARE = 0.5
SHARPENED_SHARE = 0.15
NOISY_SHARE = 0.7
MOTTLED_SHARE = 0.2
GAMMA_SHARE = 0.5
# How far the grey at each knot (HU) may wander: air hardly, enhanced blood most. Not always
# growing: tissues change places from scanner to scanner and from phase to phase.
KNOTS_HU = np.array([-1000, -750, -200, -90, 0, 45, 90, 160, 300, 600, 1500], np.float64)
SPREAD_HU = np.array([10, 70, 35, 30, 25, 25, 30, 40, 70, 120, 100], np.float64)

# The remapping is looked up: finer than a scanner's own steps.
_TABLE_STEP_HU = 0.5
_TABLE_HU = np.arange(KNOTS_HU[0], KNOTS_HU[-1] + 1.0, _TABLE_STEP_HU)


def another_scan(
    hu: Tensor,
    target: Tensor,
    window_hu: tuple[float, float],
    rng: np.random.Generator,
    noise: torch.Generator,
    strength: float,
) -> Tensor:
    """`hu` (1, slices, rows, columns) as another scanner might show it, normalised to -1..1.

    `strength` 0..1 says how often and how far scanners differ; contrast medium is as frequent at
    any strength.

    Contrast medium, which half of the first patients may or may not have had, must not become the
    mark of the structure `target` (0 or 1, same shape); nor may any one scanner's grey.
    """
    hu = _other_tissue(hu, target, rng, noise, strength)
    hu = _other_scanner(hu, rng, noise, strength)
    return _windowed(hu, window_hu, rng, strength)


def _other_tissue(
    hu: Tensor,
    target: Tensor,
    rng: np.random.Generator,
    noise: torch.Generator,
    strength: float,
) -> Tensor:
    if rng.random() < REMAPPED_SHARE * strength:
        spread = SPREAD_HU * rng.uniform(0, 1.4) * strength
        moved = KNOTS_HU + rng.standard_normal(len(KNOTS_HU)) * spread
        table = torch.from_numpy(np.interp(_TABLE_HU, KNOTS_HU, moved).astype(np.float32))
        hu = table[((hu - _TABLE_HU[0]) * (1 / _TABLE_STEP_HU)).to(torch.int32)]
    if rng.random() < ENHANCED_SHARE:
        hu = hu + _contrast_medium(target, rng, noise) * (hu > -150)
    return hu


def _contrast_medium(target: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """Uneven HU to add inside the structure, with a soft edge."""
    inside = _mean_of_neighbours(target)
    level = rng.uniform(-25, 25) if rng.random() < 0.5 else rng.uniform(0, 350)
    uneven = _field(target, 7, noise)
    return inside * (level + 0.35 * abs(level) * uneven)


def _other_scanner(
    hu: Tensor, rng: np.random.Generator, noise: torch.Generator, strength: float
) -> Tensor:
    if rng.random() < SHADED_SHARE * strength:
        shade = torch.randn((1, 4, 4, 4), generator=noise) * rng.uniform(0, 18)
        hu = hu + spread_out(shade, _size(hu)) * (hu > -300)
    sharpness = rng.random()
    if sharpness < BLURRED_SHARE * strength:
        hu = _blurred(hu, rng)
    elif sharpness < (BLURRED_SHARE + SHARPENED_SHARE) * strength:
        hu = hu + (hu - _mean_of_neighbours(hu)) * rng.uniform(0, 0.6)
    if rng.random() < NOISY_SHARE * strength:
        hu = hu + torch.randn(hu.shape, generator=noise) * abs(rng.normal(0, 25))
    if rng.random() < MOTTLED_SHARE * strength:
        hu = hu + _field(hu, 3, noise) * rng.uniform(0, 25)
    return hu


def _blurred(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Thick slices and soft kernels: a Gaussian along each axis, mostly along the slices."""
    reach = rng.uniform(0, 1.3)
    sigmas = (reach * rng.uniform(0.5, 1.5), reach * 0.5, reach * 0.5)
    away = torch.arange(-3.0, 4.0)
    kernels = [torch.exp(-0.5 * (away / max(sigma, 0.01)) ** 2) for sigma in sigmas]
    return _smoothed(hu, [kernel / kernel.sum() for kernel in kernels])


def _mean_of_neighbours(hu: Tensor) -> Tensor:
    """Mean over 3 x 3 x 3 voxels."""
    return _smoothed(hu, [torch.full((3,), 1 / 3)] * 3)


def _smoothed(hu: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    """`hu` with a kernel of odd length along each axis; what lies beyond is like the rim."""
    matrices = [_of_kernel(kernel, n) for kernel, n in zip(kernels, hu.shape[1:], strict=True)]
    return along_axes(hu, matrices)


def _of_kernel(kernel: Tensor, n: int) -> Tensor:
    """(n, n): what each of `n` voxels in a row takes from each."""
    reach = len(kernel) // 2
    at = torch.arange(n)
    taken_from = (at[:, None] + torch.arange(-reach, reach + 1)).clamp(0, n - 1)
    return torch.zeros((n, n)).scatter_add_(1, taken_from, kernel.expand(n, -1))


def _windowed(
    hu: Tensor, window_hu: tuple[float, float], rng: np.random.Generator, strength: float
) -> Tensor:
    low = window_hu[0] + strength * rng.uniform(-30, 30)
    width = (window_hu[1] - window_hu[0]) * np.exp(strength * rng.uniform(-0.2, 0.2))
    grey = torch.clamp((hu - low) / width, 0, 1)
    if rng.random() < GAMMA_SHARE * strength:
        grey = grey ** float(np.exp(rng.uniform(-0.35, 0.35)))
    return grey * 2.0 - 1.0


def _field(like: Tensor, voxels_a_node: int, noise: torch.Generator) -> Tensor:
    """Smooth noise of about unit spread in the shape of `like` (1, slices, rows, columns)."""
    nodes = [max(2, n // voxels_a_node) for n in like.shape[1:]]
    return spread_out(torch.randn((1, *nodes), generator=noise), _size(like))


def _size(like: Tensor) -> tuple[int, int, int]:
    _, slices, rows, columns = like.shape
    return (slices, rows, columns)
