"""Pictures of the cases where prediction and correction agree least (figure 6 of the paper)."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from core.geometry import Mask
from core.store import Store
from review_ui.cohort.rows import CohortRow

OUTLIERS = 2
OUTLIER_DICE = 0.9
FIRST_CASES = 1  # of which the paper shows none
WINDOW_HU = (-125.0, 250.0)
MARGIN_MM = 40.0
HEIGHT = 260
PREDICTED, CORRECTED = (80, 200, 120), (255, 209, 102)  # green and yellow, as in the paper

Picture = npt.NDArray[np.uint8]


def outliers_of(rows: Sequence[CohortRow]) -> list[CohortRow]:
    """The cases of least Dice, at most two, below 0.9 and after the first case."""
    low = [
        row
        for row in rows
        if row.change is not None and row.number > FIRST_CASES and row.change.dice < OUTLIER_DICE
    ]
    return sorted(low, key=lambda row: (row.change.dice if row.change else 1.0, row.number))[
        :OUTLIERS
    ]


def picture_of(store: Store, row: CohortRow, roi_name: str) -> str:
    """The slice with most disagreement as a data address: left both outlines, right the corrected.

    Raises `UnreadableObjectError` where volume or masks are gone.
    """
    made = store.reviews.correction_of(row.case_id, roi_name)
    if made is None or made.prediction_id is None:
        raise ValueError(f"Case {row.number} has no prediction to show.")
    files = store.files
    ct = files.read_ct(row.case_id, made.assembly)
    predicted = files.read_mask(row.case_id, f"prediction-{made.prediction_id}")
    corrected = files.read_mask(row.case_id, f"correction-{made.id}")
    index = int(np.argmax(np.count_nonzero(predicted ^ corrected, axis=(1, 2))))
    _, row_mm, column_mm = ct.geometry.spacing_mm
    seen = np.asarray((predicted | corrected).any(axis=0), bool)
    box = _around(seen, (row_mm, column_mm))
    grey = _grey(np.asarray(ct.volume.values[index][box], np.float32))
    size = (round(HEIGHT * grey.shape[1] * column_mm / (grey.shape[0] * row_mm)), HEIGHT)
    both = _shown(
        grey, size, [(predicted[index][box], PREDICTED), (corrected[index][box], CORRECTED)]
    )
    alone = _shown(grey, size, [(corrected[index][box], CORRECTED)])
    _, png = cv2.imencode(".png", np.hstack([both, alone])[:, :, ::-1])
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()


def _around(seen: Mask, spacing_mm: tuple[float, float]) -> tuple[slice, slice]:
    sides = []
    for axis, mm in enumerate(spacing_mm):
        used = np.flatnonzero(seen.any(axis=1 - axis))
        margin = round(MARGIN_MM / mm)
        sides.append(slice(max(0, int(used[0]) - margin), int(used[-1]) + 1 + margin))
    return sides[0], sides[1]


def _grey(hu: npt.NDArray[np.float32]) -> Picture:
    low, high = WINDOW_HU
    return np.asarray(np.clip((hu - low) / (high - low), 0, 1) * 255, np.uint8)


def _shown(
    grey: Picture, size: tuple[int, int], outlines: Sequence[tuple[Mask, tuple[int, int, int]]]
) -> Picture:
    """The slice in `size` (width, height) pixels with outlines in colours (red, green, blue)."""
    picture = np.repeat(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)[:, :, None], 3, 2)
    for mask, colour in outlines:
        large = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        inside = cv2.erode(large, np.ones((3, 3), np.uint8))
        picture[np.asarray(large != inside)] = colour
    return np.asarray(picture, np.uint8)
