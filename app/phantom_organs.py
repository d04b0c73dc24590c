"""Where the organs of a synthetic patient lie: body, ribs, diaphragm, heart, great vessels, lungs.

All distances in mm. The lungs are what the others leave of the chest: they wrap the vessels, the
oesophagus, the spine and the heart with its fat, so that the mediastinum has no straight walls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.phantom_body import body_of, cavity_of
from app.phantom_canvas import Canvas, Field, Matrix, Solid, Triple, rotation, smooth_union
from app.phantom_patient import Patient
from app.phantom_vessels import Vessels, place_vessels


@dataclass(frozen=True, slots=True)
class Heart:
    """The heart in its box: `pericardium` is cut by the convention plane and is the contour.

    `sac` is the pericardium without the cut, `muscle` the outside of the chambers' walls.
    """

    pericardium: Solid
    sac: Field
    muscle: Field
    chambers: dict[str, Field]


@dataclass(frozen=True, slots=True)
class Organs:
    """Distances of the large organs on the whole canvas, and the noise that textures them.

    `floor_mm` is the height of the diaphragm above each voxel's place.
    """

    body: Field
    cavity: Field
    chest: Field
    abdomen: Field
    floor_mm: Field
    lungs: Field
    heart: Heart
    vessels: Vessels
    left_dome_mm: float
    fine: Field
    coarse: Field


def place_organs(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Organs:
    """Where this patient's organs lie on `canvas`; bends its coordinates first."""
    canvas.warp(rng, rng.uniform(2.5, 4.5))
    _curve_spine(canvas, patient, rng)
    fine, coarse = canvas.noise(rng, 9.0), canvas.noise(rng, 24.0)
    cavity = cavity_of(canvas, patient)
    chest = cavity + 6
    # The vertebrae and the muscles at their sides stand between the backs of the lungs.
    back = patient.spine_mm + 36
    block = canvas.capsule((0, back, -420), (0, back, patient.apex_mm + 90), 38 * patient.size)
    chest[block.box] = -smooth_union(-chest[block.box], block.distance - 2, 10.0)
    floor_mm, left_dome = _diaphragm(canvas, patient, rng, coarse)
    abdomen = np.maximum(canvas.z - floor_mm, chest) * np.float32(0.8)
    heart = _heart(canvas, patient, rng, (coarse, floor_mm))
    vessels = place_vessels(canvas, patient, rng)
    lungs = _lungs(canvas, patient, rng, (chest, coarse, heart, vessels))
    return Organs(
        body=body_of(canvas, patient, rng),
        cavity=cavity,
        chest=chest,
        abdomen=abdomen,
        floor_mm=floor_mm,
        lungs=np.maximum(lungs, 2 - abdomen),
        heart=heart,
        vessels=vessels,
        left_dome_mm=left_dome,
        fine=fine,
        coarse=coarse,
    )


