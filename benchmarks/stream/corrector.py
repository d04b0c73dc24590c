"""The physician before whom the recipes of the benchmark stand: strict, and the same for each.

Stricter than the one of the experiment (`app/experiment/physician.py`): a slice is left only where
it overlaps almost wholly with what is meant, and errors are painted to the last stretch.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from app.experiment.physician import Corrected, Opinion, around, brushed, slices_seen
from core.geometry import Mask
from dose.difference import dice

# A slice that is as good as this is left; a proposal worse than this is not corrected but redrawn.
GOOD_SLICE_DICE = 0.97
REDRAWN_BELOW_DICE = 0.5
# Drawn from scratch, this much around the heart is painted as background.
RING_MM = 12.0


def correct(proposal: Mask, opinion: Opinion, rng: np.random.Generator) -> Corrected:
    """The proposal after the physician was done with it.

    A useful proposal is corrected slice by slice: errors that are seen are painted over with the
    brush, good slices and overlooked ones are left as they are. A useless one is drawn anew.
    """
    if dice(proposal, opinion.meant) < REDRAWN_BELOW_DICE:
        return _drawn_anew(proposal, opinion)
    red, green = np.zeros_like(proposal), np.zeros_like(proposal)
    for number in np.flatnonzero((proposal | opinion.meant).any((1, 2))):
        meant, proposed = opinion.meant[number], proposal[number]
        good = meant.any() and dice(meant, proposed) >= GOOD_SLICE_DICE
        if not opinion.looked[number] or good:
            continue
        red[number] = brushed(meant & ~proposed, opinion.geometry, rng) & meant
        green[number] = brushed(proposed & ~meant, opinion.geometry, rng) & ~meant
    return Corrected((proposal | red) & ~green, red, green, slices_seen(opinion))


def _drawn_anew(proposal: Mask, opinion: Opinion) -> Corrected:
    """The heart painted in every slice looked at, a ring around it, and what was proposed wrongly.

    What lies in overlooked slices is taken from the nearest slice that was drawn.
    """
    meant, looked = opinion.meant, opinion.looked
    spacing_mm = opinion.geometry.spacing_mm
    crop = around(meant, opinion.geometry, RING_MM)
    ring = np.zeros_like(meant)
    ring[crop] = ndimage.distance_transform_edt(~meant[crop], spacing_mm) <= RING_MM
    red = meant & looked[:, None, None]
    green = (ring | proposal) & ~meant & looked[:, None, None]
    drawn = np.flatnonzero(red.any((1, 2)))
    approved = red.copy()
    for number in np.flatnonzero(meant.any((1, 2)) & ~looked):
        approved[number] = red[drawn[np.argmin(np.abs(drawn - number))]]
    return Corrected(approved, red, green, slices_seen(opinion))
