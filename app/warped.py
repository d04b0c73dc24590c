"""Real CTs as virtual patients: a scan with a contour, bent by some millimetres, again and again.

Bends of the scans of one patient carry one Patient ID, so that the node keeps all of them on one
side of its split between training and validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.clinic_dicom import Called
from app.import_folder import contour_in, series_in
from app.phantom import Phantom
from core.errors import UnreadableObjectError
from core.geometry import Mask, VolumeGeometry
from core.volume import Volume, hounsfield
from dicom_node.objects.ct_reader import read_ct

# Nodes of the bend this far apart move by this spread in each direction: nothing folds over.
NODE_MM, SPREAD_MM = 60.0, 5.0
TURN_RAD = 0.07
SCALE = (0.95, 1.05)
AIR_HU = -1024.0

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
Places = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scan:
    """A CT as it is, with the contour that came with it.

    `number` counts the scans of its folder from 0; `patient` is that of the first scan of the same
    patient.
    """

    number: int
    patient: int
    volume: Volume
    mask: Mask


def scans_in(folder: Path, names: Sequence[str]) -> list[Scan]:
    """Every CT series below `folder` with the contour of the structure called one of `names`.

    Raises `ImportRefusedError` for a series without such a contour, `UnreadableObjectError` where
    no CT is.
    """
    scans: list[Scan] = []
    first: dict[str, int] = {}
    for number, series in enumerate(series_in(folder)):
        ct = read_ct(series.ct)
        whose = ct.identity.patient_id
        patient = first.setdefault(whose, number) if whose else number
        scans.append(Scan(number, patient, ct.volume, contour_in(series, ct, tuple(names)).mask))
    if not scans:
        raise UnreadableObjectError(
            f"No CT series is in {folder}; name a folder of CTs with their structure sets."
        )
    return scans


def warped(scan: Scan, seed: int, *, spacing_mm: Spacing) -> Phantom:
    """Bend `seed` of a scan on a grid of `spacing_mm` (slice, row, column): HU and mask.

    Slices are not thinner than the scan's own, and cover what it covers. HU and mask are
    interpolated linearly at the same places: the mask is as true as that of the scan. The same
    seed gives the same bend. Raises `UnreadableObjectError` for unevenly spaced slices.
    """
    rng = np.random.default_rng([seed, scan.number])
    own = scan.volume.geometry
    if own.slice_offsets_mm is not None:
        raise UnreadableObjectError(
            "The slices of the scan are not evenly spaced; only evenly spaced ones are bent."
        )
    spacing_mm = (max(spacing_mm[0], own.spacing_mm[0]), *spacing_mm[1:])
    counts = np.multiply(own.shape, own.spacing_mm) // np.asarray(spacing_mm)
    slices, rows, columns = (max(int(n), 2) for n in counts)
    shape = (slices, rows, columns)
    places = _places(rng, own, shape, spacing_mm)
    values = np.maximum(scan.volume.values, AIR_HU).astype(np.float32)
    hu = ndimage.map_coordinates(values, places, order=1, mode="constant", cval=AIR_HU)
    mask = ndimage.map_coordinates(scan.mask.astype(np.float32), places, order=1) >= 0.5
    digest = hashlib.sha256(f"recontour bend/{scan.number}/{seed}".encode()).digest()
    frame = f"2.25.{int.from_bytes(digest[:15], 'big')}"
    geometry = VolumeGeometry(shape, own.origin_mm, spacing_mm, frame)
    facts = {
        "synthetic": False,
        "seed": seed,
        "view": "chest",
        "scan": scan.number,
        "patient": scan.patient,
    }
    return Phantom(Volume(hounsfield(hu), geometry), np.asarray(mask, np.bool_), facts)


def called_after(bend: Phantom) -> Called:
    """Whose CT the bend is: that of the patient of its scan, in a study of its own."""
    scan, patient, seed = (bend.facts[name] for name in ("scan", "patient", "seed"))
    whose = f"SCAN-{patient:02d}", f"Scan^{patient:02d}"
    return Called(f"bend/{scan}/{seed}", *whose, f"Bend {seed} of a real CT")


def _places(
    rng: np.random.Generator, own: VolumeGeometry, shape: Shape, spacing_mm: Spacing
) -> Places:
    """(3, *shape): which place of the scan each voxel shows, as fractional indices."""
    turn, scale = rng.uniform(-TURN_RAD, TURN_RAD), rng.uniform(*SCALE)
    along = (
        (np.arange(n, dtype=np.float32) - (n - 1) / 2) * np.float32(step)
        for n, step in zip(shape, spacing_mm, strict=True)
    )
    z, y, x = np.meshgrid(*along, indexing="ij", sparse=True)
    turned = (z, np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x)
    nodes = np.ceil(np.multiply(shape, spacing_mm) / NODE_MM).astype(int) + 2
    places = np.empty((3, *shape), np.float32)
    for place, at, n, step in zip(places, turned, own.shape, own.spacing_mm, strict=True):
        drawn = rng.normal(0.0, SPREAD_MM, nodes).astype(np.float32)
        bend = ndimage.zoom(drawn, np.divide(shape, nodes), order=3)
        place[...] = (scale * at + bend) / step + (n - 1) / 2
    return places
