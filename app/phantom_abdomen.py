"""What lies below the diaphragm of a synthetic patient. HU; later ones cover earlier ones."""

from __future__ import annotations

import numpy as np

from app.phantom_canvas import Canvas, Field, Solid, rotation
from app.phantom_organs import Organs
from app.phantom_patient import Patient

DIAPHRAGM_MM = 2.5


def paint_abdomen(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Fat, bowel, kidneys, spleen, stomach, liver, and the diaphragm over them."""
    uniform, contrast = rng.uniform, patient.contrast
    top = _top_slice(canvas, organs)
    low = (slice(0, top), slice(None), slice(None))
    inside, coarse, fine = organs.abdomen[low], organs.coarse[low], organs.fine[low]
    # Bowel that is not drawn one by one lies in the fat as lumps.
    lumps = np.clip(2.5 * coarse + uniform(-1, 2 if patient.has("thin") else 0.8), 0, 1)
    lumps *= np.float32(uniform(15, 55) - patient.fat_hu)
    canvas.paint(Solid(low, inside), lumps + np.float32(patient.fat_hu + uniform(0, 15)))
    _paint_bowel(canvas, patient, organs, rng)
    floor, size, spine = patient.heart_floor_mm, patient.size, patient.spine_mm
    for side in (-1, 1):
        psoas = canvas.capsule(
            (side * 30, spine + 2, floor - 130), (side * 48, spine - 20, -420), 16
        )
        canvas.paint(psoas, patient.muscle_hu)
        where = (side * uniform(52, 64) * size, spine + 2, floor - uniform(90, 130))
        kidney = canvas.ellipsoid(where, np.array([27, 27, 54]) * size, rotation(0, side * 0.25, 0))
        canvas.paint(_below(organs, kidney), contrast.kidney_hu)
        canvas.paint(
            Solid(kidney.box, np.maximum(kidney.distance + 12, organs.abdomen[kidney.box] + 4)),
            patient.fat_hu + 30,
        )
    spleen = canvas.ellipsoid(
        (uniform(92, 108) * size, uniform(20, 48), organs.left_dome_mm - uniform(28, 60)),
        uniform((22, 36, 36), (34, 54, 62)),
        rotation(0, 0, -0.5),
    )
    mottled = 14 * organs.fine[spleen.box] * (contrast.phase == "arterial")
    canvas.paint(_below(organs, spleen), contrast.spleen_hu + mottled)
    _paint_stomach(canvas, patient, organs, rng)
    # The liver: all of the right, a left lobe that reaches under the heart, thinning downwards.
    reach = np.float32(uniform(20, 70)) + np.float32(0.5) * (canvas.z[low] - np.float32(floor))
    liver = np.maximum(inside + uniform(1.5, 4), canvas.x[low] - np.minimum(reach, 75) - 9 * coarse)
    edge = np.float32(floor - uniform(95, 185)) - np.float32(0.7) * canvas.x[low]
    np.maximum(liver, np.minimum(edge, floor + 20) - canvas.z[low] - 8 * coarse, out=liver)
    np.maximum(liver, canvas.y[low] - np.float32(spine - 6) + 0.4 * (canvas.x[low] + 60), out=liver)
    vessels = (contrast.lower_cava_hu - contrast.liver_hu) * 0.5 * np.clip(fine - 1.0, 0, 1)
    canvas.paint(Solid(low, liver), contrast.liver_hu + 2.5 * fine + vessels)
    if rng.random() < 0.2:
        for _ in range(rng.integers(1, 5)):
            where = (uniform(-100, 0), uniform(-40, 50), floor - uniform(0, 90))
            lump = canvas.ellipsoid(where, uniform(5, 22, 3))
            canvas.paint(_below(organs, lump), contrast.liver_hu - uniform(10, 60))
    sheet = np.abs(organs.abdomen[low] - np.float32(0.5)) - np.float32(DIAPHRAGM_MM / 2)
    canvas.paint(Solid(low, sheet), uniform(25, 50), strength=min(1.0, 1.5 / canvas.edge_mm))


def _paint_stomach(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Food, water or contrast medium, often under a bubble of gas."""
    uniform, size = rng.uniform, patient.size
    centre = (uniform(52, 84) * size, uniform(-34, -6), organs.left_dome_mm - uniform(26, 48))
    stomach = canvas.ellipsoid(
        centre, uniform((28, 26, 26), (46, 42, 48)), rotation(0.3, uniform(-0.6, 0.3), 0)
    )
    wall = _below(organs, stomach)
    canvas.paint(wall, uniform(35, 60) + patient.contrast.muscle_hu * 0.2)
    filling = float(
        rng.choice([uniform(0, 25), uniform(25, 55), uniform(80, 350)], p=[0.4, 0.4, 0.2])
    )
    level = np.float32(centre[1] + uniform(-45, 25))
    content: Field = np.where(canvas.y[wall.box] < level, np.float32(-930), np.float32(filling))
    content += uniform(0, 20) * organs.fine[wall.box] * (content > -500)
    canvas.paint(Solid(wall.box, wall.distance + np.float32(uniform(2.5, 5))), content)


def _paint_bowel(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    uniform, floor = rng.uniform, patient.heart_floor_mm
    for number in range(rng.integers(30, 60)):
        radius, below = uniform(9, 22), uniform(25, 330)
        where = (uniform(-110, 110) * patient.size, uniform(-80, 30), floor - below)
        if number < 3:
            # The bend of the colon under the left dome.
            where = (uniform(60, 110), uniform(-50, 20), organs.left_dome_mm - uniform(14, 70))
        stretch = uniform((0.7, 0.7, 0.7), (2.2, 1.4, 1.6))
        loop = canvas.ellipsoid(where, radius * stretch, rotation(*uniform(-1, 1, 3)))
        wall = _below(organs, loop)
        canvas.paint(wall, uniform(25, 60) + patient.contrast.muscle_hu * 0.3)
        kinds = [uniform(-110, 0), uniform(5, 50), uniform(100, 350), -920.0]
        content = float(rng.choice(kinds, p=[0.25, 0.4, 0.1, 0.25]))
        canvas.paint(
            Solid(wall.box, wall.distance + 3), content + uniform(0, 45) * organs.fine[wall.box]
        )


def _below(organs: Organs, solid: Solid) -> Solid:
    return Solid(solid.box, np.maximum(solid.distance, organs.abdomen[solid.box] + 3))


def _top_slice(canvas: Canvas, organs: Organs) -> int:
    """The first slice from which on nothing lies below the diaphragm."""
    hit = np.flatnonzero((organs.abdomen < canvas.edge_mm).any((1, 2)))
    return int(hit[-1]) + 2 if hit.size else 0
