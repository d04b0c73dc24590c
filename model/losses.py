"""The loss over labelled voxels, and nothing but labelled voxels."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's spelling
from torch import Tensor

_SMOOTHING = 1e-3


def masked_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy plus Dice loss, a scalar; all arguments have the same shape.

    `target` is 0 or 1; a voxel whose `weight` is 0 is unlabelled and has no say. Both terms divide
    by what is labelled, so the gradient of a case with one painted per cent is not a hundredth of
    that of a case painted whole. Without any labelled foreground the Dice term is left out.
    """
    labelled = (weight > 0).to(logits.dtype)
    target = target * labelled
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (entropy * weight).sum() / weight.sum().clamp(min=1e-6)
    if not bool(torch.any(target > 0)):
        return entropy
    probability = torch.sigmoid(logits) * labelled
    # Smoothing grows with the labelled volume: the loss must not know how much is labelled.
    smoothing = _SMOOTHING * labelled.sum()
    overlap = 2.0 * (probability * target).sum() + smoothing
    return entropy + 1.0 - overlap / (probability.sum() + target.sum() + smoothing)
