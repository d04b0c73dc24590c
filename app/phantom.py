"""Synthetic thorax CTs with a known heart, and a synthetic dose. No patient's data.

What the phantoms are not: no motion or metal artefacts, straight vessels, no pericardium line,
a mediastinum too fatty and too straight. The heart's upper border is a convention plane, its lower
border meets the liver within a few HU, as in life.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.phantom_canvas import Canvas
from app.phantom_patient import Organs, Patient, draw_patient, place_organs
from app.phantom_tissue import (
    paint_abdomen,
    paint_airway,
    paint_bones,
    paint_couch,
    paint_effusion,
    paint_heart,
    paint_lungs,
    paint_spine,
    paint_tumour,
    paint_vessels,
    paint_wall,
)
from core.geometry import Mask, Points, Vector, VolumeGeometry
from core.resample import resample
from core.volume import Volume, hounsfield

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Phantom:
    """A synthetic CT (int16 HU, canonical), the true heart on its grid, and what was drawn."""

    volume: Volume
    heart: Mask
    facts: dict[str, object]


def make_phantom(
    seed: int,
    *,
    spacing_mm: Spacing,
    shape: Shape | None = None,
    frame_of_reference_uid: str | None = None,
    tumour: bool | None = None,
    contrast: bool | None = None,
) -> Phantom:
    """The synthetic patient of `seed` on a grid of `spacing_mm` (slice, row, column).

    The patient is the same on every grid. Without `shape` the grid holds the whole chest wall and
    the whole heart; with it, the grid is centred on the heart. The frame of reference is made from
    the seed where none is given. `tumour` and `contrast` are drawn where they are None.
    """
    rng = np.random.default_rng(seed)
    patient = draw_patient(rng, tumour=tumour, contrast=contrast)
    shape, corner_mm = _field_of_view(patient, rng, spacing_mm, shape)
    canvas = Canvas(shape, spacing_mm, corner_mm)
    organs = place_organs(canvas, patient, rng)
    facts = _paint(canvas, patient, organs, rng)
    _add_noise(canvas, rng)
    heart = np.zeros(shape, bool)
    heart[organs.heart.box] = organs.heart.distance < 0
    geometry = VolumeGeometry(
        shape=shape,
        origin_mm=_origin(corner_mm, seed),
        spacing_mm=spacing_mm,
        frame_of_reference_uid=frame_of_reference_uid or _uid_of(seed),
    )
    return Phantom(
        volume=Volume(hounsfield(np.clip(canvas.hu, -1024, 1500)), geometry),
        heart=heart,
        facts={"synthetic": True, "seed": seed, **facts},
    )


def phantom_dose(
    phantom: Phantom, *, prescription_gy: float = 40.0, spacing_mm: Spacing = (2.5, 2.5, 2.5)
) -> Volume:
    """A synthetic dose (float32 Gy) like tangential fields to the left breast, on its own grid.

    The grid covers the heart and 30 mm around it, is smaller than the CT and does not share its
    voxel centres. The deep field edge is a plane that leaves the anterior-left tenth of the heart
    in the field and falls from 80 to 20 % within about 7 mm; outside, scatter decays slowly.
    """
    grid = _dose_grid(phantom, spacing_mm)
    anterior_left = np.array([np.sin(np.radians(40.0)), -np.cos(np.radians(40.0)), 0.0])
    heart_mm = phantom.volume.geometry.index_to_mm(np.argwhere(phantom.heart))
    edge_mm = float(np.percentile(heart_mm @ anterior_left, 90.0))
    points_mm = grid.index_to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    depth_mm = points_mm @ anterior_left - edge_mm
    below_mm = points_mm[..., 2] - (heart_mm[:, 2].min() - 10.0)
    above_mm = heart_mm[:, 2].max() + 10.0 - points_mm[..., 2]
    in_field = _step(depth_mm) * _step(below_mm) * _step(above_mm)
    scatter = 0.06 * np.exp(-np.clip(-depth_mm, 0.0, None) / 40.0)
    along_mm = points_mm @ np.array([-anterior_left[1], anterior_left[0], 0.0])
    hump = 1.0 + 0.03 * np.cos((along_mm - along_mm.mean()) / 45.0)
    share = in_field * hump + (1.0 - in_field) * scatter
    return Volume((prescription_gy * share * _in_body(phantom, grid)).astype(np.float32), grid)


def _field_of_view(
    patient: Patient, rng: np.random.Generator, spacing_mm: Spacing, shape: Shape | None
) -> tuple[Shape, Spacing]:
    """Shape, and the centre of the first voxel as (z, y, x) mm about the heart."""
    extra_mm, shift = rng.uniform(10, 50), rng.uniform((-8, -12), (8, 12))
    below_mm, above_mm = rng.uniform(80, 140), rng.uniform(130, 230)
    if rng.random() < 0.3:
        below_mm += 120.0
    extents_mm = (
        below_mm + above_mm,
        2 * (patient.half_depth_mm + patient.fat_mm + 20) + 90,
        2 * (patient.half_width_mm + patient.fat_mm + 25) + extra_mm,
    )
    if shape is None:
        slices, rows, columns = (
            max(8, round(e / s)) for e, s in zip(extents_mm, spacing_mm, strict=True)
        )
        lowest_mm = -below_mm
    else:
        slices, rows, columns = shape
        lowest_mm = -slices * spacing_mm[0] / 2
    front_mm = -rows * spacing_mm[1] / 2 + shift[0]
    right_mm = -columns * spacing_mm[2] / 2 + shift[1]
    return (slices, rows, columns), (lowest_mm, float(front_mm), float(right_mm))


def _paint(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> dict[str, object]:
    paint_wall(canvas, patient, organs, rng)
    paint_lungs(canvas, organs, rng)
    paint_abdomen(canvas, patient, organs, rng)
    paint_spine(canvas, patient, organs, rng)
    paint_vessels(canvas, patient, rng)
    paint_airway(canvas, patient, rng)
    paint_heart(canvas, patient, organs, rng)
    paint_bones(canvas, patient, organs, rng)
    radius_mm = paint_tumour(canvas, patient, organs, rng) if patient.tumour else None
    effusion = bool(rng.random() < 0.25)
    if effusion:
        paint_effusion(canvas, organs, rng)
    paint_couch(canvas, patient, rng)
    return {
        "tumour": patient.tumour,
        "tumour_radius_mm": radius_mm,
        "contrast": patient.contrast,
        "effusion": effusion,
        "arms_up": patient.arms_up,
        "size": patient.size,
    }


def _add_noise(canvas: Canvas, rng: np.random.Generator) -> None:
    """Scanner noise: weaker for thick slices, correlated in plane for fine voxels."""
    spread = rng.uniform(3, 18) * np.sqrt(3.0 / max(canvas.spacing_mm[0], 1.0))
    noise = rng.standard_normal(canvas.shape, dtype=np.float32)
    if min(canvas.spacing_mm) < 2:
        noise = ndimage.uniform_filter(noise, size=(1, 2, 2)) * np.float32(1.6)
    if min(canvas.spacing_mm) >= 2.5:
        spread *= 0.55
    canvas.hu += noise * np.float32(spread)


def _origin(corner_mm: Spacing, seed: int) -> Vector:
    """LPS position of the first voxel: the scanner's zero is not the heart. Whole 0.1 mm."""
    away = np.random.default_rng([seed, 1]).uniform((-30, -220, -700), (30, -100, -100))
    z, y, x = corner_mm
    left, posterior, superior = (round(float(v), 1) for v in np.array([x, y, z]) + away)
    return (left, posterior, superior)


