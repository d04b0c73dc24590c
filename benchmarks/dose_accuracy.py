"""Dose figures of bodies that formulas describe, against their truth and beside two peers.

    python -m benchmarks.dose_accuracy [DRAWS]

A ball of 5 and of 20 mm, a cylinder, a cone and a heart-like body with a hole, in a linear, a
Gaussian and two steep doses, on slices of 1, 2 and 3 mm and dose grids of 1 to 5 mm. Where bodies
and dose grids lie is drawn, DRAWS times (2). Everybody reads the same DICOM files; the peers those
of the first draw with a dose grid of 2.5 mm. dicompyler-core gets an environment of its own in the
cache folder. "nodes" is the error of the exact body in a dose known at its nodes only. The last
line is JSON: each setting of `recontour dose` against the same bars.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.commissioning.bodies import BODIES, DOSES, Body, Truth, moved_bodies, truth_of
from app.offline import read_ct_folder
from benchmarks.dose.limits import DoseNodes, limit_of
from benchmarks.dose.peers import PeerDvh, dicompyler, dicompyler_python, plastimatch
from benchmarks.dose.verdict import Errors, Found, verdict
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.dvh import Dvh
from dose.interpolation import Between
from dose.solid import Ends, sample_contours
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct, written

SLICES_MM = (1.0, 2.0, 3.0)
GRIDS_MM = (1.0, 2.0, 2.5, 3.0, 5.0)
PEERS_GRID_MM = 2.5
HALF_MM = 54.0
DRAWS = 2
# The first is what `recontour dose` does unasked.
SETTINGS: Mapping[str, tuple[Ends, Between]] = {
    "half": ("half", "linear"),
    "whole": ("whole", "linear"),
    "rounded": ("rounded", "linear"),
    "rounded cubic": ("rounded", "cubic"),
}
CLAIMED = "rounded cubic"
# The exact body in a dose that is known at its nodes.
LIMITS: Mapping[str, Between] = {"nodes, linear": "linear", "nodes, cubic": "cubic"}
PEERS = ("dicompyler", "plastimatch")


@dataclass(frozen=True, slots=True)
class Study:
    """One CT with its structure set, and the bodies that were drawn on it."""

    folder: Path
    draw: int
    slice_mm: float
    bodies: Mapping[str, Body]
    truths: Mapping[tuple[str, str], Truth]
    ct: list[Any]
    structures: Any


def main() -> int:
    """Print both tables and the verdict; 0 when every bar is held."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    python = dicompyler_python()
    found: Found = {}
    for draw, (number, slice_mm) in itertools.product(range(draws), enumerate(SLICES_MM)):
        rng = np.random.default_rng([draw, number])
        with tempfile.TemporaryDirectory() as name:
            study = _study(Path(name), draw, slice_mm, rng)
            for kind, grid_mm in itertools.product(DOSES, GRIDS_MM):
                shift_mm = rng.uniform(-0.5, 0.5) * grid_mm
                nodes = DoseNodes(int(2 * HALF_MM / grid_mm) + 3, grid_mm, shift_mm)
                _one_dose(study, kind, nodes, found, python)
    lines = [*_beside_peers(found), "", *_over_grids(found)]
    sys.stdout.write("\n".join(lines) + "\n")
    answer = verdict(found, tuple(SETTINGS), claimed=CLAIMED)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0 if answer["holds"] else 1


def _study(folder: Path, draw: int, slice_mm: float, rng: np.random.Generator) -> Study:
    count = 2 * round(HALF_MM / slice_mm)
    ct = ct_series(
        shape=(count, 120, 120), spacing_mm=(slice_mm, 1.0, 1.0), hu=lambda x, y, z: 0.0 * x
    )
    bodies = moved_bodies(rng)
    structures = _structures(ct, bodies)
    written([structures], folder / "rs")
    written(ct, folder / "ct")
    truths = {
        (body, dose): truth_of(bodies[body], *DOSES[dose])
        for body, dose in itertools.product(bodies, DOSES)
    }
    return Study(folder, draw, slice_mm, bodies, truths, ct, structures)


def _structures(ct: list[Any], bodies: Mapping[str, Body]) -> Any:
    rois: dict[str, list[tuple[Any, str]]] = {}
    for name, body in bodies.items():
        rois[name] = []
        for image in ct:
            contour = body.contour(float(image.ImagePositionPatient[2]))
            if contour is not None:
                rois[name].append((contour, str(image.SOPInstanceUID)))
    return rtstruct(ct, rois)


