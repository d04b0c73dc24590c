"""The great vessels and the oesophagus of a synthetic patient: curved tubes, each with its HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.phantom_canvas import Canvas, Solid, Triple
from app.phantom_patient import Patient


@dataclass(frozen=True, slots=True)
class Vessels:
    """Solids on the canvas; `veins` are those of the lungs, `neck` the arteries above the arch.

    `carina_mm` is where the windpipe forks, (x, y, z).
    """

    aorta: Solid
    pulmonary: Solid
    upper_cava: Solid
    lower_cava: Solid
    veins: Solid
    neck: Solid
    oesophagus: Solid
    carina_mm: Triple


def place_vessels(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Vessels:
    """The vessels of this patient, those of the aged winding and wide."""
    uniform, size, at = rng.uniform, patient.size, patient.in_heart
    top, fork, arch, apex = (
        patient.heart_top_mm,
        patient.fork_mm,
        patient.arch_mm,
        patient.apex_mm,
    )
    front = patient.spine_mm - 22 * size
    upper_y = float(patient.heart_mm[1]) + 8
    radius = uniform(12, 16.5) * size * (1.15 if patient.has("aged") else 1.0)
    lungs_y = upper_y + uniform(17, 25) * size
    pulmonary_mm = uniform(12, 15) * size
    trunk = (22 * size, upper_y + uniform(0, 8), fork)
    carina = (uniform(-4, 4), front - uniform(10, 14), fork + uniform(2, 14))
    return Vessels(
        aorta=_aorta(canvas, patient, rng, radius),
        pulmonary=canvas.join(
            [
                canvas.tube(
                    [at(-3, -27, 8), at(2, -24, 34), trunk],
                    [16 * patient.scale, 14 * patient.scale, pulmonary_mm],
                ),
                canvas.tube(
                    [trunk, (38 * size, lungs_y, fork + 6), (60 * size, lungs_y + 22, fork - 14)],
                    [pulmonary_mm, pulmonary_mm * 0.85, 7],
                ),
                canvas.tube(
                    [trunk, (-12 * size, lungs_y - 4, fork - 1), (-56 * size, lungs_y, fork - 6)],
                    [pulmonary_mm, pulmonary_mm * 0.8, 8],
                ),
                # To the lower lobes, behind the heart's sides.
                *(
                    canvas.tube(
                        [
                            (side * 58 * size, lungs_y + 8, fork - 10),
                            (side * 58, lungs_y + uniform(10, 24), fork - 42),
                            (side * uniform(66, 82), lungs_y + uniform(20, 50), fork - 88),
                        ],
                        [8, 6.5, 3],
                    )
                    for side in (-1, 1)
                ),
            ]
        ),
        upper_cava=canvas.join(
            [
                canvas.tube(
                    [at(-41, 1, 22), (-30, upper_y, top + 24), (-27, upper_y - 4, arch + 14)],
                    uniform(7.5, 10.5) * size,
                ),
                canvas.tube(
                    [(-27, upper_y - 4, arch + 14), (5, -22, arch + 22), (38, -10, arch + 44)], 6.5
                ),
                canvas.capsule((-27, upper_y - 4, arch + 14), (-40, -6, apex), 6.5),
            ]
        ),
        lower_cava=canvas.tube(
            [
                at(-37, 9, -12),
                at(-36, 13, -46),
                (-24, front - 12, patient.heart_floor_mm - 60),
                (-20, front - 4, patient.heart_floor_mm - 150),
                (-18, front - 2, -420),
            ],
            uniform(10, 13.5) * size,
        ),
        veins=canvas.join(
            [
                canvas.tube(
                    [
                        at(side * 22 - 9, 30, height),
                        at(side * 46 - 9, 52 - height + uniform(-4, 4), height + 2),
                        at(side * uniform(60, 82) - 9, 66 - 1.6 * height, 2 * height - 16),
                    ],
                    [uniform(6, 8), 6, 3],
                )
                for side in (-1, 1)
                for height in (12, 30)
            ]
        ),
        neck=canvas.join(
            [
                canvas.capsule((x, y, arch), (x * 2.4, -6, arch + 80), uniform(4.5, 7))
                for x, y in ((-9, -4), (8, 4), (22, 14))
            ]
            + [
                canvas.capsule((side * 26, -6, arch + 78), (side * 30, -2, apex + 180), 6)
                for side in (-1, 1)
            ]
        ),
        oesophagus=canvas.tube(
            [
                (16, front - 16, patient.heart_floor_mm - 26),
                (8, front - 10, patient.heart_floor_mm + 14),
                (2, front - 9, fork),
                (3, front - 6, arch + 20),
                (0, front - 4, apex + 140),
            ],
            uniform(7, 10),
        ),
        carina_mm=carina,
    )


def _aorta(canvas: Canvas, patient: Patient, rng: np.random.Generator, radius: float) -> Solid:
    uniform, size, at = rng.uniform, patient.size, patient.in_heart
    arch, spine, front = patient.arch_mm, patient.spine_mm, patient.spine_mm - 22 * patient.size
    winding = 2.2 if patient.has("aged") else 0.7
    sway = uniform(-8, 8, (4, 2)) * winding
    points: list[Triple] = [
        at(-10, -3, 12),
        at(-19, -9, 34),
        (-17 * size, float(patient.heart_mm[1]) - 3, patient.fork_mm + 8),
        (-9, -8, arch - 14),
        (10, 8, arch - radius * 0.6),
        (27 * size, front - 2, arch - 14),
        (30 * size, spine - 14, patient.fork_mm - 6),
        (26 * size + sway[0, 0], spine - 16 + sway[0, 1], 15),
        (20 * size + sway[1, 0], spine - 20 + sway[1, 1], -35),
        (8 + sway[2, 0], front - radius * 0.8, -95),
        (3 + sway[3, 0], front - radius * 0.7, -200),
        (2, front - radius * 0.7, -300),
    ]
    sizes = np.array([1.15, 1.1, 1.08, 1.05, 1.0, 0.9, 0.86, 0.84, 0.82, 0.75, 0.65, 0.6])
    return canvas.tube(points, [float(r) for r in radius * sizes])
