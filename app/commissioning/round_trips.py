"""Mask to RTSTRUCT and back: in every patient position, and on unevenly spaced slices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.clinic_contours import write_contours
from app.commissioning.check import Check, Tolerance, measured, told
from app.commissioning.objects import ORIENTATIONS, Scan, write_scan
from core.errors import ConversionMismatchError
from core.geometry import Mask, VolumeGeometry
from core.rasterise import mask_of_contours
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.round_trip import verify_structure_set
from dicom_node.objects.rtstruct_reader import read_structure_set

GROUP = "Mask to RTSTRUCT and back"
EVEN_MM = tuple(3.0 * k - 30.0 for k in range(21))
# Two zones, 5 mm and 2.5 mm apart.
UNEVEN_MM = (*(5.0 * k - 40.0 for k in range(9)), *(2.5 * k for k in range(1, 13)))
_FIRST = 100  # numbers of scans; below are those of known bodies
_EXACT = "Contours lie on voxel edges, so that nothing is lost (docs/adr/0006)."
_TWICE = "What is delivered is read by two readers first; both must find it."
NONE_OTHER = Tolerance(0, "voxels", _EXACT)


def round_trip_checks(folder: Path, positions: tuple[str, ...]) -> Iterator[Check]:
    """Two checks for each series: voxels that came back other, and what both readers said."""
    scans = {
        position: Scan(_FIRST + n, EVEN_MM, 64, 1.5, position)
        for n, position in enumerate(ORIENTATIONS)
        if position in positions
    }
    for position, scan in scans.items():
        yield from _of(position, scan, folder / position)
    yield from _of("HFS, uneven slices", Scan(_FIRST + 50, UNEVEN_MM, 64, 1.5), folder / "uneven")
    yield from _of(
        "FFP, uneven slices", Scan(_FIRST + 51, UNEVEN_MM, 64, 1.5, "FFP"), folder / "turned"
    )


def _of(name: str, scan: Scan, folder: Path) -> Iterator[Check]:
    paths = write_scan(scan, folder)
    ct = read_ct(paths)
    mask = shell(ct.geometry)
    path = write_contours(folder / "RS.dcm", ct, mask, "Shell")
    other = _other_voxels(path, ct, mask)
    said = f"{int(mask.sum())} voxels, a ball with a hole"
    yield measured(GROUP, f"{name}: other voxels", other, NONE_OTHER, said)
    try:
        unasked = verify_structure_set(path, ct, {"Shell": mask}, ct_paths=paths)
    except ConversionMismatchError as error:
        yield told(GROUP, f"{name}: two readers", str(error), right=False, reason=_TWICE)
    else:
        second = "both agree" if unasked is None else f"ours agrees; {unasked}"
        yield told(GROUP, f"{name}: two readers", second, right=True, reason=_TWICE)


def shell(geometry: VolumeGeometry) -> Mask:
    """A ball with a hole that is not in its middle, and does not lie in the middle itself."""
    at = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ball = np.linalg.norm(at - (4.2, -3.1, 1.7), axis=-1) <= 24.0
    return np.asarray(ball & (np.linalg.norm(at - (8.0, -1.0, 0.6), axis=-1) > 9.0), bool)


def _other_voxels(path: Path, ct: CtVolume, mask: Mask) -> int:
    (roi,) = read_structure_set(path).rois
    back = mask_of_contours([contour.points_mm for contour in roi.contours], ct.geometry)
    return int(np.count_nonzero(back.mask != mask)) + back.contours_off_grid
