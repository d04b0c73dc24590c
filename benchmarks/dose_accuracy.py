"""Dose figures of bodies that formulas describe, against their truth and beside two peers.

    python -m benchmarks.dose_accuracy

A ball of 5 and of 20 mm, a cylinder, a cone and a heart-like body with a hole, in a linear, a
Gaussian and a steep dose, on slices of 1, 2 and 3 mm and dose grids of 1 to 5 mm. Everybody reads
the same DICOM files; the peers those with a dose grid of 2.5 mm. dicompyler-core gets an
environment of its own in the cache folder. "linear" is the error of whoever interpolates the dose
linearly in the exact body. The last line is JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from app.offline import read_ct_folder
from benchmarks.dose.bodies import BODIES, DOSES, Truth, linear_limit, truth_of
from benchmarks.dose.peers import PeerDvh, dicompyler, dicompyler_python, plastimatch
from core.volume import Volume
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.dvh import Dvh
from dose.solid import Ends, sample_contours
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct, written

SLICES_MM = (1.0, 2.0, 3.0)
GRIDS_MM = (1.0, 2.0, 2.5, 3.0, 5.0)
PEERS_GRID_MM = 2.5
HALF_MM = 54.0
CENTRE_MM = 0.37
BARS = {
    "mean %": 0.1,
    # At a field's edge 0.2 % of its mean is what is linear between nodes 2.5 mm apart.
    "mean of 5 mm beyond linear %": 0.1,
    "heart V pp": 0.3,
    "volume %": 0.2,
    "volume of 5 mm %": 1.0,
}
BAR_GRID_MM = 2.5
OURS: tuple[Ends, ...] = get_args(Ends)
PEERS = ("dicompyler", "plastimatch")
SMALL = "ball 5 mm"


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one figure of one program: mean and volume in %, V in percentage points."""

    mean: float
    percent: float
    volume: float | None

    @classmethod
    def of(cls, truth: Truth, mean_gy: float, percent: float, volume_cc: float | None) -> Errors:
        """Found minus true."""
        volume = None if volume_cc is None else 100.0 * (volume_cc / truth.volume_cc - 1.0)
        return cls(100.0 * (mean_gy / truth.mean_gy - 1.0), percent - truth.percent, volume)


# (body, dose, slice in mm, grid in mm) and the program
Found = dict[tuple[str, str, float, float], dict[str, Errors]]


def main() -> int:
    """Print both tables and the verdict; 0 when every bar is held."""
    python = dicompyler_python()
    truths = {
        (body, dose): truth_of(BODIES[body], *DOSES[dose])
        for body, dose in itertools.product(BODIES, DOSES)
    }
    found: Found = {}
    for slice_mm in SLICES_MM:
        with tempfile.TemporaryDirectory() as name:
            _one_ct(Path(name), slice_mm, truths, found, python)
    sys.stdout.write("\n".join([*_beside_peers(found), "", *_over_grids(found)]) + "\n")
    verdict = _verdict(found)
    sys.stdout.write(json.dumps(verdict) + "\n")
    return 0 if verdict["holds"] else 1


def _one_ct(
    folder: Path,
    slice_mm: float,
    truths: dict[tuple[str, str], Truth],
    found: Found,
    python: Path | None,
) -> None:
    count = 2 * round(HALF_MM / slice_mm)
    ct = ct_series(
        shape=(count, 120, 120), spacing_mm=(slice_mm, 1.0, 1.0), hu=lambda x, y, z: 0.0 * x
    )
    structures = _structures(ct)
    (structures_path,) = written([structures], folder / "rs")
    written(ct, folder / "ct")
    for kind, grid_mm in itertools.product(DOSES, GRIDS_MM):
        size = _size(grid_mm)
        dose = rtdose(
            DOSES[kind][0],
            shape=(size, size, size),
            spacing_mm=(grid_mm, grid_mm, grid_mm),
            centre_mm=(CENTRE_MM, CENTRE_MM, CENTRE_MM),
            ct=ct[0],
        )
        together = folder / f"{kind}-{grid_mm}"
        (dose_path,) = written([dose], together)
        for body, of_program in _ours(folder / "ct", structures_path, dose_path):
            truth = truths[body, kind]
            found[body, kind, slice_mm, grid_mm] = {
                ends: Errors.of(
                    truth,
                    dvh.mean_gy() or np.nan,
                    100.0 * dvh.volume_at_dose_cc(truth.level_gy) / dvh.volume_cc,
                    dvh.volume_cc,
                )
                for ends, dvh in of_program.items()
            }
        if grid_mm != PEERS_GRID_MM:
            continue
        numbers = {int(r.ROINumber): str(r.ROIName) for r in structures.StructureSetROISequence}
        answers: dict[str, dict[str, PeerDvh]] = {}
        if python is not None:
            answers["dicompyler"] = dicompyler(python, structures_path, dose_path, numbers)
        written([*ct, structures], together)
        answers["plastimatch"] = plastimatch(together)
        for program, dvhs in answers.items():
            for body, peer in dvhs.items():
                truth = truths[body, kind]
                found[body, kind, slice_mm, grid_mm][program] = Errors.of(
                    truth, peer.mean_gy, peer.percent(truth.level_gy), peer.volume_cc
                )


