"""The scan of a synthetic patient: what is in view, and what the scanner adds. mm, HU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from app.phantom_canvas import WHOLE, Canvas, Field, Solid, Triple
from app.phantom_organs import Organs
from app.phantom_patient import Patient

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
View = Literal["chest", "heart_cut_above", "heart_cut_below", "abdomen", "neck"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True, slots=True)
class Metal:
    """Something that leaves streaks: where, how strong (HU), and over what height (mm)."""

    centre_mm: Triple
    streak_hu: float
    half_height_mm: float


def field_of_view(
    patient: Patient,
    rng: np.random.Generator,
    spacing_mm: Spacing,
    shape: Shape | None,
    view: View,
) -> tuple[Shape, Spacing]:
    """Shape, and the centre of the first voxel as (z, y, x) mm about the heart."""
    extra_mm, shift = rng.uniform(10, 50), rng.uniform((-8, -12), (8, 12))
    low_mm, high_mm = _heights(patient, rng, view)
    wide_mm = patient.half_width_mm + patient.fat_mm + 25
    if not patient.arms_up:
        wide_mm += extra_mm * 1.6
    extents_mm = (
        high_mm - low_mm,
        2 * (patient.half_depth_mm + patient.fat_mm + 20) + 80,
        2 * wide_mm + extra_mm,
    )
    if shape is None:
        slices, rows, columns = (
            max(8, round(e / s)) for e, s in zip(extents_mm, spacing_mm, strict=True)
        )
    else:
        slices, rows, columns = shape
    lowest_mm = low_mm
    if view in ("heart_cut_above", "abdomen"):
        lowest_mm = high_mm - (slices - 1) * spacing_mm[0]
    elif view == "chest" and shape is not None:
        lowest_mm = -slices * spacing_mm[0] / 2
    front_mm = -rows * spacing_mm[1] / 2 + shift[0]
    right_mm = -columns * spacing_mm[2] / 2 + shift[1]
    return (slices, rows, columns), (float(lowest_mm), float(front_mm), float(right_mm))


def _heights(patient: Patient, rng: np.random.Generator, view: View) -> tuple[float, float]:
    """Lowest and highest slice."""
    share, near, far, farther = rng.random(4)
    low, high = -(90 + 70 * near), 125 + 105 * far
    if farther < 0.3:
        low -= 130.0 * share + 20
    floor, top = patient.heart_floor_mm, patient.heart_top_mm
    if view == "heart_cut_above":
        return low - 60, floor + (0.2 + 0.65 * share) * (top - floor)
    if view == "heart_cut_below":
        return floor + (0.15 + 0.6 * share) * (top - floor), high
    if view == "abdomen":
        high = floor - 26 * patient.scale - 45 * near
        return high - 160 - 240 * far, high
    if view == "neck":
        return top + 12 + 50 * near, patient.apex_mm + 60 + 140 * far
    return low, high


def paint_couch(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """The treatment couch below the back: foam with a shell."""
    lowest = max(0.0, -float(canvas.bend_mm.min(initial=0.0)))
    back = patient.half_depth_mm + 8 + patient.fat_mm * 0.9 + lowest + rng.uniform(2, 10)
    thick, wide = rng.uniform(10, 26), rng.uniform(210, 270)
    y = canvas.axes_mm[1][None, :, None] - np.float32(back + thick)
    x = np.abs(canvas.axes_mm[2][None, None, :])
    plate = np.maximum(np.abs(y) - np.float32(thick), x - np.float32(wide))
    cut = np.flatnonzero((plate[0] < 3 + canvas.edge_mm).any(1))
    if cut.size:
        box = (slice(None), slice(int(cut[0]), int(cut[-1]) + 1), slice(None))
        inside = np.broadcast_to(plate[:, box[1]], canvas.hu[box].shape)
        canvas.paint(Solid(box, inside), -930)
        canvas.paint(Solid(box, np.abs(inside + np.float32(1.2)) - np.float32(1.2)), -80)


def blur_motion(canvas: Canvas, organs: Organs, rng: np.random.Generator) -> None:
    """Heartbeat and breath: the heart and the diaphragm are seen in two places at once."""
    beat_mm, breath_mm, share = rng.uniform(1, 5), rng.uniform(1, 7), rng.uniform(0.25, 0.5)
    heart = organs.heart.pericardium
    for solid, axis, mm in (
        (Solid(heart.box, organs.heart.sac - 10), 2, beat_mm),
        (Solid(heart.box, organs.heart.sac - 10), 1, beat_mm * 0.7),
        (Solid(WHOLE, np.abs(organs.abdomen) - 14), 0, breath_mm),
    ):
        weight = np.clip(0.5 - solid.distance / 8, 0, 1)
        hu = canvas.hu[solid.box]
        ghost = _moved(hu, axis, mm / canvas.spacing_mm[axis])
        hu += np.float32(share) * weight * (ghost - hu)


def _moved(values: Field, axis: int, voxels: float) -> Field:
    """`values` moved along `axis`, linear between voxels, the end repeated."""
    n = values.shape[axis]
    place = np.clip(np.arange(n) - voxels, 0, max(n - 1, 0))
    below = np.floor(place).astype(int)
    part = (place - below).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    lower: Field = np.take(values, below, axis)
    lower += part * (np.take(values, np.minimum(below + 1, n - 1), axis) - lower)
    return lower


def paint_streaks(canvas: Canvas, metals: list[Metal], rng: np.random.Generator) -> None:
    """Bright and dark rays about each metal, in its slices alone."""
    for metal in metals:
        waves, phases = rng.integers(2, 15, 6), rng.uniform(0, 2 * np.pi, 6)
        x, y, z = (float(v) for v in metal.centre_mm)
        near = np.exp(-(((canvas.axes_mm[0] - z) / metal.half_height_mm) ** 2))
        for index in np.flatnonzero(near > 0.08):
            down = canvas.axes_mm[1][:, None] - np.float32(y - canvas.bend_mm[index])
            across = canvas.axes_mm[2][None, :] - np.float32(x)
            angle, away = np.arctan2(down, across), np.hypot(down, across)
            rays = np.zeros_like(angle)
            for wave, phase in zip(waves, phases, strict=True):
                rays += np.cos(wave * angle + np.float32(phase))
            fade = np.exp(-away / 70) * np.clip((away - 3) / 8, 0, 1)
            sharp = 0.35 * rays * np.abs(rays) / 2 * fade
            canvas.hu[index] += np.float32(metal.streak_hu * near[index]) * sharp


def add_noise(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Scanner noise: weaker for thick slices, correlated in plane for fine voxels.

    Through shoulders and hanging arms few photons come; rows differ there.
    """
    spread = rng.uniform(3, 18) * np.sqrt(3.0 / max(canvas.spacing_mm[0], 1.0))
    starved = rng.uniform(0, 14) * (1.0 if patient.arms_up else 1.5)
    noise = rng.standard_normal(canvas.shape, dtype=np.float32)
    if min(canvas.spacing_mm) < 2:
        noise = ndimage.uniform_filter(noise, size=(1, 2, 2)) * np.float32(1.6)
    if min(canvas.spacing_mm) >= 2.5:
        spread *= 0.55
    noise *= np.float32(spread)
    at_shoulders = np.clip((canvas.axes_mm[0] - patient.apex_mm + 60) / 40, 0, 1)
    if not patient.arms_up:
        at_shoulders = np.maximum(at_shoulders, 0.4)
    rows = rng.standard_normal(canvas.shape[:2], dtype=np.float32)
    noise += (rows * np.float32(starved) * at_shoulders[:, None])[:, :, None]
    canvas.hu += noise
