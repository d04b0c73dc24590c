"""Localizers told from the slices of the series they came with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydicom.dataset import Dataset

from dicom_node.objects.attributes import text
from dicom_node.objects.ct_frames import CtFrame
from dicom_node.objects.orientation import axes_of

# An image whose normal is further than 60 degrees from the stack's stands across it.
_ACROSS = 0.5


def is_declared_localizer(ds: Dataset) -> bool:
    """Whether Image Type (0008,0008) says LOCALIZER, as its third value (PS3.3 C.8.2.1.1.1)."""
    return "LOCALIZER" in [value.strip() for value in text(ds, "ImageType").split("\\")[2:]]


def without_scouts(frames: Sequence[CtFrame]) -> tuple[list[CtFrame], int]:
    """The frames of the stack, and how many undeclared localizers were left out.

    A localizer differs in both: it stands across the stack and has another size. An image that
    differs in one of these is not guessed about: it stays, and the checks of the stack refuse it.
    """
    kinds = Counter((frame.size, _rounded(frame)) for frame in frames)
    if len(kinds) < 2:
        return list(frames), 0
    (size, orientation), _ = kinds.most_common(1)[0]
    normal = axes_of(orientation)[0]
    stack = [
        frame
        for frame in frames
        if frame.size == size or abs(axes_of(frame.orientation)[0] @ normal) >= _ACROSS
    ]
    across = len(frames) - len(stack)
    return (stack, across) if across < len(stack) else (list(frames), 0)


def _rounded(frame: CtFrame) -> tuple[float, ...]:
    return tuple(round(value, 3) for value in frame.orientation)
