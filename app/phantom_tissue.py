"""The tissues of a synthetic thorax, painted in order; later ones cover earlier ones. HU."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from app.phantom_canvas import WHOLE, Canvas, Field, Solid, Triple, rotation
from app.phantom_patient import Matrix, Organs, Patient


def paint_wall(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Skin and fat, muscle, and the fat between the lungs."""
    uniform = rng.uniform
    canvas.paint(Solid(WHOLE, organs.body), patient.fat_hu)
    muscle = np.maximum(
        organs.cavity - (9 + 5 * organs.coarse), organs.body + patient.fat_mm * 0.75
    )
    canvas.paint(Solid(WHOLE, muscle), patient.muscle_hu + 18 * np.minimum(organs.fine, 0.5))
    back = patient.half_depth_mm * 0.92
    for side in (-1, 1):
        rod = canvas.capsule((side * 38, back, -150), (side * 34, back, patient.apex_mm + 90), 26)
        kept = np.maximum(rod.distance, organs.body[rod.box] + patient.fat_mm * 0.7)
        canvas.paint(Solid(rod.box, kept), patient.muscle_hu)
    grain = patient.fat_hu + uniform(5, 40) * np.maximum(organs.fine, 0)
    dense = 130 * uniform(0, 1) * (1 + 0.35 * organs.coarse)
    streaks = 45 * np.clip(organs.coarse, 0, 2)
    canvas.paint(Solid(WHOLE, organs.chest), grain + (dense if rng.random() < 0.6 else streaks))


def paint_lungs(canvas: Canvas, organs: Organs, rng: np.random.Generator) -> None:
    """Lungs with a gravity gradient and vessels."""
    air = rng.uniform(-920, -730) + 60 * np.clip((canvas.y + 60) / 120, 0, 1) + 14 * organs.coarse
    one, other = canvas.noise(rng, 26.0), canvas.noise(rng, 26.0)
    vessels = np.exp(-(one**2 + other**2) / np.float32(0.030)) * np.float32(600)
    canvas.paint(Solid(WHOLE, organs.lungs), air + vessels)


