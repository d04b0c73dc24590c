"""What makes an approved structure look wrong, so that somebody else looks before it is learned.

The physician decides about the patient: what was approved is delivered. But a slip that trains
harms everybody who comes after, so whatever is odd here waits for a second person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy import ndimage

from core.geometry import Mask
from core.volume import Volume

# Tissue is denser than this; lung within the body is filled in.
BODY_HU = -300.0
COARSE_MM = 3.0
LEAST_BODY_CC = 1000.0

# Empties: what is left of a prediction that was more than a trace.
LEAST_SHARE_OF_PREDICTION = 0.10
TRACE_CC = 10.0
# Beyond this robust z (Iglewicz and Hoaglin 1993) a value is an outlier; with fewer earlier
# structures than MINIMUM a spread means nothing. The least spreads stand for what patients differ.
OUTLIER_Z = 3.5
MINIMUM = 8
LEAST_SPREAD_LOG_VOLUME = 0.15
LEAST_SPREAD_MM = 5.0
MOST_OUTSIDE_BODY = 0.25
# The mirror image fits the prediction that much better than what was approved.
MIRROR_GAIN = 0.15
LEAST_MIRROR_DICE = 0.6
# A side is a side only beyond this distance from the middle of the body.
CLEAR_SIDE_MM = 8.0
ON_ONE_SIDE = 0.8
LEAST_FOR_SIDES = 5
SURE_DICE, FAR_DICE = 0.8, 0.4
# Of the heart alone, where nothing else is known yet: below is a sliver, above twice a large
# heart; and in all but one of about ten thousand people it lies left of the middle.
HEART_CC = (5.0, 2500.0)
HEART_RIGHT_MM = 10.0


@dataclass(frozen=True, slots=True)
class Observed:
    """An approved structure in figures; None where there was nothing to compare with.

    `left_mm` and `back_mm` say where its centre lies from the middle of the body;
    `mirrored_dice` is the Dice of its mirror image with the prediction, on coarse voxels like
    `coarse_dice`.
    """

    volume_cc: float
    left_mm: float | None = None
    back_mm: float | None = None
    outside_body: float | None = None
    predicted_cc: float | None = None
    expected_dice: float | None = None
    dice: float | None = None
    coarse_dice: float | None = None
    mirrored_dice: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**values)


def observe(
    mask: Mask, ct: Volume, *, predicted: Mask | None = None, expected_dice: float | None = None
) -> Observed:
    """The figures of `mask`; it and the prediction it corrects are on the grid of `ct` (HU)."""
    geometry = ct.geometry
    volume_cc = geometry.volume_cc(mask)
    predicted_cc = None if predicted is None else geometry.volume_cc(predicted)
    overlap = None if predicted is None else _dice(mask, predicted)
    step = tuple(max(1, int(COARSE_MM / mm)) for mm in geometry.spacing_mm)
    coarse = (slice(None, None, step[0]), slice(None, None, step[1]), slice(None, None, step[2]))
    small, voxel_mm = mask[coarse], np.asarray(geometry.spacing_mm) * step
    known = {
        "volume_cc": volume_cc,
        "predicted_cc": predicted_cc,
        "expected_dice": expected_dice,
        "dice": overlap,
    }
    body = _body(np.asarray(ct.values[coarse]), float(voxel_mm.prod()) / 1000.0)
    if body is None or not small.any():
        return Observed(**known)  # type: ignore[arg-type]
    around = body & small.any(axis=(1, 2), keepdims=True)
    if not around.any():
        return Observed(**known, outside_body=1.0)  # type: ignore[arg-type]
    middle, centre = np.argwhere(around).mean(0), np.argwhere(small).mean(0)
    _, back_mm, left_mm = (centre - middle) * voxel_mm
    mirrored = None if predicted is None else _dice(_mirrored(small, middle[2]), predicted[coarse])
    return Observed(
        **known,  # type: ignore[arg-type]
        left_mm=float(left_mm),
        back_mm=float(back_mm),
        outside_body=1.0 - float((small & body).sum()) / float(small.sum()),
        coarse_dice=None if predicted is None else _dice(small, predicted[coarse]),
        mirrored_dice=mirrored,
    )


def suspicions(found: Observed, others: Sequence[Observed], roi_name: str) -> list[str]:
    """Why `found` must not be learned from yet, a sentence each; `others` were approved before."""
    return [
        *_of_volume(found, others, roi_name),
        *_of_place(found, others, roi_name),
        *_of_side(found, others, roi_name),
        *_of_prediction(found, roi_name),
    ]


def _of_volume(found: Observed, others: Sequence[Observed], roi_name: str) -> Iterator[str]:
    volume, predicted = found.volume_cc, found.predicted_cc
    if volume == 0.0:
        yield f"{roi_name} is empty."
        return
    if predicted and predicted > TRACE_CC and volume < LEAST_SHARE_OF_PREDICTION * predicted:
        yield f"{roi_name} is nearly emptied: {volume:.1f} cc of {predicted:.0f} cc predicted."
    least, most = HEART_CC
    if _is_heart(roi_name) and not least <= volume <= most:
        yield f"{roi_name} has {volume:.1f} cc; hearts have {least:g} to {most:g} cc."
    before = [np.log(o.volume_cc) for o in others if o.volume_cc]
    z, usual = _robust_z(np.log(volume), before, LEAST_SPREAD_LOG_VOLUME)
    if z > OUTLIER_Z:
        yield (
            f"{roi_name} has {volume:.1f} cc, {len(others)} approved before about "
            f"{np.exp(usual):.0f} cc (robust z {z:.1f})."
        )


def _of_place(found: Observed, others: Sequence[Observed], roi_name: str) -> Iterator[str]:
    if found.outside_body is not None and found.outside_body > MOST_OUTSIDE_BODY:
        yield f"{found.outside_body:.0%} of {roi_name} lies outside the body."
    ways: list[tuple[str, Callable[[Observed], float | None]]] = [
        ("left or right", lambda o: o.left_mm),
        ("front or back", lambda o: o.back_mm),
    ]
    for words, of in ways:
        here = of(found)
        known = [mm for o in others if (mm := of(o)) is not None]
        if here is None:
            continue
        z, usual = _robust_z(here, known, LEAST_SPREAD_MM)
        if z > OUTLIER_Z:
            yield (
                f"{roi_name} lies {abs(here - usual):.0f} mm too far to the {words} of where "
                f"{len(known)} approved before lie (robust z {z:.1f})."
            )


def _of_side(found: Observed, others: Sequence[Observed], roi_name: str) -> Iterator[str]:
    straight, mirrored = found.coarse_dice or 0.0, found.mirrored_dice or 0.0
    if mirrored >= LEAST_MIRROR_DICE and mirrored - straight > MIRROR_GAIN:
        yield (
            f"{roi_name} looks flipped left to right: its mirror image has a Dice of "
            f"{mirrored:.2f} with the prediction, it itself {straight:.2f}."
        )
    if found.left_mm is None:
        return
    if _is_heart(roi_name) and found.left_mm < -HEART_RIGHT_MM:
        yield f"{roi_name} lies {-found.left_mm:.0f} mm to the right of the middle of the body."
    sides = [np.sign(o.left_mm) for o in others if o.left_mm and abs(o.left_mm) > CLEAR_SIDE_MM]
    if len(sides) < LEAST_FOR_SIDES or abs(found.left_mm) <= CLEAR_SIDE_MM:
        return
    opposite = sum(1 for side in sides if side != np.sign(found.left_mm))
    if opposite >= ON_ONE_SIDE * len(sides):
        yield f"{roi_name} lies on the other side than {opposite} of {len(sides)} approved before."


def _of_prediction(found: Observed, roi_name: str) -> Iterator[str]:
    if found.dice is None or found.expected_dice is None:
        return
    if found.expected_dice >= SURE_DICE and found.dice < FAR_DICE:
        yield (
            f"{roi_name} has a Dice of {found.dice:.2f} to the prediction, of which the model was "
            f"sure (expected {found.expected_dice:.2f})."
        )


def _robust_z(value: float, others: Sequence[float], least_spread: float) -> tuple[float, float]:
    """(|robust z| of `value` among `others`, their median); z is 0 while they are few."""
    if len(others) < MINIMUM:
        return 0.0, value
    median = float(np.median(others))
    spread = max(float(np.median(np.abs(np.asarray(others) - median))), least_spread)
    return 0.6745 * abs(value - median) / spread, median


def _is_heart(roi_name: str) -> bool:
    return roi_name.casefold() == "heart"


def _body(values_hu: Mask, voxel_cc: float) -> Mask | None:
    """The largest piece of tissue, filled slice by slice; None where that is no body."""
    labels, count = ndimage.label(values_hu > BODY_HU)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    if sizes.max() * voxel_cc < LEAST_BODY_CC:
        return None
    largest = np.asarray(labels == 1 + int(sizes.argmax()), bool)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest])


def _mirrored(mask: Mask, middle_column: float) -> Mask:
    """`mask` mirrored left to right at a column; what leaves the grid is lost."""
    columns = mask.shape[2]
    source = np.rint(2.0 * middle_column - np.arange(columns)).astype(int)
    inside = (source >= 0) & (source < columns)
    mirrored = np.zeros_like(mask)
    mirrored[:, :, inside] = mask[:, :, source[inside]]
    return mirrored


def _dice(a: Mask, b: Mask) -> float:
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2.0 * int(np.count_nonzero(a & b)) / total if total else 1.0
