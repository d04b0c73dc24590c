"""What illness and treatment put into a synthetic patient, most of it beside the heart. HU."""

from __future__ import annotations

import numpy as np

from app.phantom_canvas import WHOLE, Canvas, Field, Solid, Triple, rotation
from app.phantom_organs import Organs
from app.phantom_patient import Patient
from app.phantom_scan import Metal

METAL_HU = 2900.0


def paint_disease(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """The findings in lungs and mediastinum that were drawn for this patient."""
    if patient.has("opacity"):
        _paint_opacities(canvas, patient, organs, rng)
    if patient.has("pleural effusion"):
        for side in (-1, 1) if rng.random() < 0.4 else (int(rng.choice([-1, 1])),):
            _paint_effusion(canvas, organs, rng, side)
    if patient.has("hiatal hernia"):
        _paint_hernia(canvas, patient, organs, rng)


def paint_tumour(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> float:
    """A solid tumour that touches the heart; its radius in mm."""
    uniform = rng.uniform
    angle = uniform(-0.9, 0.9) + (0 if rng.random() < 0.6 else np.pi)
    radius, overlap = uniform(18, 44), uniform(0.55, 0.95)
    centre = _beside_heart(patient, angle, uniform(-0.4, 0.5), radius * overlap)
    ball = canvas.ellipsoid(
        centre, radius * (1 + uniform(-0.25, 0.25, 3)), rotation(uniform(0, 3), uniform(0, 3), 0)
    )
    rough = ball.distance + 4 * organs.coarse[ball.box] + 2 * organs.fine[ball.box]
    hu = patient.muscle_hu + uniform(-16, 12) + uniform(0, 40) * (patient.contrast.phase != "none")
    necrosis = uniform(0, 25) * np.clip(-rough / 12, 0, 1)
    # It displaces everything except the heart, the vessels, the ribs and the body wall.
    canvas.paint(
        _beside(canvas, organs, Solid(ball.box, rough)), hu + 4 * organs.fine[ball.box] - necrosis
    )
    return float(radius)


def place_devices(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> list[Metal]:
    """Paint implants, expanders, pacemaker and wires; where they leave streaks."""
    metals: list[Metal] = []
    if patient.has("implant") or patient.has("expander"):
        metals += _paint_breast_devices(canvas, patient, organs, rng)
    if patient.has("pacemaker"):
        metals += _paint_pacemaker(canvas, patient, rng)
    if patient.has("sternal wires"):
        y = 1 - patient.half_depth_mm
        for height in np.linspace(-30, patient.apex_mm - 40, 6):
            canvas.paint(
                canvas.capsule((-10, y - 4, height), (9, y + 5, height + 3), 1.2), METAL_HU
            )
            metals.append(Metal((0.0, y, float(height)), rng.uniform(60, 200), 3.5))
    return metals


def _beside_heart(patient: Patient, angle: float, lift: float, away_mm: float) -> Triple:
    """A point `away_mm` outside of the heart, in a direction from its centre."""
    ray = np.array([np.cos(angle) * np.cos(lift), np.sin(angle) * np.cos(lift), np.sin(lift)])
    radii = np.array([60.0, 46.0, 48.0]) * patient.heart_scale
    return np.asarray(patient.heart_mm + ray * (1 / np.linalg.norm(ray / radii) + away_mm))


def _beside(canvas: Canvas, organs: Organs, solid: Solid) -> Solid:
    """`solid` without what lies in the heart, in the aorta or outside of the chest."""
    box, keep = solid.box, solid.distance
    for other in (Solid(organs.heart.pericardium.box, organs.heart.sac), organs.vessels.aorta):
        keep = np.maximum(keep, 0.5 - canvas.on_whole(other)[box])
    return Solid(box, np.maximum(keep, organs.chest[box] + 1))


def _paint_opacities(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Atelectasis, consolidation with air in it, ground glass, scars; most touch the heart."""
    uniform = rng.uniform
    for _ in range(rng.integers(1, 5)):
        touching, angle, lift = rng.random() < 0.75, uniform(0, 2 * np.pi), uniform(-0.6, 0.6)
        radii = uniform((10, 10, 10), (42, 38, 40))
        away = uniform(-6, 12) if touching else uniform(25, 60)
        ball = canvas.ellipsoid(
            _beside_heart(patient, angle, lift, away), radii, rotation(*uniform(-1, 1, 3))
        )
        box, coarse, fine = ball.box, organs.coarse[ball.box], organs.fine[ball.box]
        rough = np.maximum(ball.distance + 6 * coarse + 3 * fine, organs.lungs[box] - 0.5)
        solid_hu = uniform(15, 55) + uniform(0, 50) * (patient.contrast.phase != "none")
        hu: Field = solid_hu + 10 * fine
        kind = rng.random()
        if kind < 0.3:
            hu = hu - np.clip(fine - 0.7, 0, 1) * np.float32(uniform(300, 900))
        elif kind < 0.5:
            hu = uniform(-650, -350) + 60 * coarse
        canvas.paint(Solid(box, rough), hu, softer=uniform(1, 2.5))


def _paint_effusion(canvas: Canvas, organs: Organs, rng: np.random.Generator, side: int) -> None:
    """Fluid in the back of one pleural space, and the lung it presses together."""
    uniform = rng.uniform
    back = np.float32(uniform(-8, 55)) + 7 * organs.coarse - canvas.y
    # It climbs along the wall and thins out to the top.
    back -= np.float32(0.35) * np.clip(30 + organs.chest, 0, 30)
    back += np.float32(0.25) * np.clip(canvas.z + np.float32(20), 0, None)
    fluid = np.maximum(organs.lungs, -side * canvas.x)
    pressed = np.maximum(fluid, back - np.float32(uniform(3, 22)))
    canvas.paint(Solid(WHOLE, pressed), uniform(20, 90) + 14 * organs.fine, softer=1.5)
    canvas.paint(Solid(WHOLE, np.maximum(fluid, back)), uniform(0, 28))


def _paint_hernia(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> None:
    """Stomach above the diaphragm, behind the heart."""
    uniform = rng.uniform
    radii = uniform((18, 14, 16), (42, 30, 40))
    place = (uniform(-12, 26), patient.spine_mm - 22 - radii[1] * 0.8)
    pouch = canvas.ellipsoid((*place, patient.heart_floor_mm + uniform(0, 34)), radii)
    pouch = _beside(canvas, organs, pouch)
    canvas.paint(Solid(pouch.box, pouch.distance - 4), patient.fat_hu + 15)
    canvas.paint(pouch, uniform(35, 80))
    gas = canvas.y[pouch.box] < np.float32(place[1] + uniform(-25, 18))
    filling = np.float32(uniform(0, 55) if rng.random() < 0.8 else uniform(100, 300))
    content = np.where(gas, np.float32(-920), filling)
    canvas.paint(Solid(pouch.box, pouch.distance + 4), content)


def _paint_breast_devices(
    canvas: Canvas, patient: Patient, organs: Organs, rng: np.random.Generator
) -> list[Metal]:
    """A silicone or saline implant, or an expander with its magnet, on one side or both."""
    uniform, metals = rng.uniform, []
    y = -patient.half_depth_mm - 12 - 0.3 * patient.fat_mm
    for side in (-1, 1) if rng.random() < 0.35 else (int(rng.choice([-1, 1])),):
        at = (side * uniform(64, 80) * patient.size, y - uniform(0, 8), uniform(5, 35))
        bag = canvas.ellipsoid(at, (uniform(44, 58), uniform(22, 38), uniform(44, 58)))
        room = np.maximum(bag.distance, organs.body[bag.box] + 5)
        room = np.maximum(room, 9 - organs.cavity[bag.box])
        shell = uniform(60, 160)
        canvas.paint(Solid(bag.box, np.maximum(room, -room - 3)), shell)
        silicone = patient.has("implant") and rng.random() < 0.7
        filling = uniform(60, 120) if silicone else uniform(-5, 15)
        canvas.paint(Solid(bag.box, room + 1.5), filling)
        if patient.has("expander"):
            port = (at[0], at[1] - 2, at[2] + 5)
            canvas.paint(canvas.ellipsoid(port, (13, 4, 13)), METAL_HU)
            metals.append(Metal(port, uniform(250, 700), 13.0))
    return metals


def _paint_pacemaker(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> list[Metal]:
    """The generator below the clavicle and a lead through the upper vena cava to the apex."""
    uniform, side = rng.uniform, 1 if rng.random() < 0.75 else -1
    width, depth, apex = patient.half_width_mm, patient.half_depth_mm, patient.apex_mm
    home = (side * width * 0.58, -depth * 0.80 - 0.4 * patient.fat_mm, apex - 38)
    middle = patient.in_heart(-14, -10, -14)
    tip = patient.in_heart(uniform(22, 38), -28, uniform(-30, -18))
    top = (-27.0, float(patient.heart_mm[1]) + 6, patient.arch_mm + 10)
    way: list[Triple] = [home, (side * 45, -20, apex), top]
    lead = canvas.tube([*way, patient.in_heart(-40, 1, 20), middle, tip], 1.4)
    canvas.paint(lead, METAL_HU)
    canvas.paint(canvas.ellipsoid(home, (23, 6, 20)), METAL_HU)
    return [
        Metal(home, uniform(400, 1000), 18.0),
        Metal(tip, uniform(120, 350), 8.0),
        Metal(middle, uniform(60, 220), 14.0),
    ]
