"""The wall, the lungs and the bones of a synthetic patient; later ones cover earlier ones. HU."""

from __future__ import annotations

import numpy as np

from app.phantom_canvas import WHOLE, Canvas, Solid, rotation
from app.phantom_organs import Organs
from app.phantom_patient import Patient


def paint_wall(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Skin and fat, glands, muscle, and what lies between the lungs."""
    uniform = rng.uniform
    canvas.paint(Solid(WHOLE, organs.body), patient.fat_hu)
    _paint_glands(canvas, patient, organs, rng)
    muscle = np.maximum(
        organs.cavity - (9 + 5 * organs.coarse), organs.body + patient.fat_mm * 0.75 + 2
    )
    canvas.paint(Solid(WHOLE, muscle), patient.muscle_hu + 18 * np.minimum(organs.fine, 0.5))
    back = patient.spine_mm + 22
    for side in (-1, 1):
        rod = canvas.capsule((side * 36, back, -420), (side * 34, back, patient.apex_mm + 90), 24)
        kept = np.maximum(rod.distance, organs.body[rod.box] + patient.fat_mm * 0.7)
        canvas.paint(Solid(rod.box, kept), patient.muscle_hu)
    grain = patient.between_hu + uniform(3, 18) * organs.fine
    grain += uniform(0, 28) * np.clip(organs.coarse, 0, 2)
    canvas.paint(Solid(WHOLE, organs.chest), grain)
    for _ in range(rng.integers(2, 9)):
        # Lymph nodes and small vessels in the fat.
        place = (uniform(-34, 34), uniform(-20, 30), patient.fork_mm + uniform(-25, 60))
        node = canvas.ellipsoid(place, uniform(3, 8, 3))
        canvas.paint(node, uniform(25, 60))


def _paint_glands(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    dense, ahead = rng.uniform(0, 1), -patient.half_depth_mm - patient.fat_mm * 0.5
    reach = (105.0, 45.0, 70.0)
    box = canvas.box((0, ahead - 12, 20), reach, 0.0)
    glands = organs.body[box] + 8 + 9 * (1 - dense) - 6 * organs.coarse[box] - 4 * organs.fine[box]
    glands = np.maximum(np.maximum(glands, organs.body[box] + 4), 22 - np.abs(canvas.x[box]))
    glands = np.maximum(glands, canvas.y[box] - np.float32(ahead + 4))
    canvas.paint(Solid(box, glands), rng.uniform(-20, 45))


def paint_lungs(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Lungs with a gravity gradient, vessels that thin out to the wall, bullae in emphysema."""
    uniform, thin_air = rng.uniform, patient.has("emphysema") or patient.has("breath hold")
    air = (uniform(-935, -860) if thin_air else uniform(-880, -720)) + 14 * organs.coarse
    air += uniform(20, 80) * np.clip((canvas.y + 60) / 120, 0, 1)
    one, other = canvas.noise(rng, 24.0), canvas.noise(rng, 24.0)
    one *= one
    other *= other
    one += other
    one *= np.float32(-1 / 0.030)
    np.exp(one, out=one)
    one *= np.float32(uniform(450, 750))
    air += one
    canvas.paint(Solid(WHOLE, organs.lungs), air)
    if patient.has("emphysema"):
        for _ in range(rng.integers(2, 9)):
            where = (uniform(-110, 110), uniform(-70, 60), uniform(20, patient.apex_mm))
            hole = canvas.ellipsoid(where, uniform(8, 26, 3))
            canvas.paint(
                Solid(hole.box, np.maximum(hole.distance, organs.lungs[hole.box] + 2)), -975
            )


def paint_airway(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Windpipe, main bronchi and their lobes, and the oesophagus, often with air in it."""
    carina = np.asarray(organs.vessels.carina_mm)
    uniform, wall = rng.uniform, rng.uniform(1.0, 1.8)
    pipes = [(carina, np.array([0, -6, patient.apex_mm + 150]), uniform(7.5, 10.5))]
    for side in (-1, 1):
        hilum = carina + np.array([side * uniform(34, 46), uniform(-2, 10), uniform(-34, -22)])
        pipes.append((carina, hilum, uniform(5, 7.5)))
        lobe = hilum + np.array([side * uniform(4, 14), uniform(4, 12), uniform(-40, -24)])
        pipes.append((hilum, lobe, uniform(3, 5)))
    for start, end, radius in pipes:
        pipe = canvas.capsule(start, end, radius, radius * 0.85)
        canvas.paint(Solid(pipe.box, pipe.distance - np.float32(wall)), 30, strength=0.7)
        canvas.paint(pipe, -985)
    tube = organs.vessels.oesophagus
    canvas.paint(tube, uniform(28, 48))
    airy = organs.coarse[tube.box] > uniform(0.2, 2.5)
    canvas.paint(
        Solid(tube.box, tube.distance + np.where(airy, np.float32(5), np.float32(40))), -700
    )


def paint_spine(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Vertebrae and discs, processes, canal."""
    uniform, y, top = rng.uniform, patient.spine_mm, patient.apex_mm + 120
    period = uniform(22, 27)
    phase = (canvas.axes_mm[0] + uniform(0, period)) / period
    bone = (np.abs(phase % 1 - 0.5) < 0.41).astype(np.float32)[:, None, None]
    column = canvas.capsule((0, y, -420), (0, y - 4, top), 21 * patient.size)
    marrow = (uniform(50, 110) if patient.has("aged") else uniform(100, 200)) + 25 * organs.fine[
        column.box
    ]
    cortex = uniform(150, 300) * (np.abs(column.distance + 2) < 2)
    canvas.paint(column, 70 + bone[column.box[0]] * (marrow + cortex))
    middle, half = (top - 420) / 2, (top + 420) / 2
    box = canvas.box((0, y + 30, middle), (34, 18, half), 0.0)
    wide = 12 + 20 * np.clip((canvas.y[box] - y - 12) / 12, 0, 1)
    processes = np.maximum(np.abs(canvas.x[box]) - wide, np.abs(canvas.y[box] - y - 27) - 11)
    processes = np.maximum(processes, 9 - np.abs(canvas.x[box]))
    spines = np.maximum(np.abs(canvas.x[box]) - 4, np.abs(canvas.y[box] - y - 40) - 16)
    solid = np.minimum(processes, spines + 8 * (1 - bone[box[0]]))
    canvas.paint(Solid(box, solid), (190 + 100 * bone[box[0]]) * np.ones_like(solid))
    canvas.paint(canvas.capsule((0, y + 25, -420), (0, y + 22, top), 8.5), 30)


def paint_bones(canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator) -> None:
    """Ribs with their cartilage, sternum, scapulae, clavicles, humeri, pelvis, skull."""
    uniform, width, depth = rng.uniform, patient.half_width_mm, patient.half_depth_mm
    apex = patient.apex_mm
    period = np.float32(uniform(24, 30))
    phase = canvas.y * np.float32(0.42)
    phase += canvas.z + np.float32(uniform(0, period))
    phase /= period
    phase %= 1
    phase -= np.float32(0.5)
    phase *= period
    rib = np.hypot((organs.cavity - 3) * np.float32(1.35), phase, out=phase)
    rib -= np.float32(6.5)
    np.maximum(rib, canvas.z - np.float32(apex + 20), out=rib)
    np.maximum(rib, 24 - np.abs(canvas.x), out=rib)
    # The lower ribs end at the flank.
    lowest = np.float32(patient.heart_floor_mm - 62) - np.float32(0.7) * canvas.y
    np.maximum(rib, lowest - canvas.z, out=rib)
    marrow = uniform(130, 230)
    hu = np.where(np.abs(rib + 1) < 1.6, np.float32(marrow + 230), np.float32(marrow))
    np.putmask(hu, canvas.y < np.float32(-0.66 * depth), np.float32(uniform(80, 190)))
    canvas.paint(Solid(WHOLE, rib), hu)
    sternum = canvas.tube([(0, 1 - depth, -35), (0, -depth - 1, 40), (0, 8 - depth, apex - 30)], 7)
    wide = canvas.ellipsoid((0, 2 - depth, 45), (uniform(14, 20), 6.5, 95))
    canvas.paint(wide, uniform(90, 190))
    canvas.paint(sternum, uniform(80, 150), strength=0.6)
    for side in (-1, 1):
        blade = canvas.ellipsoid(
            (side * width * 0.72, depth * 0.84, apex - 45),
            (44, 7, 62),
            rotation(0, 0, -side * 0.62),
        )
        kept = np.maximum(blade.distance, organs.body[blade.box] + 4)
        canvas.paint(Solid(blade.box, kept), 260)
        clavicle = (
            (side * 22, -depth * 0.62, apex - 6),
            (side * width * 0.85, -depth * 0.2, apex + 12),
        )
        canvas.paint(canvas.capsule(*clavicle, 7), 300)
        arm = ((side * width * 0.95, 5, apex - 30), (side * width * 0.95, -15, apex + 200))
        if not patient.arms_up:
            out = width + patient.fat_mm * 0.6
            arm = ((side * out, 5, apex - 26), (side * (out + 50), 30, apex - 330))
        canvas.paint(canvas.capsule(*arm, 12), 500)
        canvas.paint(canvas.capsule(*arm, 6), 120)
        _paint_pelvis(canvas, patient, side)
    skull = canvas.ellipsoid((0, 0, apex + 190), (66, 86, 104))
    canvas.paint(skull, 900)
    canvas.paint(Solid(skull.box, skull.distance + 7), 36)


def _paint_pelvis(canvas: Canvas, patient: Patient, side: int) -> None:
    size, spine, crest = patient.size, patient.spine_mm, patient.heart_floor_mm - 225 * patient.size
    wing = canvas.ellipsoid(
        (side * 92 * size, spine - 22, crest - 62),
        (9, 62, 78),
        rotation(0, side * 0.35, side * 0.6),
    )
    canvas.paint(wing, 420)
    canvas.paint(Solid(wing.box, wing.distance + 4), 170)
    head = canvas.ellipsoid((side * 92 * size, spine - 55, crest - 165), (25, 25, 25))
    canvas.paint(head, 330)
    canvas.paint(canvas.ellipsoid((side * 20, spine + 5, crest - 70), (30, 16, 50)), 240)