def _size(grid_mm: float) -> int:
    return int(2 * HALF_MM / grid_mm) + 3


def _limit(body: str, kind: str, grid_mm: float) -> float:
    corner_mm = CENTRE_MM - (_size(grid_mm) - 1) / 2.0 * grid_mm
    return linear_limit(BODIES[body], DOSES[kind][0], grid_mm, corner_mm)


def _structures(ct: list[Any]) -> Any:
    rois: dict[str, list[tuple[Any, str]]] = {}
    for name, body in BODIES.items():
        rois[name] = []
        for image in ct:
            contour = body.contour(float(image.ImagePositionPatient[2]))
            if contour is not None:
                rois[name].append((contour, str(image.SOPInstanceUID)))
    return rtstruct(ct, rois)


def _ours(ct: Path, structures: Path, dose: Path) -> Iterator[tuple[str, dict[Ends, Dvh]]]:
    volume: Volume = read_dose(dose).volume
    geometry = read_ct_folder(ct).geometry
    frame = geometry.frame_of_reference_uid
    for roi in read_structure_set(structures, frame_of_reference_uid=frame).rois:
        points = [contour.points_mm for contour in roi.contours]
        yield (
            roi.roi_name,
            {
                ends: Dvh.of(sample_contours(volume, points, geometry, ends=ends).sampled)
                for ends in OURS
            },
        )


def _beside_peers(found: Found) -> list[str]:
    programs = [*OURS, *PEERS]
    names = "".join(f"{p[:10]:>11}" for p in programs)
    lines = [
        f"Errors on a dose grid of {PEERS_GRID_MM} mm; {', '.join(OURS)} are ours",
        f"{'':27}{'mean %':^64}{'V percentage points':^55}{'volume %':^55}",
        f"{'body':12}{'dose':8}{'slice':7}{'linear':>9}{names}{names}{names}",
    ]
    for (body, kind, slice_mm, grid_mm), by_program in found.items():
        if grid_mm == PEERS_GRID_MM:
            cells = [
                _cell(by_program.get(p), figure)
                for figure in ("mean", "percent", "volume")
                for p in programs
            ]
            limit = f"{_limit(body, kind, grid_mm):+9.3f}"
            lines.append(f"{body:12}{kind:8}{slice_mm:<7}{limit}" + "".join(cells))
    return lines


def _cell(errors: Errors | None, figure: str) -> str:
    value = None if errors is None else getattr(errors, figure)
    return f"{'-':>11}" if value is None else f"{value:+11.3f}"


def _over_grids(found: Found) -> list[str]:
    lines = [
        "Worst of ours (rounded) over doses and slices",
        f"{'dose grid mm':14}" + "".join(f"{body:>24}" for body in BODIES),
        f"{'':14}" + f"{'mean %':>14}{'V pp':>10}" * len(BODIES),
    ]
    for grid_mm in GRIDS_MM:
        cells = [
            f"{_worst(found, 'mean', {body}, {grid_mm}):14.3f}"
            f"{_worst(found, 'percent', {body}, {grid_mm}):10.3f}"
            for body in BODIES
        ]
        lines.append(f"{grid_mm:<14}" + "".join(cells))
    return lines


def _worst(found: Found, figure: str, bodies: set[str], grids_mm: set[float]) -> float:
    return max(
        abs(float(getattr(by_program["rounded"], figure)))
        for (body, _, _, grid_mm), by_program in found.items()
        if body in bodies and grid_mm in grids_mm
    )


def _verdict(found: Found) -> dict[str, Any]:
    fine = {grid_mm for grid_mm in GRIDS_MM if grid_mm <= BAR_GRID_MM}
    large = set(BODIES) - {SMALL}
    beyond = [
        abs(by_program["rounded"].mean - _limit(body, kind, grid_mm))
        for (body, kind, _, grid_mm), by_program in found.items()
        if body == SMALL and grid_mm in fine
    ]
    worst = {
        "mean %": _worst(found, "mean", large, fine),
        "mean of 5 mm %": _worst(found, "mean", {SMALL}, fine),
        "mean of 5 mm beyond linear %": max(beyond),
        "heart V pp": _worst(found, "percent", {"heart"}, fine),
        "volume %": _worst(found, "volume", large, fine),
        "volume of 5 mm %": _worst(found, "volume", {SMALL}, fine),
    }
    return {
        "worst": {name: round(value, 4) for name, value in worst.items()},
        "bars": BARS,
        "claim": f"rounded is within the bars on dose grids of at most {BAR_GRID_MM} mm",
        "holds": all(worst[name] <= bar for name, bar in BARS.items()),
    }


if __name__ == "__main__":
    sys.exit(main())
