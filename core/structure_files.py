"""A structure set as two files: who is who as JSON, all points as one array."""

from __future__ import annotations

from dataclasses import fields
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from core.files import read_array, read_json, write_array, write_json
from core.structures import Contour, Roi, StructureSet

_FACTS, _POINTS = "structures.json", "points.npy"


def write_structures(folder: Path, structures: StructureSet) -> None:
    """Write `structures` into `folder`."""
    contours = [contour for roi in structures.rois for contour in roi.contours]
    points = [contour.points_mm for contour in contours]
    write_array(folder / _POINTS, np.concatenate([np.empty((0, 3)), *points]))
    facts = _values(structures, but="rois")
    rois = [
        {**_values(roi, but="contours"), "contours": len(roi.contours)} for roi in structures.rois
    ]
    described = [{**_values(c, but="points_mm"), "points": len(c.points_mm)} for c in contours]
    write_json(folder / _FACTS, {"set": facts, "rois": rois, "contours": described})


def read_structures(folder: Path) -> StructureSet:
    """The structure set that `write_structures` wrote."""
    facts, points = read_json(folder / _FACTS), np.array(read_array(folder / _POINTS))
    described = facts["contours"]
    ends = list(accumulate((c["points"] for c in described), initial=0))
    contours = [
        Contour(points[start:end], *(c[name] for name in _names(Contour, but="points_mm")))
        for c, (start, end) in zip(described, pairwise(ends), strict=True)
    ]
    remaining = iter(contours)
    rois = tuple(
        Roi(**{**_tuples(roi), "contours": tuple(next(remaining) for _ in range(roi["contours"]))})
        for roi in facts["rois"]
    )
    return StructureSet(**_tuples(facts["set"]), rois=rois)


def _names(kind: Any, *, but: str) -> list[str]:
    return [field.name for field in fields(kind) if field.name != but]


def _values(record: Any, *, but: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _names(record, but=but)}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
