"""Stored values to Hounsfield units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from core.errors import IrregularSeriesError
from core.geometry import Mask
from core.volume import hounsfield
from dicom_node.objects.attributes import number, optional_number, text

# No tissue is thinner than vacuum (-1000 HU) but for noise.
LOWEST_HU = -1024
# No noise reaches down here: what scanners write outside their field of view (-2000, -3024 ...).
_UNDECLARED_PADDING_HU = -1250


def hounsfield_values(
    stored: npt.NDArray[Any], rescale: Dataset, ds: Dataset
) -> tuple[npt.NDArray[np.int16], Mask]:
    """(HU, which pixels are padding) of one image (row, column) of the instance `ds`.

    `rescale` holds the slope and intercept of this image. Padding, declared or not, is -1024 HU
    and says nothing about the patient.
    """
    slope, intercept = number(rescale, "RescaleSlope"), number(rescale, "RescaleIntercept")
    kind = text(rescale, "RescaleType")
    if slope == 0 or kind not in _kinds_of_hu(ds):
        raise IrregularSeriesError(
            f"A slice has Rescale Slope {slope:g} and Rescale Type {kind!r}; expected Hounsfield "
            "units (HU). Send the CT, not a map computed from it."
        )
    hu = hounsfield(stored * slope + intercept)
    padding = (hu < _UNDECLARED_PADDING_HU) | _declared_padding(ds, stored)
    hu[padding] = LOWEST_HU
    return np.maximum(hu, np.int16(LOWEST_HU)), padding


def _kinds_of_hu(ds: Dataset) -> frozenset[str]:
    # "Unspecified" is what some scanners say of a CT Image; an Enhanced CT must say HU, and says
    # US of perfusion and other maps (PS3.3 C.8.15.3.10).
    enhanced = text(ds, "SOPClassUID") == EnhancedCTImageStorage
    return frozenset({"", "HU"}) if enhanced else frozenset({"", "HU", "US"})


def _declared_padding(ds: Dataset, stored: npt.NDArray[Any]) -> Mask:
    """Pixels that stand outside the image (PS3.3 C.7.5.1.1.2)."""
    value = optional_number(ds, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, np.bool_)
    limit = optional_number(ds, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high), np.bool_)
