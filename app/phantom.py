"""Synthetic thorax CTs with a known heart, and a synthetic dose. No patient's data.

The heart is that of radiotherapy: what the pericardium holds, from the apex up to a convention
plane just below the right pulmonary artery. What the phantoms are not: anybody's anatomy. Organs
are smooth solids, vessels end after a branch or two, muscles are a shell, findings are schematic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.phantom_abdomen import paint_abdomen
from app.phantom_canvas import Canvas
from app.phantom_contrast import Phase
from app.phantom_disease import paint_disease, paint_tumour, place_devices
from app.phantom_heart import paint_heart, paint_vessels
from app.phantom_organs import Organs, place_organs
from app.phantom_patient import Finding, Patient, draw_patient
from app.phantom_scan import (
    Metal,
    Shape,
    Spacing,
    View,
    add_noise,
    blur_motion,
    field_of_view,
    paint_couch,
    paint_streaks,
)
from app.phantom_tissue import paint_airway, paint_bones, paint_lungs, paint_spine, paint_wall
from core.geometry import Mask, Points, Vector, VolumeGeometry
from core.resample import resample
from core.volume import Volume, hounsfield

# Of the drawings: counts up when a seed gives another patient than before.
EDITION = 2


@dataclass(frozen=True, slots=True)
class Phantom:
    """A synthetic CT (int16 HU, canonical), the true heart on its grid, and what was drawn."""

    volume: Volume
    heart: Mask
    facts: dict[str, object]


def make_phantom(  # noqa: PLR0913 - what may be asked of a patient, all by keyword
    seed: int,
    *,
    spacing_mm: Spacing,
    shape: Shape | None = None,
    frame_of_reference_uid: str | None = None,
    tumour: bool | None = None,
    contrast: bool | Phase | None = None,
    findings: Collection[Finding] | None = None,
    view: View = "chest",
) -> Phantom:
    """The synthetic patient of `seed` on a grid of `spacing_mm` (slice, row, column).

    The patient is the same on every grid and in every `view`. Without `shape` a view of the chest
    holds the whole chest wall and the whole heart; with it, the grid is centred on the heart. Other
    views end or begin within the heart, or do not hold it: abdomen, neck. The frame of reference is
    made from the seed where none is given. `tumour`, `contrast` (or its phase) and `findings` are
    drawn where they are None.
    """
    rng = np.random.default_rng(seed)
    patient = draw_patient(rng, tumour=tumour, contrast=contrast, findings=findings)
    shape, corner_mm = field_of_view(
        patient, np.random.default_rng([seed, 2]), spacing_mm, shape, view
    )
    canvas = Canvas(shape, spacing_mm, corner_mm)
    organs = place_organs(canvas, patient, rng)
    facts = _paint(canvas, patient, organs, rng)
    add_noise(canvas, patient, rng)
    heart = np.zeros(shape, bool)
    heart[organs.heart.pericardium.box] = organs.heart.pericardium.distance < 0
    geometry = VolumeGeometry(
        shape=shape,
        origin_mm=_origin(corner_mm, seed),
        spacing_mm=spacing_mm,
        frame_of_reference_uid=frame_of_reference_uid or _uid_of(seed),
    )
    return Phantom(
        volume=Volume(hounsfield(np.clip(canvas.hu, -1024, 3071)), geometry),
        heart=heart,
        facts={"synthetic": True, "seed": seed, "view": view, **facts},
    )


def phantom_dose(
    phantom: Phantom, *, prescription_gy: float = 40.0, spacing_mm: Spacing = (2.5, 2.5, 2.5)
) -> Volume:
    """A synthetic dose (float32 Gy) like tangential fields to the left breast, on its own grid.

    The grid covers the heart and 30 mm around it, is smaller than the CT and does not share its
    voxel centres. The deep field edge is a plane that leaves the anterior-left tenth of the heart
    in the field and falls from 80 to 20 % within about 7 mm; outside, scatter decays slowly. Raises
    `ValueError` where no heart is in view.
    """
    if not phantom.heart.any():
        raise ValueError(f"a view of the {phantom.facts['view']} has no heart to give a dose")
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


def _paint(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> dict[str, object]:
    # One stream of chance for each part: what one draws does not move the others.
    wall, inner, low, sick, metal, motion, streak, couch = rng.spawn(8)
    paint_wall(canvas, patient, organs, wall)
    paint_lungs(canvas, patient, organs, inner)
    paint_abdomen(canvas, patient, organs, low)
    paint_spine(canvas, patient, organs, wall)
    paint_heart(canvas, patient, organs, inner)
    paint_vessels(canvas, patient, organs, inner)
    paint_airway(canvas, patient, organs, inner)
    radius_mm = paint_tumour(canvas, patient, organs, sick) if patient.tumour else None
    paint_disease(canvas, patient, organs, sick)
    paint_bones(canvas, patient, organs, wall)
    metals = place_devices(canvas, patient, organs, metal)
    if patient.has("motion"):
        blur_motion(canvas, organs, motion)
    if patient.contrast.upper_cava_hu > 450:
        # Undiluted contrast medium shades its neighbours as metal does.
        top_mm = (patient.heart_top_mm + patient.arch_mm) / 2 + 8
        cava_mm = (-28.0, float(patient.heart_mm[1]) + 8, top_mm)
        metals.append(Metal(cava_mm, patient.contrast.upper_cava_hu * 0.2, 30.0))
    paint_streaks(canvas, metals, streak)
    paint_couch(canvas, patient, couch)
    return {
        "tumour": patient.tumour,
        "tumour_radius_mm": radius_mm,
        "contrast": patient.contrast.phase != "none",
        "phase": patient.contrast.phase,
        "effusion": patient.has("pleural effusion"),
        "findings": sorted(patient.findings),
        "arms_up": patient.arms_up,
        "size": patient.size,
    }


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
