"""Who is on the couch: the drawn patient, and where the organs lie (distances in mm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.phantom_canvas import Canvas, Field, Solid, Triple, rotation, smooth_union

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Patient:
    """The numbers drawn for one synthetic patient; lengths in mm about the heart's centre."""

    size: float
    fat_mm: float
    half_width_mm: float
    half_depth_mm: float
    apex_mm: float
    arms_up: bool
    contrast: bool
    tumour: bool
    heart_mm: Matrix
    heart_scale: float
    heart_turn: Matrix
    heart_top_mm: float
    pericardial_fat_mm: float
    fat_hu: float
    muscle_hu: float
    left_blood_hu: float
    right_blood_hu: float

    def in_heart(self, x: float, y: float, z: float) -> Matrix:
        """Where a point of the standard heart (mm) lies in this patient."""
        return self.heart_mm + self.heart_turn @ (np.array([x, y, z]) * self.heart_scale)


@dataclass(frozen=True, slots=True)
class Organs:
    """Distances of the large organs, and the noise that textures them.

    `heart`, `epicardium` and `chambers` live on `heart_box`; the others on the whole canvas.
    """

    body: Field
    cavity: Field
    chest: Field
    abdomen: Field
    lungs: Field
    heart: Solid
    epicardium: Field
    chambers: dict[str, Field]
    left_dome_mm: float
    diaphragm_mm: float
    fine: Field
    coarse: Field


def draw_patient(
    rng: np.random.Generator, *, tumour: bool | None, contrast: bool | None
) -> Patient:
    """A random patient; `tumour` and `contrast` are drawn where they are None."""
    uniform = rng.uniform
    size = uniform(0.88, 1.12)
    fat = uniform(6, 30) * (1.3 if rng.random() < 0.25 else 1.0)
    tumour_draw, arms_draw, contrast_draw = rng.random(3)
    with_contrast = bool(contrast_draw < 0.45) if contrast is None else contrast
    scale = size * uniform(0.90, 1.22)
    heart = np.array([uniform(8, 32), uniform(-36, -12) * size, uniform(-6, 6)])
    plain, enhanced, ratio = uniform(22, 62), uniform(70, 480), uniform(0.4, 1.5)
    thin_fat, thick_fat = uniform(0.5, 4), uniform(3, 12)
    return Patient(
        size=size,
        fat_mm=fat,
        half_width_mm=uniform(118, 155) * size,
        half_depth_mm=uniform(86, 112) * size,
        apex_mm=150 * size + uniform(-10, 15),
        arms_up=bool(arms_draw < 0.8),
        contrast=with_contrast,
        tumour=bool(tumour_draw < 0.25) if tumour is None else tumour,
        heart_mm=heart,
        heart_scale=scale,
        heart_turn=rotation(*uniform(-0.3, 0.3, 3)),
        # The cranial border is a convention (below the pulmonary artery), not an edge in HU.
        heart_top_mm=heart[2] + 50 * scale + uniform(-10, 12),
        pericardial_fat_mm=thin_fat if rng.random() < 0.6 else thick_fat,
        fat_hu=uniform(-130, -75),
        muscle_hu=uniform(30, 72),
        left_blood_hu=enhanced if with_contrast else plain,
        right_blood_hu=enhanced * ratio if with_contrast else plain,
    )


