"""The outline of a synthetic patient: rib cage and skin, as distances in mm."""

from __future__ import annotations

import numpy as np

from app.phantom_canvas import Canvas, Field, Solid, Triple, smooth_union
from app.phantom_patient import Patient


def cavity_of(canvas: Canvas, patient: Patient) -> Field:
    """The outside of the ribs, which taper to the neck."""
    z = canvas.axes_mm[0][:, None, None]
    rise = np.clip((z + 40) / (patient.apex_mm + 40), 0, 1.25)
    taper = np.sqrt(np.clip(1 - rise**3.2, 0, 1))
    half_x = (patient.half_width_mm * (0.30 + 0.70 * taper)).astype(np.float32)
    half_y = (patient.half_depth_mm * (0.42 + 0.58 * taper)).astype(np.float32)
    radius: Field = (canvas.x / half_x) ** 2 + (canvas.y / half_y) ** 2
    np.sqrt(radius, out=radius)
    radius -= 1
    radius *= np.minimum(half_x, half_y) * np.float32(0.9)
    return radius


def body_of(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Field:
    """The skin: trunk, neck, head, arms, breasts or what surgery left of them."""
    uniform, fat = rng.uniform, patient.fat_mm
    width, depth, apex = patient.half_width_mm, patient.half_depth_mm, patient.apex_mm
    z = canvas.axes_mm[0][:, None, None]
    neck = np.clip((z - apex - 2) / 42, 0, 1)
    neck = neck * neck * (3 - 2 * neck)
    half_x = (width + 6 + fat) * (1 + 0.12 * np.clip((z - 60) / 90, 0, 1))
    half_x = (half_x * (1 - neck) + (54 + 0.5 * fat) * neck).astype(np.float32)
    half_y = (depth + 6 + fat * 0.9) * (1 - 0.18 * np.clip((z - apex + 20) / 80, 0, 1))
    half_y = (half_y * (1 - neck) + (58 + 0.5 * fat) * neck).astype(np.float32)
    power = np.float32(uniform(2.1, 2.6))
    radius = np.abs(canvas.x / half_x) ** power + np.abs((canvas.y - 2) / half_y) ** power
    radius **= np.float32(1 / power)
    radius -= 1
    radius *= np.minimum(half_x, half_y)
    solids = _arms(canvas, patient, rng) + _breasts(canvas, patient, rng)
    solids.append((canvas.ellipsoid((0, 0, apex + 190), (74, 94, 112)), 12.0))
    for solid, blend_mm in solids:
        radius[solid.box] = smooth_union(radius[solid.box], solid.distance, blend_mm)
    return radius


def _arms(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> list[tuple[Solid, float]]:
    uniform, width, apex = rng.uniform, patient.half_width_mm, patient.apex_mm
    solids = []
    for side in (-1, 1):
        ahead, out, elbow_y, radius = uniform(-10, 20), uniform(0.75, 1.1), uniform(-40, 10), 42
        shoulder = (side * width * 0.95, ahead, apex - 50)
        elbow: Triple = (side * width * out, elbow_y, apex + 200)
        if not patient.arms_up:
            shoulder = (side * (width * 1.0 + patient.fat_mm * 0.5), ahead, apex - 28)
            elbow = (side * (width + patient.fat_mm + 52), ahead + 25, apex - 330)
        arm = canvas.capsule(shoulder, elbow, uniform(42, 52), radius)
        solids.append((arm, 15.0 if patient.arms_up else 6.0))
    return solids


def _breasts(
    canvas: Canvas, patient: Patient, rng: np.random.Generator
) -> list[tuple[Solid, float]]:
    depth, fat, uniform = patient.half_depth_mm, patient.fat_mm, rng.uniform
    operated = {f for f in patient.findings if f in ("mastectomy", "implant", "expander")}
    with_breasts, radius_mm, height_mm = rng.random() < 0.55, uniform(40, 64), uniform(22, 50)
    left_gone, sag = rng.random() < 0.5, uniform(0, 18)
    solids = []
    for side in (-1, 1):
        y = -depth - fat * 0.5 - uniform(0, 8)
        centre = (side * (uniform(60, 80) * patient.size + sag), y + sag, uniform(5, 40))
        gone = patient.has("mastectomy") and (side > 0) == left_gone
        if (with_breasts or operated) and not gone:
            radii = (radius_mm, height_mm, radius_mm * 1.05)
            solids.append((canvas.ellipsoid(centre, radii), 18.0))
    return solids