def _one_dose(study: Study, kind: str, nodes: DoseNodes, found: Found, python: Path | None) -> None:
    grid_mm = nodes.grid_mm
    dose = rtdose(
        DOSES[kind][0],
        shape=(nodes.size,) * 3,
        spacing_mm=(grid_mm,) * 3,
        centre_mm=(nodes.centre_mm,) * 3,
        ct=study.ct[0],
    )
    together = study.folder / f"{kind}-{grid_mm}"
    (dose_path,) = written([dose], together)
    (structures_path,) = (study.folder / "rs").iterdir()
    for body, of_program in _ours(study.folder / "ct", structures_path, dose_path):
        key = (body, kind, study.slice_mm, grid_mm, study.draw)
        truth = study.truths[body, kind]
        found[key] = {
            name: Errors.of(
                truth,
                dvh.mean_gy() or np.nan,
                100.0 * dvh.volume_at_dose_cc(truth.level_gy) / dvh.volume_cc,
                dvh.volume_cc,
            )
            for name, dvh in of_program.items()
        }
        for name, between in LIMITS.items():
            limit = limit_of(study.bodies[body], DOSES[kind][0], nodes, between)
            found[key][name] = Errors(limit, None, None)
    if grid_mm == PEERS_GRID_MM and not study.draw:
        _peers(study, kind, together, dose_path, found, python)


def _ours(ct: Path, structures: Path, dose: Path) -> Iterator[tuple[str, dict[str, Dvh]]]:
    volume = read_dose(dose).volume
    geometry = read_ct_folder(ct).geometry
    frame = geometry.frame_of_reference_uid
    for roi in read_structure_set(structures, frame_of_reference_uid=frame).rois:
        points = [contour.points_mm for contour in roi.contours]
        yield (
            roi.roi_name,
            {
                name: Dvh.of(
                    sample_contours(volume, points, geometry, ends=ends, between=between).sampled
                )
                for name, (ends, between) in SETTINGS.items()
            },
        )


def _peers(
    study: Study, kind: str, together: Path, dose: Path, found: Found, python: Path | None
) -> None:
    numbers = {int(r.ROINumber): str(r.ROIName) for r in study.structures.StructureSetROISequence}
    answers: dict[str, dict[str, PeerDvh]] = {}
    if python is not None:
        (structures,) = (study.folder / "rs").iterdir()
        answers["dicompyler"] = dicompyler(python, structures, dose, numbers)
    written([*study.ct, study.structures], together)
    answers["plastimatch"] = plastimatch(together)
    for program, dvhs in answers.items():
        for body, peer in dvhs.items():
            truth = study.truths[body, kind]
            key = (body, kind, study.slice_mm, PEERS_GRID_MM, study.draw)
            found[key][program] = Errors.of(
                truth, peer.mean_gy, peer.percent(truth.level_gy), peer.volume_cc
            )


def _beside_peers(found: Found) -> list[str]:
    programs = [*SETTINGS, *PEERS]
    names = "".join(f"{p.replace('rounded ', 'r. ')[:9]:>10}" for p in programs)
    lines = [
        f"Errors on a dose grid of {PEERS_GRID_MM} mm, first draw; {', '.join(SETTINGS)} are ours",
        f"{'':27}{'exact in nodes':16}{'mean %':^60}{'V percentage points':^60}{'volume %':^60}",
        f"{'body':12}{'dose':8}{'slice':7}{'linear':>8}{'cubic':>8}{names}{names}{names}",
    ]
    for key, by_program in found.items():
        body, kind, slice_mm, grid_mm, draw = key
        if grid_mm == PEERS_GRID_MM and not draw:
            cells = [
                _cell(by_program.get(p), figure)
                for figure in ("mean", "percent", "volume")
                for p in programs
            ]
            nodes = "".join(f"{by_program[name].mean:+8.3f}" for name in LIMITS)
            lines.append(f"{body:12}{kind:8}{slice_mm:<7}{nodes}" + "".join(cells))
    return lines


def _cell(errors: Errors | None, figure: str) -> str:
    value = None if errors is None else getattr(errors, figure)
    return f"{'-':>10}" if value is None else f"{value:+10.3f}"


def _over_grids(found: Found) -> list[str]:
    columns = [*LIMITS, *SETTINGS]
    names = "".join(f"{name[:13]:>14}" for name in columns)
    lines = [
        "Largest error of the mean in %, over doses, slices and draws",
        f"{'body':12}{'grid mm':9}{names}",
    ]
    for body, grid_mm in itertools.product(BODIES, GRIDS_MM):
        keys = [key for key in found if (key[0], key[3]) == (body, grid_mm)]
        cells = [max(abs(found[key][name].mean) for key in keys) for name in columns]
        lines.append(f"{body:12}{grid_mm:<9}" + "".join(f"{cell:14.3f}" for cell in cells))
    return lines


if __name__ == "__main__":
    sys.exit(main())
