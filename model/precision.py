"""Which numbers a device computes with: half precision where it is faster, and nowhere else."""

from __future__ import annotations

import torch


def half_of(device: torch.device) -> torch.dtype | None:
    """The half precision that training uses on `device`; None for float32 throughout.

    A GPU: bfloat16 where it has it, float16 before that. A CPU: bfloat16 only with AMX tiles
    (measured 2.4 times as fast there with channels last; many times slower with AVX2 alone).
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and torch.cpu._is_amx_tile_supported():  # noqa: SLF001 (no public way)
        return torch.bfloat16
    return None


def training_autocast(device: torch.device) -> torch.autocast:
    """Autocast for a training step."""
    half = half_of(device)
    return torch.autocast(device.type, dtype=half, enabled=half is not None)


def inference_autocast(device: torch.device) -> torch.autocast:
    """Autocast for a prediction: half precision on a GPU alone.

    On a CPU a prediction takes seconds at most, and float32 gives the same mask on every CPU that
    rounds alike.
    """
    return torch.autocast(device.type, enabled=device.type == "cuda")


def needs_scaling(device: torch.device) -> bool:
    """Whether gradients must be scaled: float16 would lose the small ones."""
    return half_of(device) == torch.float16
