"""What is done to a predicted mask: only what its structure's settings say."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from core.geometry import Mask


def postprocessed(mask: Mask, *, keep_largest: bool, fill_holes: bool) -> Mask:
    """`mask` with its largest piece alone and without cavities, each where it is asked for."""
    if keep_largest:
        mask = largest_component(mask)
    return holes_filled(mask) if fill_holes else mask


def largest_component(mask: Mask) -> Mask:
    """The largest face-connected component of `mask`; empty stays empty."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]), bool)


def holes_filled(mask: Mask) -> Mask:
    """`mask` and the cavities that it encloses on all sides."""
    return np.asarray(ndimage.binary_fill_holes(mask), bool)