def _curve_spine(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    kyphosis = rng.uniform(-4, 16) + (14 if patient.has("aged") else 0)
    turn, slope = rng.uniform(10, 60), rng.uniform(-0.1, 0.1)
    steps = rng.uniform(-3, 3, 7) * (patient.has("motion") and rng.random() < 0.35)

    def forward_mm(z: Field) -> Field:
        arch = np.clip((z - turn) / 100, -1.4, 1.4) ** 2
        lordosis = 30 * np.clip((-120 - z) / 150, 0, 1) ** 2
        # Breaths between the stacks of a scan leave steps.
        step = steps[np.clip(((z + 200) // 58).astype(int), 0, 6)]
        forward = kyphosis * arch + slope * np.clip(z, -220, 220) + lordosis + step
        return np.asarray(forward, np.float32)

    canvas.bend(forward_mm)


def _diaphragm(
    canvas: Canvas, patient: Patient, rng: np.random.Generator, coarse: Field
) -> tuple[Field, float]:
    """The height of the diaphragm over each place, and that of the left dome."""
    uniform, size, floor = rng.uniform, patient.size, patient.heart_floor_mm
    right, left, raised = floor + uniform(-2, 42), floor + uniform(-14, 26), uniform(25, 55)
    fall, flat = uniform(22, 60), 0.45 if patient.has("emphysema") else 1.0
    side = rng.random()
    if patient.has("breath hold") or patient.has("emphysema"):
        right, left = right - 14, left - 12
    if patient.has("high diaphragm"):
        right, left = (right + raised, left) if side < 0.5 else (right, left + raised)

    def dome(x: float, y: float, half_mm: tuple[float, float]) -> Field:
        drop = ((canvas.x - np.float32(x)) / np.float32(half_mm[0])) ** 2
        drop += ((canvas.y - np.float32(y)) / np.float32(half_mm[1])) ** 2
        return drop

    domes = (
        (-uniform(76, 90) * size, uniform(-8, 16), right, (58 * size, uniform(58, 80) * size)),
        (uniform(80, 96) * size, uniform(0, 24), left, (54 * size, uniform(55, 75) * size)),
    )
    # The central tendon, which carries the heart, is flat and falls to the front and the left.
    top = dome(patient.heart_mm[0], patient.heart_mm[1], (82 * size, 76 * size))
    top *= top
    top *= np.float32(-0.5 * fall)
    top += np.float32(floor)
    top += np.float32(uniform(0.0, 0.3)) * (canvas.y - np.float32(patient.heart_mm[1]))
    top -= np.float32(uniform(0.0, 0.2)) * (canvas.x - np.float32(patient.heart_mm[0]))
    for x, y, height, half_mm in domes:
        down = dome(x, y, half_mm)
        down *= np.float32(fall * flat)
        down -= np.float32(height)
        top = -smooth_union(-top, down, 12.0)
    top += np.float32(uniform(0.5, 2.5)) * coarse
    return top, left


def _heart(
    canvas: Canvas,
    patient: Patient,
    rng: np.random.Generator,
    around: tuple[Field, Field],
) -> Heart:
    coarse, floor_mm = around
    uniform, scale, turn = rng.uniform, patient.heart_scale, patient.heart_turn
    box = canvas.box(patient.heart_mm, 80 * scale, margin_mm=26.0)

    def ball(centre: Triple, radii: Triple, spread: float, turned: Matrix = turn) -> Field:
        grown = np.asarray(radii) * scale * (1 + uniform(-spread, spread))
        return canvas.ellipsoid(patient.in_heart(*centre), grown, turned, box).distance

    aged = 1.15 if patient.has("aged") else 1.0
    chambers = {
        "lv": ball((22, 3, -9), (46, 32, 34), 0.08, turn @ rotation(0.0, 0.45, 0.5)),
        "rv": ball((-3, -17, -9), (43, 25, 36), 0.08, turn @ rotation(0.0, 0.25, 0.45)),
        "ra": ball((-35, 2, 4), (24 * aged, 27 * aged, 34), 0.10),
        "la": ball((-9, 30, 20), (35, 23 * aged, 26 * aged), 0.10),
    }
    muscle = chambers["lv"]
    for name in ("rv", "ra", "la"):
        muscle = smooth_union(muscle, chambers[name], 10.0)
    # The sac runs straight over the grooves, and up along the roots of the great vessels.
    sac = smooth_union(muscle, ball((3, 1, -2), (38, 30, 36), 0.08), uniform(12, 22))
    trunk = ball((-13, -7, 32), (uniform(29, 37), uniform(23, 29), uniform(44, 54)), 0.06)
    sac = smooth_union(sac, trunk, uniform(14, 26))
    sac += np.float32(1.3) * coarse[box] - np.float32(uniform(-0.8, 2.2))
    lid = np.float32(patient.heart_top_mm + uniform(6, 14)) - canvas.z[box]
    sac = -smooth_union(-sac, lid, 10.0)
    gap = uniform(1.0, 4.5) + 1.2 * coarse[box]
    sac = -smooth_union(-sac, canvas.z[box] - floor_mm[box] - gap, 6.0)
    uneven = uniform(0, 1.6) * np.clip(coarse[box] + 0.4, 0, 2.5)
    low, left = canvas.z[box] - patient.heart_mm[2], canvas.x[box] - patient.heart_mm[0]
    # More fat, or more fluid, below and at the right front than at the free wall of the left.
    share = np.clip(0.9 - 0.006 * low - 0.006 * left, 0.35, 1.5)
    inner = (patient.inner_fat_mm + uneven + patient.fluid_mm) * share
    muscle = np.maximum(muscle, sac + inner)
    heart = np.maximum(sac, canvas.z[box] - np.float32(patient.heart_top_mm))
    return Heart(Solid(box, heart), sac, muscle, chambers)


def _lungs(
    canvas: Canvas,
    patient: Patient,
    rng: np.random.Generator,
    around: tuple[Field, Field, Heart, Vessels],
) -> Field:
    chest, coarse, heart, vessels = around
    uniform, size, spine = rng.uniform, patient.size, patient.spine_mm
    z = canvas.axes_mm[0][:, None, None]
    rise = np.clip((z - patient.arch_mm + 15) / 45, 0, 1)
    width = uniform(7, 17) * size * (1 - rise) + uniform(28, 40) * size * rise
    if patient.has("obese"):
        width = width + 6
    line = 3 + 5 * np.sin(z / 40)
    middle = np.abs(canvas.x - line.astype(np.float32))
    middle -= width.astype(np.float32)
    middle -= np.float32(3.5) * coarse
    # Behind the breastbone the lungs all but touch, above all in emphysema.
    near = np.float32(uniform(0, 10) + (6 if patient.has("emphysema") else 0))
    middle += near * np.clip((-25 - canvas.y) / 20, 0, 1)
    around_mm = uniform(1.5, 4) + 0.4 * patient.outer_fat_mm
    for solid in (vessels.aorta, vessels.pulmonary, vessels.upper_cava, vessels.oesophagus):
        near_by = middle[solid.box]
        middle[solid.box] = smooth_union(near_by, solid.distance - np.float32(around_mm), 9.0)
    column = canvas.capsule((0, spine, -400), (0, spine - 4, patient.apex_mm + 60), 23 * size)
    middle[column.box] = smooth_union(middle[column.box], column.distance, 8.0)
    box = heart.pericardium.box
    fat = np.float32(patient.outer_fat_mm) * np.clip(0.9 + 0.5 * coarse[box], 0.3, 2.2)
    corners = np.clip((patient.heart_floor_mm + 26 - canvas.z[box]) / 26, 0, 1.3)
    fat += corners * np.float32(uniform(1, 9))
    middle[box] = smooth_union(middle[box], heart.sac - fat, uniform(5, 14))
    np.negative(middle, out=middle)
    np.maximum(middle, chest + 2, out=middle)
    np.maximum(middle, canvas.z - np.float32(patient.apex_mm), out=middle)
    return middle
