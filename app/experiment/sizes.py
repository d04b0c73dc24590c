"""How large the experiment is, and which patients are in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FIRST_SEED = 500_000
THICKNESSES_MM = (2.0, 2.5, 3.0, 5.0)
TUMOUR_SHARE, CONTRAST_SHARE, SCAN_SHARE = 0.12, 0.5, 0.25


@dataclass(frozen=True, slots=True)
class Size:
    """So many patients; what the node's configuration says differently, by section.

    Of the first and of the last `by_hand` patients the TPS sends a contour drawn by hand after the
    review; `manual` further patients at either end are contoured in the manual arm.
    """

    name: str
    patients: int
    by_hand: int
    manual: int
    thicknesses_mm: tuple[float, ...]
    in_plane_mm: float
    changes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Planned:
    """One patient of the stream; a bend of the real scan with the number `scan`, if it is one."""

    number: int
    seed: int
    spacing_mm: tuple[float, float, float]
    tumour: bool
    contrast: bool
    is_manual: bool
    is_compared: bool
    scan: int | None


_STAGE = {"spacing_mm": [6.0, 6.0, 6.0], "widths": [16, 32, 64], "patch_voxels": [24, 32, 32]}
_ONCE = {"rounds_without_progress": 1, "challenger_steps": 0}

SIZES = {
    size.name: size
    for size in (
        Size(
            "tiny",
            patients=5,
            by_hand=1,
            manual=1,
            thicknesses_mm=(5.0,),
            in_plane_mm=4.0,
            changes={
                "model": {"coarse": _STAGE, "fine": _STAGE},
                "training": {**_ONCE, "steps_first": 60, "steps_per_case": 15},
            },
        ),
        Size(
            "small",
            patients=40,
            by_hand=10,
            manual=5,
            thicknesses_mm=THICKNESSES_MM,
            in_plane_mm=2.0,
            changes={"training": {**_ONCE, "steps_per_case": 10, "steps_longest": 400}},
        ),
        Size(
            "paper",
            patients=933,
            by_hand=10,
            manual=10,
            thicknesses_mm=THICKNESSES_MM,
            in_plane_mm=1.5,
            changes={"training": {"challenger_steps": 0}},
        ),
    )
}


def stream_of(size: Size, seed: int, scans: int = 0) -> list[Planned]:
    """The patients in the order in which they are pushed; equal arguments, equal patients.

    A quarter are bends of real scans where there are `scans`, each as often as the others.
    """
    count = size.patients + 2 * size.manual
    rng = np.random.default_rng([seed, 8])
    tumour = rng.permutation(count) < round(TUMOUR_SHARE * count)
    contrast = rng.permutation(count) < round(CONTRAST_SHARE * count)
    order = rng.permutation(count) % len(size.thicknesses_mm)
    bent = rng.permutation(count)
    bends = round(SCAN_SHARE * count) if scans else 0
    first, last = size.manual, count - size.manual
    return [
        Planned(
            number=number,
            seed=FIRST_SEED + 2_000 * seed + number,
            spacing_mm=(size.thicknesses_mm[order[number]], size.in_plane_mm, size.in_plane_mm),
            tumour=bool(tumour[number]),
            contrast=bool(contrast[number]),
            is_manual=not first <= number < last,
            is_compared=first <= number < last
            and not first + size.by_hand <= number < last - size.by_hand,
            scan=int(bent[number]) % scans if bent[number] < bends else None,
        )
        for number in range(count)
    ]
