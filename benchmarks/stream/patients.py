"""The simulated patients of a stream and those held out, drawn once and kept in a folder."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.phantom import make_phantom, phantom_dose
from benchmarks.stream.sizes import Size
from core.files import write_whole
from core.geometry import Box, Mask, VolumeGeometry
from core.volume import Volume

THICKNESSES_MM = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0)
TUMOUR_SHARE = 0.12
CONTRAST_SHARE = 0.5
BOX_MARGIN_MM = 20.0
HELD_OUT = 99
FIRST_SEED = 300_000


@dataclass(frozen=True, slots=True)
class SimulatedPatient:
    """A synthetic CT, the true heart on its grid, a synthetic plan's dose in Gy."""

    name: str
    volume: Volume
    heart: Mask
    dose: Volume
    facts: dict[str, Any]

    def user_box(self) -> Box:
        """The box that a user draws: the true heart and 20 mm around it."""
        margin = np.rint(BOX_MARGIN_MM / np.asarray(self.volume.geometry.spacing_mm)).astype(int)
        voxels = np.argwhere(self.heart)
        low = np.maximum(voxels.min(0) - margin, 0)
        high = np.minimum(voxels.max(0) + margin + 1, self.heart.shape)
        slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return slices, rows, columns


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stream's patient `number` is drawn with."""

    name: str
    seed: int
    thickness_mm: float
    tumour: bool
    contrast: bool


def plans_of(stream: int, count: int) -> list[Plan]:
    """The same patients whenever asked: 12 % with a tumour beside the heart, half with contrast.

    `stream` is the seed of a stream, or `HELD_OUT` for those that are never learned.
    """
    rng = np.random.default_rng([stream, 4])
    tumour = rng.permutation(count) < round(TUMOUR_SHARE * count)
    contrast = rng.permutation(count) < round(CONTRAST_SHARE * count)
    order = rng.permutation(count) % len(THICKNESSES_MM)
    return [
        Plan(
            name=f"{stream}-{number:03d}",
            seed=FIRST_SEED + 1000 * stream + number,
            thickness_mm=THICKNESSES_MM[order[number]],
            tumour=bool(tumour[number]),
            contrast=bool(contrast[number]),
        )
        for number in range(count)
    ]


def patient_of(folder: Path, plan: Plan, size: Size) -> SimulatedPatient:
    """The patient of `plan` from `folder`, drawn and kept where it is not there."""
    path = folder / f"{plan.name}.{plan.thickness_mm:g}x{size.in_plane_mm:g}.npz"
    try:
        return _read(path, plan)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        _draw(path, plan, size)
        return _read(path, plan)


def _draw(path: Path, plan: Plan, size: Size) -> None:
    spacing_mm = (plan.thickness_mm, size.in_plane_mm, size.in_plane_mm)
    phantom = make_phantom(
        plan.seed, spacing_mm=spacing_mm, tumour=plan.tumour, contrast=plan.contrast
    )
    dose = phantom_dose(phantom)
    about = {
        "ct": phantom.volume.geometry.to_json(),
        "dose": dose.geometry.to_json(),
        "facts": phantom.facts,
    }
    content = io.BytesIO()
    np.savez_compressed(
        content,
        ct=phantom.volume.values,
        heart=np.packbits(phantom.heart),
        dose=dose.values,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.getvalue())


def _read(path: Path, plan: Plan) -> SimulatedPatient:
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
        about = json.loads(kept["about"].tobytes())
        values = kept["ct"]
        bits = np.unpackbits(kept["heart"], count=values.size)
        return SimulatedPatient(
            name=plan.name,
            volume=Volume(values, VolumeGeometry.from_json(about["ct"])),
            heart=bits.astype(bool).reshape(values.shape),
            dose=Volume(kept["dose"], VolumeGeometry.from_json(about["dose"])),
            facts=about["facts"],
        )
