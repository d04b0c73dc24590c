"""The heart and the great vessels of a synthetic patient. HU; later ones cover earlier ones."""

from __future__ import annotations

import numpy as np

from app.phantom_canvas import Canvas, Field, Solid, rotation
from app.phantom_organs import Organs
from app.phantom_patient import Patient

PERICARDIUM_MM = 1.6


def paint_heart(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Fat around, the pericardium, fat or fluid within, walls, chambers, calcium."""
    uniform, heart, fat_hu = rng.uniform, organs.heart, patient.fat_hu
    box, fine, coarse = heart.pericardium.box, organs.fine[heart.pericardium.box], organs.coarse
    _paint_fat(canvas, patient, organs, rng)
    inside = heart.pericardium
    grey = patient.between_hu if patient.has("thin") else fat_hu + uniform(8, 45)
    canvas.paint(inside, grey + 8 * fine + uniform(0, 14) * coarse[box])
    if patient.fluid_mm:
        height = canvas.z[box] - np.float32(patient.heart_mm[2] + 34 * patient.scale)
        canvas.paint(Solid(box, np.maximum(inside.distance + 1, height)), uniform(2, 28))
    line = np.abs(heart.sac + np.float32(0.5)) - np.float32(PERICARDIUM_MM / 2)
    line = np.maximum(line, canvas.z[box] - np.float32(patient.heart_top_mm + 12))
    seen = uniform(0.5, 1.3) * min(1.0, PERICARDIUM_MM / canvas.edge_mm)
    canvas.paint(Solid(box, line), uniform(15, 45), strength=min(1.0, seen))
    muscle_hu = patient.contrast.muscle_hu
    soft = uniform(1.0, 1.8)
    canvas.paint(Solid(box, np.maximum(heart.muscle, inside.distance)), muscle_hu, softer=soft)
    _paint_chambers(canvas, patient, organs, rng)
    _paint_grooves(canvas, patient, organs, rng)


def _paint_fat(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """The pads at the angles between heart and diaphragm, and the plane of fat between the two."""
    uniform, heart, fat_hu = rng.uniform, organs.heart, patient.fat_hu
    box = heart.pericardium.box
    grey = fat_hu + uniform(0, 30) + (55 if patient.has("thin") else 0)
    # Some hearts lie on the diaphragm without a plane of fat that could be seen.
    above = organs.floor_mm[box] - canvas.z[box] - np.float32(uniform(-2, 2.5))
    around = heart.sac - np.float32(0.8 * patient.outer_fat_mm + 1)
    envelope = np.maximum(np.maximum(around, above), organs.chest[box] + 2)
    canvas.paint(Solid(box, envelope), grey + 12 * organs.fine[box], softer=1.2)
    for side in (-1, 1):
        if rng.random() < 0.3 + 0.06 * patient.outer_fat_mm:
            at = patient.in_heart(side * uniform(40, 58), uniform(-42, -26), uniform(-42, -24))
            pad = canvas.ellipsoid(at, uniform((12, 10, 10), (28, 24, 26)), rotation(0, side, 0))
            rough = pad.distance + 4 * organs.coarse[pad.box]
            rough = np.maximum(rough, organs.chest[pad.box] + 1)
            rough = np.maximum(rough, organs.floor_mm[pad.box] - canvas.z[pad.box])
            canvas.paint(Solid(pad.box, rough), grey + 8 * organs.fine[pad.box])


def _paint_chambers(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    uniform, heart, contrast = rng.uniform, organs.heart, patient.contrast
    box, chambers = heart.pericardium.box, heart.chambers
    limit = np.maximum(heart.pericardium.distance, heart.muscle)
    wall = {"lv": uniform(8, 12) * patient.scale, "rv": 3.5, "ra": 2.5, "la": 2.5}
    vary = uniform(0.9, 1.1, 4) if contrast.phase != "none" else np.ones(4)
    septum = np.float32(wall["lv"]) - chambers["lv"] - np.float32(uniform(7, 12))
    for (name, field), factor in zip(chambers.items(), vary, strict=True):
        blood = contrast.left_hu if name[0] == "l" else contrast.right_hu
        room = np.maximum(field, limit) + np.float32(wall[name])
        if name == "rv":
            room = np.maximum(room, septum)
        if name == "ra":
            room = np.maximum(room, 2 - chambers["la"])
        hu: float | Field = float(blood * factor)
        if name == "ra" and contrast.upper_cava_hu > contrast.right_hu + 60:
            # Blood from the arm has not mixed yet.
            mixing = np.clip(0.4 + 0.5 * organs.coarse[box], 0, 1)
            hu = blood * factor + mixing * (contrast.upper_cava_hu - blood) * 0.5
        canvas.paint(Solid(box, room), hu, softer=1.5)


def _paint_grooves(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Fat of the grooves with the coronary arteries, and calcium."""
    uniform, heart = rng.uniform, organs.heart
    box, aged = heart.pericardium.box, patient.has("aged")
    fatty = 0.3 if patient.has("thin") else 1.0
    rim = np.abs(heart.muscle + 3) - np.float32(uniform(1.5, 4.5))
    for upper, lower in (("lv", "la"), ("rv", "ra"), ("lv", "rv")):
        seam = np.abs(heart.chambers[upper] - heart.chambers[lower]) - np.float32(uniform(1, 3.5))
        inside = np.maximum(np.maximum(seam, rim), heart.pericardium.distance + 1)
        canvas.paint(Solid(box, inside), patient.fat_hu + 35, softer=1.5, strength=fatty * 0.7)
    for _ in range(rng.integers(0, 8 if aged else 3)):
        where = patient.in_heart(*uniform((-30, -30, -15), (36, 14, 42)))
        speck = canvas.ellipsoid(where, uniform(1.5, 4.5, 3) * (1.3 if aged else 1))
        canvas.paint(_within(speck, canvas, organs), uniform(200, 1000))


def paint_vessels(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """The great vessels in and above the heart; the aorta's wall is calcified in the aged."""
    contrast, vessels, uniform = patient.contrast, organs.vessels, rng.uniform
    vary = uniform(0.92, 1.06, 3) if contrast.phase != "none" else np.ones(3)
    canvas.paint(vessels.veins, contrast.left_hu * vary[0])
    canvas.paint(vessels.lower_cava, contrast.lower_cava_hu)
    ear = canvas.ellipsoid(patient.in_heart(-38, -19, 28), np.array([15, 13, 18]) * patient.scale)
    canvas.paint(_within(ear, canvas, organs), contrast.right_hu)
    ear = canvas.ellipsoid(patient.in_heart(25, 3, 32), np.array([13, 16, 13]) * patient.scale)
    canvas.paint(_within(ear, canvas, organs), contrast.left_hu)
    for solid, hu in (
        (vessels.upper_cava, contrast.upper_cava_hu),
        (vessels.pulmonary, contrast.right_hu * vary[1]),
        (vessels.neck, contrast.left_hu * vary[2]),
        (vessels.aorta, contrast.left_hu * vary[2]),
    ):
        wall = Solid(solid.box, solid.distance - np.float32(1.2))
        canvas.paint(wall, 32, strength=min(1.0, 2 / canvas.edge_mm))
        canvas.paint(solid, float(hu))
    if patient.has("aged"):
        aorta = vessels.aorta
        plaque = organs.coarse[aorta.box] + 0.8 * organs.fine[aorta.box] > uniform(0.9, 2.2)
        shell = np.abs(aorta.distance + 1) - np.where(plaque, np.float32(1.2), np.float32(-9))
        canvas.paint(Solid(aorta.box, shell), uniform(250, 900), strength=0.7)


def _within(solid: Solid, canvas: Canvas, organs: Organs) -> Solid:
    """`solid` as far as it lies in the pericardium."""
    inside = canvas.on_whole(organs.heart.pericardium)[solid.box]
    return Solid(solid.box, np.maximum(solid.distance, inside + 1))