def paint_abdomen(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Liver, stomach and bowel below the diaphragm."""
    uniform = rng.uniform
    bowel = patient.fat_hu * 0.35 + uniform(10, 75) * 0.65
    canvas.paint(Solid(WHOLE, organs.abdomen), bowel + 25 * organs.coarse)
    liver_hu = uniform(25, 75) + uniform(0, 80) * patient.contrast
    liver = np.maximum(
        organs.abdomen + 1.5, canvas.x - np.float32(uniform(30, 62)) - 12 * organs.coarse
    )
    canvas.paint(Solid(WHOLE, liver), liver_hu + 2.5 * organs.fine)
    centre = (
        uniform(70, 95) * patient.size,
        uniform(-45, -20),
        organs.left_dome_mm - uniform(32, 44),
    )
    stomach = canvas.ellipsoid(centre, (38, 34, 26))
    bubble = -900.0 if rng.random() < 0.6 else 30.0
    filling = np.where(canvas.y[stomach.box] < -35, np.float32(bubble), np.float32(25))
    canvas.paint(_below(organs, stomach), filling)
    for _ in range(rng.integers(3, 14)):
        radius, place = uniform(10, 42), (uniform(-110, 110), uniform(-70, 75), uniform(15, 220))
        where = (place[0] * patient.size, place[1], organs.diaphragm_mm - place[2])
        loop = canvas.ellipsoid(
            where, radius * uniform((0.6, 0.6, 0.7), (1.4, 1.4, 1.6)), rotation(*uniform(-1, 1, 3))
        )
        kinds = [
            uniform(-120, -80),
            uniform(10, 60),
            uniform(40, 80),
            uniform(80, 220) if patient.contrast else uniform(25, 50),
            -900.0,
        ]
        canvas.paint(
            _below(organs, loop), float(rng.choice(kinds, p=[0.25, 0.25, 0.25, 0.15, 0.1]))
        )


def paint_spine(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Vertebrae and discs, processes, canal."""
    uniform, y, top = rng.uniform, patient.half_depth_mm * 0.78, patient.apex_mm + 120
    period = uniform(22, 26)
    phase = (canvas.axes_mm[0] + uniform(0, period)) / period
    bone = (np.abs(phase % 1 - 0.5) < 0.38).astype(np.float32)[:, None, None]
    column = canvas.capsule((0, y, -200), (0, y - 6, top), 21 * patient.size)
    marrow = uniform(90, 170) + 25 * organs.fine[column.box]
    cortex = 250 * (np.abs(column.distance + 2) < 2)
    canvas.paint(column, 70 + bone[column.box[0]] * (marrow + cortex))
    box = canvas.box((0, y + 26, 100), (32, 16, 600), 8.0)
    processes = canvas.ellipsoid((0, y + 26, 100), (30, 14, 600), box=box)
    canvas.paint(processes, 140 + bone[box[0]] * np.full_like(processes.distance, 180))
    canvas.paint(canvas.capsule((0, y + 24, -200), (0, y + 18, top), 8), 30)


def paint_airway(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Trachea, main bronchi, oesophagus."""
    arch = _arch_mm(patient)
    carina = patient.heart_top_mm + rng.uniform(16, 26)
    canvas.paint(canvas.capsule((-2, 26, carina), (0, 18, arch + 120), 10), -990)
    for side in (-1, 1):
        bronchus = canvas.capsule((-2, 26, carina), (side * 48, 32, carina - 34), 7, 5)
        canvas.paint(bronchus, -980)
    y = patient.half_depth_mm * 0.78
    oesophagus = canvas.capsule((6, y - 28, -200), (2, y - 30, arch + 120), 8.5)
    canvas.paint(oesophagus, rng.uniform(30, 42))


def paint_vessels(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Aorta, pulmonary arteries and veins, venae cavae, neck vessels."""
    uniform, size, at = rng.uniform, patient.size, patient.in_heart
    arch, y, top = _arch_mm(patient), patient.half_depth_mm * 0.78, patient.heart_top_mm
    left = patient.left_blood_hu * uniform(0.88, 1.08, 3)
    right = patient.right_blood_hu * uniform(0.88, 1.08)
    aorta: list[Triple] = [at(-8, -2, 26), (-16 * size, -14, arch - 18), (-4, -4, arch - 2)]
    aorta += [(14, 18, arch), (26, y - 26, arch - 16), (24 * size, y - 22, -40), (12, y - 26, -180)]
    radius = uniform(12, 17) * size
    for i, (start, end) in enumerate(pairwise(aorta)):
        canvas.paint(canvas.capsule(start, end, radius * (1 if i < 4 else 0.82)), left[0])
    fork = (14, 2, top + 12)
    for start, end, mm in (
        (at(10, -14, 20), fork, 14),
        (fork, (60, 30, top + 14), 11),
        (fork, (-55, 18, top + 8), 11),
    ):
        canvas.paint(canvas.capsule(start, end, mm * size), right)
    dense = uniform(0.8, 2) if patient.contrast else 1.0
    canvas.paint(canvas.capsule(at(-34, 2, 20), (-28, -10, arch + 60), 9.5 * size), right * dense)
    inferior = at(-32, 10, -20)
    canvas.paint(
        canvas.capsule(inferior, inferior + np.array([3.0, 8.0, -120.0]), 12 * size), left[1]
    )
    for side in (-1, 1):
        hilum = (side * 68, 36, patient.heart_mm[2] + uniform(0, 30))
        canvas.paint(canvas.capsule(at(-4 + side * 24, 32, 14), hilum, 8, 5), left[2])
        neck = (side * uniform(35, 60), -10, arch + 75)
        canvas.paint(canvas.capsule((side * 24, 2, arch - 2), neck, 6), left[0])


def paint_heart(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Pericardial fat, myocardium, chambers, roots of the great vessels, fat and calcium within."""
    uniform, box, fat_hu = rng.uniform, organs.heart.box, patient.fat_hu
    heart, fine = organs.heart.distance, organs.fine[organs.heart.box]
    _paint_fat_pads(canvas, patient, organs, rng)
    envelope = np.maximum(
        organs.epicardium - patient.pericardial_fat_mm * 0.8, -organs.abdomen[box]
    )
    canvas.paint(Solid(box, envelope), fat_hu + 30 + 12 * fine, softer=1.5)
    muscle_hu = uniform(25, 62) + uniform(10, 90) * patient.contrast
    canvas.paint(organs.heart, muscle_hu + 3 * fine, softer=uniform(1.0, 2.0))
    walls = {"lv": 10 * patient.heart_scale, "rv": 4.5, "ra": 3.5, "la": 3.5}
    for name, chamber in organs.chambers.items():
        blood = patient.left_blood_hu if name[0] == "l" else patient.right_blood_hu
        blood = blood * uniform(0.85, 1.12) if patient.contrast else blood + uniform(-6, 5)
        canvas.paint(Solid(box, np.maximum(chamber, heart) + walls[name]), blood, softer=2.0)
    _paint_roots(canvas, patient, organs, rng)
    if rng.random() < 0.6:
        lumps = organs.coarse[box] + 0.6 * fine > uniform(0.5, 1.3)
        rim = np.maximum(-(heart + 9), 0) + np.where(lumps, np.float32(-3), np.float32(3))
        canvas.paint(Solid(box, np.maximum(heart + 1, rim)), fat_hu + 25, softer=2.0)
    for _ in range(rng.integers(0, 5)):
        calcium = canvas.ellipsoid(
            patient.in_heart(*uniform((-40, -25, -25), (40, 25, 45))), uniform(2, 7, 3)
        )
        canvas.paint(calcium, uniform(150, 900))
    # The fat of the atrioventricular groove, just inside the surface.
    rim = np.abs(heart + 3) - np.float32(3.5)
    for upper, lower in (("lv", "la"), ("rv", "ra")):
        seam = np.abs(organs.chambers[upper] - organs.chambers[lower]) - 3
        canvas.paint(Solid(box, np.maximum(seam, rim)), fat_hu + 40, softer=2.0)


def paint_bones(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Ribs, sternum, scapulae, clavicles, humeri."""
    uniform, width, depth = rng.uniform, patient.half_width_mm, patient.half_depth_mm
    apex = patient.apex_mm
    period = np.float32(uniform(24, 29))
    phase = (canvas.z + np.float32(0.42) * canvas.y + np.float32(uniform(0, period))) / period
    rib = np.maximum(np.abs(organs.cavity - 3) - 4, np.abs(phase % 1 - 0.5) * period - 5.5)
    rib = np.maximum(rib, canvas.z - np.float32(apex + 25))
    rib = np.maximum(rib, 26 - np.abs(canvas.x))
    canvas.paint(Solid(WHOLE, rib), 190 + 260 * (np.abs(rib + 1) < 1.6).astype(np.float32))
    canvas.paint(canvas.ellipsoid((0, 1 - depth, 45), (20, 6.5, 85)), uniform(120, 200))
    for side in (-1, 1):
        blade = canvas.ellipsoid(
            (side * width * 0.72, depth * 0.84, apex - 45),
            (44, 7, 62),
            rotation(0, 0, -side * 0.62),
        )
        kept = np.maximum(blade.distance, organs.body[blade.box] + 4)
        canvas.paint(Solid(blade.box, kept), 260)
        clavicle = (
            (side * 22, -depth * 0.62, apex + 4),
            (side * width * 0.85, -depth * 0.2, apex + 26),
        )
        canvas.paint(canvas.capsule(*clavicle, 7), 300)
        if patient.arms_up:
            arm = ((side * width * 0.95, 5, apex - 30), (side * width * 0.95, -15, apex + 200))
            canvas.paint(canvas.capsule(*arm, 12), 500)


def paint_tumour(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> float:
    """A solid tumour that touches the heart; its radius in mm."""
    uniform = rng.uniform
    angle = uniform(-0.9, 0.9) + (0 if rng.random() < 0.6 else np.pi)
    lift, radius, overlap = uniform(-0.4, 0.5), uniform(22, 44), uniform(0.55, 0.95)
    ray = np.array([np.cos(angle) * np.cos(lift), np.sin(angle) * np.cos(lift), np.sin(lift)])
    centre = patient.heart_mm + ray * (_surface_mm(canvas, patient, organs, ray) + radius * overlap)
    ball = canvas.ellipsoid(
        centre, radius * (1 + uniform(-0.25, 0.25, 3)), rotation(uniform(0, 3), uniform(0, 3), 0)
    )
    rough = ball.distance + 4 * organs.coarse[ball.box] + 2 * organs.fine[ball.box]
    # It displaces everything except the heart, the ribs and the body wall.
    outside_heart = 0.5 - _on_canvas(canvas, organs.heart)[ball.box]
    solid = np.maximum(np.maximum(rough, outside_heart), organs.chest[ball.box] + 1)
    hu = patient.muscle_hu + uniform(-16, 12) + uniform(0, 40) * patient.contrast
    canvas.paint(Solid(ball.box, solid), hu + 4 * organs.fine[ball.box])
    return float(radius)


def paint_effusion(canvas: Canvas, organs: Organs, rng: np.random.Generator) -> None:
    """Fluid in the back of one pleural space."""
    side = 1 if rng.random() < 0.5 else -1
    back = np.float32(rng.uniform(20, 55)) + 8 * organs.coarse - canvas.y
    fluid = np.maximum(np.maximum(organs.lungs, -side * canvas.x), back)
    fluid = np.maximum(fluid, canvas.z - np.float32(rng.uniform(0, 60)))
    canvas.paint(Solid(WHOLE, fluid), rng.uniform(5, 25))


def paint_couch(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """The treatment couch below the back: foam with a shell."""
    back = patient.half_depth_mm + 6 + patient.fat_mm * 0.9 + 2 + rng.uniform(4, 10)
    y = canvas.axes_mm[1][None, :, None] - np.float32(back + 22)
    x = np.abs(canvas.axes_mm[2][None, None, :])
    couch = np.broadcast_to(np.maximum(np.abs(y) - 20, x - 260), canvas.shape)
    canvas.paint(Solid(WHOLE, couch), -930)
    canvas.paint(Solid(WHOLE, np.abs(couch + np.float32(1.2)) - np.float32(1.2)), -80)


def _below(organs: Organs, solid: Solid) -> Solid:
    return Solid(solid.box, np.maximum(solid.distance, organs.abdomen[solid.box] + 3))


def _arch_mm(patient: Patient) -> float:
    """Height of the aortic arch."""
    return patient.heart_top_mm + 50 * patient.size


def _on_canvas(canvas: Canvas, solid: Solid) -> Field:
    whole = np.full(canvas.shape, 99, np.float32)
    whole[solid.box] = solid.distance
    return whole


def _paint_fat_pads(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    for _ in range(rng.integers(0, 4)):
        angle, down = rng.uniform(0, 2 * np.pi), rng.uniform(-45, 0)
        offset = np.array([np.cos(angle) * 52, -abs(np.sin(angle)) * 40, down])
        radii = rng.uniform((12, 12, 12), (26, 26, 30))
        pad = canvas.ellipsoid(patient.heart_mm + offset * patient.heart_scale, radii)
        rough = pad.distance + 5 * organs.coarse[pad.box]
        inside = np.maximum(rough, organs.chest[pad.box] + 1)
        canvas.paint(Solid(pad.box, inside), patient.fat_hu + 10 + 8 * organs.fine[pad.box])


def _paint_roots(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """The aortic root and the pulmonary trunk inside the contour, fat between them."""
    box, uniform, at = organs.heart.box, rng.uniform, patient.in_heart
    upper = np.float32(float(patient.heart_mm[2]) + 22 * patient.heart_scale) - canvas.z[box]
    fatty, fat_hu = rng.random() < 0.7, patient.fat_hu + uniform(30, 110)
    if fatty:
        between = np.maximum(organs.heart.distance + 2, upper)
        canvas.paint(Solid(box, between), fat_hu, softer=2.0)
    heart = _on_canvas(canvas, organs.heart)
    for start, end, mm, hu in (
        (at(-8, -2, 10), at(-12, -4, 62), 15.0, patient.left_blood_hu),
        (at(10, -18, 10), at(12, -4, 62), 14.0, patient.right_blood_hu),
    ):
        root = canvas.capsule(start, end, mm * patient.heart_scale * uniform(0.9, 1.1))
        # Above the conventional border the vessel goes on; below it stays inside the heart.
        above = canvas.z[root.box] > patient.heart_top_mm
        limit = np.where(above, np.float32(-9), heart[root.box] + 1)
        canvas.paint(Solid(root.box, np.maximum(root.distance, limit)), hu, softer=1.0)


def _surface_mm(canvas: Canvas, patient: Patient, organs: Organs, ray: Matrix) -> float:
    """How far along `ray` from the heart's centre its surface lies."""
    heart = _on_canvas(canvas, organs.heart)
    for away in np.arange(20, 110, 2.0):
        point = (patient.heart_mm + ray * away)[::-1]
        voxel = np.rint((point - canvas.corner_mm) / canvas.spacing_mm).astype(int)
        if np.any(voxel < 0) or np.any(voxel >= canvas.shape) or heart[tuple(voxel)] > 0:
            return float(away)
    return 110.0
