"""The DVHs that a planning system puts beside a dose, as mean dose and volume of each ROI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from core.errors import UnreadableObjectError
from core.tps_dvh import TpsDvhs, TpsFigure
from dicom_node.objects.attributes import (
    items,
    number,
    numbers,
    optional_number,
    text,
)


def read_dvhs(ds: Dataset) -> TpsDvhs | None:
    """The DVHs of an RT Dose (PS3.3 C.8.8.4); None where it has none or names no structure set.

    A DVH that is odd never refuses its dose: it says itself why it cannot be compared.
    """
    dvhs = items(ds, "DVHSequence")
    sets = {
        text(s, "ReferencedSOPInstanceUID") for s in items(ds, "ReferencedStructureSetSequence")
    }
    if not dvhs or len(sets) != 1 or "" in sets:
        return None
    found = [(roi, _curve_of(dvh, text(ds, "DoseType"))) for dvh in dvhs for roi in _whole_roi(dvh)]
    unit_gy = _unit_of_what_is_stated([curve for _, curve in found if isinstance(curve, _Curve)])
    return TpsDvhs(
        sets.pop(),
        tuple(
            TpsFigure(roi, obstacle=curve) if isinstance(curve, str) else curve.figure(roi, unit_gy)
            for roi, curve in found
        ),
    )


@dataclass(frozen=True, slots=True)
class _Curve:
    """What a curve tells, in Gy and cc, and what is stated beside it, in a unit that may be odd."""

    mean_gy: float
    maximum_gy: float
    bin_gy: float
    volume_cc: float | None
    stated_mean: float | None
    stated_maximum: float | None

    def figure(self, roi_number: int, unit_gy: float) -> TpsFigure:
        """The mean is the stated one, which is exact, where the curve agrees within a bin."""
        stated = [] if self.stated_mean is None else [self.stated_mean, self.stated_mean * unit_gy]
        near_gy = self.bin_gy + 1e-3 * self.mean_gy
        agrees = [gray for gray in stated if abs(gray - self.mean_gy) <= near_gy]
        if agrees:
            return TpsFigure(roi_number, agrees[0], self.volume_cc)
        return TpsFigure(roi_number, self.mean_gy, self.volume_cc, self.bin_gy)


def _unit_of_what_is_stated(curves: Sequence[_Curve]) -> float:
    """What 1 of the stated doses is in Gy, from the hottest structure.

    Eclipse states minimum, mean and maximum in percent of the prescription though Dose Units says
    GY, beside a curve in gray; the maximum of both is one dose. No plan is needed for that.
    """
    known = [c for c in curves if c.stated_maximum is not None and c.stated_maximum > 0]
    if not known:
        return 1.0
    hottest = max(known, key=lambda curve: curve.maximum_gy)
    return hottest.maximum_gy / (hottest.stated_maximum or 1.0)


def _whole_roi(dvh: Dataset) -> list[int]:
    """The number of the ROI that a DVH is of; none where it is not of one whole ROI."""
    rois = items(dvh, "DVHReferencedROISequence")
    if len(rois) != 1 or text(rois[0], "DVHROIContributionType") != "INCLUDED":
        return []
    try:
        return [int(number(rois[0], "ReferencedROINumber"))]
    except UnreadableObjectError:
        return []


def _curve_of(dvh: Dataset, dose_type: str) -> _Curve | str:
    """What its curve tells; a sentence where it cannot be compared."""
    try:
        for keyword, expected in {**_EXPECTED, "DoseType": (dose_type,)}.items():
            _require(dvh, keyword, expected)
        return _read_curve(dvh)
    except UnreadableObjectError as error:
        return str(error)


_EXPECTED = {
    "DVHType": ("CUMULATIVE", "DIFFERENTIAL"),
    "DoseUnits": ("GY",),
    "DVHVolumeUnits": ("CM3", "PERCENT"),
}


def _require(dvh: Dataset, keyword: str, expected: tuple[str, ...]) -> None:
    found = text(dvh, keyword)
    if found not in expected:
        raise UnreadableObjectError(
            f"{keyword} of the DVH is {found or 'empty'}; expected {' or '.join(expected)}."
        )


def _read_curve(dvh: Dataset) -> _Curve:
    data = np.asarray(numbers(dvh, "DVHData"))
    if len(data) % 2:
        raise UnreadableObjectError("DVHData holds an odd number of values; expected pairs.")
    widths = data[::2] * number(dvh, "DVHDoseScaling")
    volumes = np.maximum(data[1::2], 0.0)  # Eclipse ends with -1e-12
    if widths.min() < 0 or widths.max() <= 0 or volumes.max() <= 0:
        raise UnreadableObjectError("DVHData holds no volume or no width of its bins.")
    is_cumulative = text(dvh, "DVHType") == "CUMULATIVE"
    in_bin = volumes - np.append(volumes[1:], 0.0) if is_cumulative else volumes
    middles = np.cumsum(widths) - widths / 2.0
    return _Curve(
        mean_gy=float(in_bin @ middles / in_bin.sum()),
        maximum_gy=float(middles[np.flatnonzero(volumes)[-1]]),
        bin_gy=float(widths.max()),
        volume_cc=float(in_bin.sum()) if text(dvh, "DVHVolumeUnits") == "CM3" else None,
        stated_mean=optional_number(dvh, "DVHMeanDose"),
        stated_maximum=optional_number(dvh, "DVHMaximumDose"),
    )
