"""Contours of one ROI, whatever a planning system made of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from core.errors import UnreadableObjectError
from core.geometry import Points
from core.structures import Contour
from dicom_node.objects.attributes import items, numbers, optional_number, text

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
# No patient's coordinates are farther out, and arithmetic on far larger ones overflows.
_FARTHEST_MM = 1e9
_OPEN = frozenset({"POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"})


class _Odd(StrEnum):
    """What is told about contours; a number follows."""

    OPEN = "Points and open lines were left out"
    UNKNOWN = "Contours of an unknown type were left out"
    UNTYPED = "Contours without a type were read as closed"
    FLAT = "Contours of fewer than three points were left out"
    GARBAGE = "Contours with coordinates that are not numbers were left out"
    NOT_TRIPLES = "Contours without three coordinates for each point were left out"
    MISCOUNTED = "Contours that announce another number of points were read as they stand"
    TWICE = "Contours that are there twice count once"


_LEFT_OUT = frozenset({_Odd.OPEN, _Odd.UNKNOWN, _Odd.FLAT, _Odd.GARBAGE, _Odd.NOT_TRIPLES})
_DAMAGED = frozenset({_Odd.UNKNOWN, _Odd.GARBAGE, _Odd.NOT_TRIPLES, _Odd.MISCOUNTED})


@dataclass(frozen=True, slots=True)
class Outline:
    """The closed contours of one ROI; see `core.structures.Roi` for the rest."""

    contours: tuple[Contour, ...]
    contours_left_out: int
    contours_damaged: int
    findings: tuple[str, ...]


def read_outline(contour_items: Iterable[Dataset]) -> Outline:
    """The closed planar contours among items of Contour Sequence (3006,0040), LPS mm.

    Nothing raises: what cannot be used is left out and told. Two contours along the same line are
    one, because contours of a slice are combined by exclusive or and would vanish together.
    """
    odd: Counter[_Odd] = Counter()
    contours: dict[bytes, Contour] = {}
    for item in contour_items:
        contour = _contour(item, odd)
        if contour is None:
            continue
        drawn = _drawn(contour.points_mm)
        if drawn in contours:
            odd[_Odd.TWICE] += 1
        contours.setdefault(drawn, contour)
    return Outline(
        contours=tuple(contours.values()),
        contours_left_out=sum(odd[kind] for kind in _LEFT_OUT),
        contours_damaged=sum(odd[kind] for kind in _DAMAGED),
        findings=tuple(f"{kind}: {odd[kind]}." for kind in _Odd if odd[kind]),
    )


def _drawn(points_mm: Points) -> bytes:
    """The same for one polygon wherever it begins and whichever way it runs round."""
    first = int(np.lexsort(points_mm.T)[0])
    onwards = np.roll(points_mm, -first, axis=0)
    backwards = np.roll(onwards[::-1], 1, axis=0)
    return min(onwards.tobytes(), backwards.tobytes())


def _contour(item: Dataset, odd: Counter[_Odd]) -> Contour | None:
    try:
        kind = text(item, "ContourGeometricType").upper()
        if kind and kind not in _CLOSED:
            odd[_Odd.OPEN if kind in _OPEN else _Odd.UNKNOWN] += 1
            return None
        points_mm = _points(item, odd)
        image = _image_of(item)
    except UnreadableObjectError:
        odd[_Odd.GARBAGE] += 1
        return None
    if points_mm is None:
        return None
    if len(points_mm) < 3:
        odd[_Odd.FLAT] += 1
        return None
    if not kind:
        odd[_Odd.UNTYPED] += 1
    return Contour(points_mm, *image)


def _points(item: Dataset, odd: Counter[_Odd]) -> Points | None:
    """Contour Data as (n, 3) in mm, without a repeated first point; None if not in threes."""
    values = _require_near(_contour_data(item))
    if len(values) % 3:
        odd[_Odd.NOT_TRIPLES] += 1
        return None
    points = values.reshape(-1, 3)
    # The coordinates are what was drawn; the number beside them is only a summary.
    if _announced(item) not in {None, len(points)}:
        odd[_Odd.MISCOUNTED] += 1
    closed_twice = len(points) > 1 and np.array_equal(points[0], points[-1])
    return points[:-1] if closed_twice else points


def _announced(item: Dataset) -> float | None:
    try:
        return optional_number(item, "NumberOfContourPoints")
    except UnreadableObjectError:
        return math.nan


def _contour_data(item: Dataset) -> Points:
    """Contour Data (3006,0050) as numbers; raises `UnreadableObjectError` if they are none."""
    element: Any = item.get_item("ContourData") if "ContourData" in item else None
    if element is None or not element.value:
        return np.empty(0)
    if not isinstance(element, RawDataElement):
        return np.asarray(numbers(item, "ContourData"), np.float64)
    # Parsed here and not by pydicom, which makes an object of every coordinate.
    try:
        decimals = element.value.rstrip(b"\0 ").decode("ascii")
        values = np.array(list(map(float, decimals.split("\\"))), np.float64)
    except ValueError as error:
        raise UnreadableObjectError("A contour holds coordinates that are no numbers.") from error
    # Python reads 1_0 as ten.
    if "_" in decimals or not np.isfinite(values).all():
        raise UnreadableObjectError("A contour holds coordinates that are no finite numbers.")
    return values


def _require_near(values: Points) -> Points:
    if values.size and np.abs(values).max() > _FARTHEST_MM:
        raise UnreadableObjectError(
            f"A contour lies farther out than {_FARTHEST_MM:g} mm. Export it again from the TPS."
        )
    return values


def _image_of(item: Dataset) -> tuple[str | None, int | None]:
    """SOP Instance UID and frame of the image it was drawn on; several frames say nothing."""
    images = items(item, "ContourImageSequence")
    if not images:
        return None, None
    frame = text(images[0], "ReferencedFrameNumber")
    return (
        text(images[0], "ReferencedSOPInstanceUID") or None,
        int(frame) if frame.isdecimal() else None,
    )
