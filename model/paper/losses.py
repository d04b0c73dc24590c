"""The published loss, and the same loss over the labelled voxels alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's spelling
from torch import Tensor

CROSS_ENTROPY_SHARE = 0.3


def published_loss(logits: Tensor, foreground: Tensor, labelled: Tensor) -> Tensor:
    """Dice plus 0.3 cross-entropy, with what is not labelled *set to 0*, a scalar.

    `logits` (batch, 2, ...), `foreground` and `labelled` bool (batch, ...). Logits of unlabelled
    voxels become 0, so their probability is 0.5: they stay in the Dice denominator and in the mean
    of the cross-entropy. The less is painted, the weaker the gradient; kept, as it was published.
    """
    logits = logits * labelled[:, None]
    target = foreground & labelled
    entropy = CROSS_ENTROPY_SHARE * F.cross_entropy(logits, target.long())
    return _with_dice(entropy, torch.softmax(logits, dim=1)[:, 1], target)


def corrected_loss(logits: Tensor, foreground: Tensor, labelled: Tensor) -> Tensor:
    """The same terms over the labelled voxels and nothing else, a scalar."""
    at = labelled.nonzero(as_tuple=True)
    picked = logits.movedim(1, -1)[at]
    target = foreground[at]
    entropy = CROSS_ENTROPY_SHARE * F.cross_entropy(picked, target.long(), reduction="sum")
    entropy = entropy / max(1, len(target))
    return _with_dice(entropy, torch.softmax(picked, dim=1)[:, 1], target)


def _with_dice(entropy: Tensor, probability: Tensor, target: Tensor) -> Tensor:
    """Without any foreground in the batch the Dice term is left out."""
    if not bool(target.any()):
        return entropy
    overlap = 2.0 * probability[target].sum()
    return entropy + 1.0 - overlap / (probability.sum() + target.sum())