def place_organs(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Organs:
    """Where this patient's organs lie on `canvas`; bends its coordinates first."""
    canvas.warp(rng, rng.uniform(3.0, 5.0))
    _curve_spine(canvas, rng)
    fine, coarse = canvas.noise(rng, 9.0), canvas.noise(rng, 24.0)
    cavity = _cavity(canvas, patient)
    chest = cavity + 6
    heart, epicardium, chambers = _heart(canvas, patient, rng, coarse)
    abdomen, left_dome, diaphragm = _abdomen(canvas, patient, rng, chest)
    lungs = _lungs(canvas, patient, rng, chest, coarse)
    fat = patient.pericardial_fat_mm + 2.5 * coarse[heart.box]
    lungs[heart.box] = np.maximum(lungs[heart.box], fat - epicardium)
    return Organs(
        body=_body(canvas, patient, rng),
        cavity=cavity,
        chest=chest,
        abdomen=abdomen,
        lungs=np.maximum(lungs, 2 - abdomen),
        heart=heart,
        epicardium=epicardium,
        chambers=chambers,
        left_dome_mm=left_dome,
        diaphragm_mm=diaphragm,
        fine=fine,
        coarse=coarse,
    )


def _curve_spine(canvas: Canvas, rng: np.random.Generator) -> None:
    kyphosis, turn = rng.uniform(-6, 22), rng.uniform(20, 70)
    slope = np.float32(rng.uniform(-0.12, 0.12))
    arch = np.clip((canvas.z - np.float32(turn)) / 100, -1.6, 1.6) ** 2
    canvas.y = canvas.y + np.float32(kyphosis) * arch + slope * canvas.z


def _cavity(canvas: Canvas, patient: Patient) -> Field:
    z = canvas.axes_mm[0][:, None, None]
    rise = np.clip((z + 40) / (patient.apex_mm + 40), 0, 1.25)
    taper = np.sqrt(np.clip(1 - rise**3.2, 0, 1))
    half_x = (patient.half_width_mm * (0.30 + 0.70 * taper)).astype(np.float32)
    half_y = (patient.half_depth_mm * (0.42 + 0.58 * taper)).astype(np.float32)
    radius = np.sqrt((canvas.x / half_x) ** 2 + (canvas.y / half_y) ** 2)
    return np.asarray((radius - 1) * np.minimum(half_x, half_y) * np.float32(0.9), np.float32)


def _body(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Field:
    uniform, fat = rng.uniform, patient.fat_mm
    width, depth, apex = patient.half_width_mm, patient.half_depth_mm, patient.apex_mm
    z = canvas.axes_mm[0][:, None, None]
    half_x = (width + 6 + fat) * (1 + 0.12 * np.clip((z - 60) / 90, 0, 1))
    half_y = (depth + 6 + fat * 0.9) * (1 - 0.18 * np.clip((z - apex + 20) / 80, 0, 1))
    power = np.float32(uniform(2.2, 2.7))
    radius = np.abs(canvas.x / half_x) ** power + np.abs((canvas.y - 2) / half_y) ** power
    body = np.asarray((radius ** (1 / power) - 1) * min(width, depth), np.float32)
    solids: list[tuple[Solid, float]] = []
    for side in (-1, 1):
        shoulder = (side * width * 0.95, uniform(-10, 20), apex - 50)
        elbow = (side * width * uniform(0.75, 1.1), uniform(-40, 10), apex + 200)
        if patient.arms_up:
            solids.append((canvas.capsule(shoulder, elbow, uniform(42, 55), 42), 15.0))
    with_breasts, radius_mm, height_mm = rng.random() < 0.55, uniform(40, 62), uniform(25, 50)
    for side in (-1, 1):
        centre = (
            side * uniform(60, 80) * patient.size,
            -depth - fat * 0.5 - uniform(0, 8),
            uniform(5, 40),
        )
        if with_breasts:
            radii = (radius_mm, height_mm, radius_mm * 1.05)
            solids.append((canvas.ellipsoid(centre, radii), 18.0))
    for solid, blend_mm in solids:
        body[solid.box] = smooth_union(body[solid.box], solid.distance, blend_mm)
    return body


def _heart(
    canvas: Canvas, patient: Patient, rng: np.random.Generator, coarse: Field
) -> tuple[Solid, Field, dict[str, Field]]:
    scale, turn = patient.heart_scale, patient.heart_turn

    def about_one(spread: float = 0.10) -> float:
        return 1 + float(rng.uniform(-spread, spread))

    box = canvas.box(patient.heart_mm, (80 * scale, 80 * scale, 80 * scale), margin_mm=26.0)

    def ball(centre: Triple, radii: Triple, spread: float, turned: Matrix = turn) -> Field:
        where = patient.in_heart(*centre)
        grown = np.asarray(radii) * scale * about_one(spread)
        return canvas.ellipsoid(where, grown, turned, box).distance

    chambers = {
        "lv": ball((22, 4, -8), (46, 33, 35), 0.10, turn @ rotation(0.0, 0.45, 0.55)),
        "rv": ball((-4, -16, -10), (44, 27, 35), 0.10, turn @ rotation(0.0, 0.25, 0.5)),
        "ra": ball((-34, 4, 2), (25, 27, 34), 0.10),
        "la": ball((-4, 27, 14), (33, 22, 26), 0.10),
    }
    surface = chambers["lv"]
    for name in ("rv", "ra", "la"):
        surface = smooth_union(surface, chambers[name], 14.0)
    surface = smooth_union(surface, ball((2, -8, 32), (29, 24, 30), 0.15), rng.uniform(14, 30))
    surface = smooth_union(surface, ball((4, 2, -2), (38, 30, 38), 0.10), rng.uniform(14, 30))
    surface = surface + 1.4 * coarse[box] - np.float32(1.0 - rng.uniform(0, 4))
    heart = np.maximum(surface, canvas.z[box] - np.float32(patient.heart_top_mm))
    return Solid(box, heart), surface, chambers


def _abdomen(
    canvas: Canvas, patient: Patient, rng: np.random.Generator, chest: Field
) -> tuple[Field, float, float]:
    size = patient.size
    diaphragm = float(patient.heart_mm[2] - 44 * patient.heart_scale + rng.uniform(-4, 14))
    right, left = diaphragm + rng.uniform(5, 62), diaphragm + rng.uniform(-6, 35)
    fall = np.float32(0.5 * rng.uniform(40, 110))

    def dome(x: float, y: float, top: float, wide: float, deep: float) -> Field:
        drop = ((canvas.x - x) / wide) ** 2 + ((canvas.y - y) / deep) ** 2
        return np.asarray(np.float32(top) - fall * drop, np.float32)

    top = dome(-75 * size, 0, right, 60 * size, 62 * size)
    top = np.maximum(top, dome(80 * size, 10, left, 55 * size, 60 * size))
    top = np.maximum(top, dome(5, -25, diaphragm + 4, 60, 50))
    return np.maximum(canvas.z - top, chest) * np.float32(0.8), left, diaphragm


def _lungs(
    canvas: Canvas, patient: Patient, rng: np.random.Generator, chest: Field, coarse: Field
) -> Field:
    base = 10 * np.clip((patient.heart_mm[2] + 30 - canvas.z) / 60, 0, 1)
    width = np.float32(rng.uniform(18, 32) * patient.size) + base.astype(np.float32)
    middle = np.abs(canvas.x - 4 - 6 * np.sin(canvas.z / 40)) - width - 5 * coarse
    mediastinum = np.maximum(middle, np.float32(5 - patient.half_depth_mm))
    lungs = np.maximum(chest + 2, -mediastinum)
    return np.asarray(np.maximum(lungs, canvas.z - np.float32(patient.apex_mm)), np.float32)