def _uid_of(seed: int) -> str:
    digest = hashlib.sha256(f"synthetic thorax {seed}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _dose_grid(phantom: Phantom, spacing_mm: Spacing) -> VolumeGeometry:
    ct = phantom.volume.geometry
    heart = np.argwhere(phantom.heart)
    step = np.asarray(ct.spacing_mm)
    # A third of a voxel past the CT's own lattice, so that nobody may index one with the other.
    low = np.maximum(heart.min(0) - 30.0 / step, 0.5) + 1 / 3
    high = np.minimum(heart.max(0) + 30.0 / step, np.asarray(ct.shape) - 1.5)
    slices, rows, columns = (int(n) for n in (high - low) * step / spacing_mm + 1)
    x, y, z = ct.index_to_mm(low)
    return VolumeGeometry(
        shape=(slices, rows, columns),
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=spacing_mm,
        frame_of_reference_uid=ct.frame_of_reference_uid,
        directions=ct.directions,
    )


def _step(inside_mm: Points) -> Points:
    """0 outside, 1 inside, 80 to 20 % within about 7 mm."""
    return 1.0 / (1.0 + np.exp(-inside_mm / 2.5))


def _in_body(phantom: Phantom, grid: VolumeGeometry) -> Mask:
    body = ndimage.binary_opening(phantom.volume.values > -400, iterations=2)
    filled = np.stack([ndimage.binary_fill_holes(image) for image in body])
    onto = resample(Volume(filled, phantom.volume.geometry), grid, outside=0.0)
    return onto.values > 0.5
