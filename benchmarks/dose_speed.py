"""The DVH of a heart on 512 x 512 x 189 voxels, beside dicompyler-core and SimpleITK.

    python -m benchmarks.dose_speed

Time and error. All get the same contours and the same dose of 2.5 mm. dicompyler-core computes
from contours as we do; SimpleITK resamples the whole dose onto the CT, linearly, and takes it at
the voxels of a mask, which is made beforehand and not timed. Ours are what `recontour dose` does
unasked (half) and the setting that is nearest to round bodies (rounded). The last line is JSON;
`holds` is of the claim for `rounded`, `default_holds` for what is done unasked.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from app.commissioning.bodies import BODIES, DOSES, Floats, truth_of
from benchmarks.dose.peers import PeerDvh, dicompyler, dicompyler_python
from core.geometry import Mask, VolumeGeometry
from core.rasterise import mask_of_contours
from core.volume import Volume
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.dvh import Dvh
from dose.solid import Ends, sample_contours
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct, written

SLICES, ACROSS, SLICE_MM, PIXEL_MM = 189, 512, 2.0, 0.9766
DOSE_SHAPE, DOSE_MM = (160, 140, 200), 2.5
RUNS = 5
TIMES = {"dicompyler-core": 10.0, "SimpleITK": 20.0}
OURS: tuple[Ends, ...] = ("half", "rounded")  # the first is the default
CLAIMED: Ends = "rounded"
HEART = BODIES["heart"]
# mean in Gy, percent that receives at least the level
Figures = tuple[float, float]


def main() -> int:
    """Measure in turn, print the table and the verdict; 0 when the claim holds."""
    python = dicompyler_python()
    if python is None:
        return _say(["needs dicompyler-core, which could not be installed"], {"holds": None})
    geometry = VolumeGeometry(
        (SLICES, ACROSS, ACROSS),
        (*(-(ACROSS - 1) / 2.0 * PIXEL_MM,) * 2, -(SLICES - 1) / 2.0 * SLICE_MM),
        (SLICE_MM, PIXEL_MM, PIXEL_MM),
        "",
    )
    contours = _contours(geometry)
    mask = mask_of_contours(contours, geometry).mask
    errors: dict[str, list[tuple[float, float]]] = {}
    spent: dict[str, list[float]] = {}
    for kind, (dose, level_gy) in DOSES.items():
        truth = truth_of(HEART, dose, level_gy)
        with tempfile.TemporaryDirectory() as name:
            paths = _files(Path(name), contours, kind)
            for program, (figures, seconds) in _measured(
                paths, geometry, mask, level_gy, python
            ).items():
                errors.setdefault(program, []).append(
                    (100.0 * (figures[0] / truth.mean_gy - 1.0), figures[1] - truth.percent)
                )
                spent.setdefault(program, []).extend(seconds)
    return _say(*_told(errors, spent))


def _measured(
    paths: tuple[Path, Path],
    geometry: VolumeGeometry,
    mask: Mask,
    level_gy: float,
    python: Path,
) -> dict[str, tuple[Figures, list[float]]]:
    """Figures and seconds of every program on one dose."""
    structures, dose_path = paths
    peer: PeerDvh = dicompyler(python, structures, dose_path, {1: "Heart"}, runs=RUNS)["Heart"]
    theirs = (peer.mean_gy, peer.percent(level_gy))
    dose = read_dose(dose_path).volume
    frame = dose.geometry.frame_of_reference_uid
    on = VolumeGeometry(geometry.shape, geometry.origin_mm, geometry.spacing_mm, frame)
    read = _points(structures, frame)

    found = {
        "dicompyler-core": (theirs, list(peer.alone_s)),
        "dicompyler-core, from files": (theirs, list(peer.from_files_s)),
    }
    works: dict[str, Callable[[], Figures]] = {
        "SimpleITK": lambda: _resampled(dose, on, mask, level_gy)
    }
    for ends in OURS:
        works[ends] = partial(_ours, lambda: dose, lambda: read, on, level_gy, ends)
        works[f"{ends}, from files"] = partial(
            _ours,
            lambda: read_dose(dose_path).volume,
            lambda: _points(structures, frame),
            on,
            level_gy,
            ends,
        )
    for name, work in works.items():
        figures, seconds = work(), []
        for _ in range(RUNS):
            start = time.perf_counter()
            figures = work()
            seconds.append(time.perf_counter() - start)
        found[name] = (figures, seconds)
    return found


def _ours(
    dose: Callable[[], Volume],
    contours: Callable[[], list[Floats]],
    geometry: VolumeGeometry,
    level_gy: float,
    ends: Ends,
) -> Figures:
    dvh = Dvh.of(sample_contours(dose(), contours(), geometry, ends=ends).sampled)
    return dvh.mean_gy() or np.nan, 100.0 * dvh.volume_at_dose_cc(level_gy) / dvh.volume_cc


def _resampled(dose: Volume, geometry: VolumeGeometry, mask: Mask, level_gy: float) -> Figures:
    image = sitk.GetImageFromArray(dose.values)
    image.SetSpacing(dose.geometry.spacing_mm[::-1])
    image.SetOrigin(dose.geometry.origin_mm)
    on = sitk.ResampleImageFilter()
    on.SetSize(geometry.shape[::-1])
    on.SetOutputSpacing(geometry.spacing_mm[::-1])
    on.SetOutputOrigin(geometry.origin_mm)
    on.SetInterpolator(sitk.sitkLinear)
    resampled = on.Execute(image)
    gray = sitk.GetArrayViewFromImage(resampled)[mask]
    dvh = Dvh.from_voxels(gray.astype(np.float64), voxel_volumes_cc=geometry.voxel_volumes_cc()[0])
    return dvh.mean_gy() or np.nan, 100.0 * dvh.volume_at_dose_cc(level_gy) / dvh.volume_cc


def _points(structures: Path, frame: str) -> list[Floats]:
    (roi,) = read_structure_set(structures, frame_of_reference_uid=frame).rois
    return [contour.points_mm for contour in roi.contours]


def _contours(geometry: VolumeGeometry) -> list[Floats]:
    heights = geometry.index_to_mm([(k, 0, 0) for k in range(SLICES)])[:, 2]
    found = [HEART.contour(float(z)) for z in heights]
    return [contour for contour in found if contour is not None]


def _files(folder: Path, contours: list[Floats], kind: str) -> tuple[Path, Path]:
    (ct,) = ct_series(shape=(1, 4, 4))
    dose = rtdose(
        DOSES[kind][0], shape=DOSE_SHAPE, spacing_mm=(DOSE_MM,) * 3, centre_mm=(0.4,) * 3, ct=ct
    )
    rois = {"Heart": [(contour, None) for contour in contours]}
    structures, dose_path = written([rtstruct([ct], rois), dose], folder)
    return structures, dose_path


def _told(
    errors: dict[str, list[tuple[float, float]]], spent: dict[str, list[float]]
) -> tuple[list[str], dict[str, Any]]:
    seconds = {name: statistics.median(each) for name, each in spent.items()}
    off = {name: np.abs(each).mean(axis=0) for name, each in errors.items()}
    lines = [
        f"Mean over {len(DOSES)} doses; seconds: median of {RUNS * len(DOSES)} runs",
        f"{'':28}{'seconds':>9}{'|mean| %':>10}{'|V| pp':>9}",
    ]
    lines += [
        f"{name:28}{seconds[name]:9.4f}{off[name][0]:10.4f}{off[name][1]:9.4f}" for name in seconds
    ]
    faster = {
        ends: {peer: round(seconds[peer] / seconds[ends], 1) for peer in TIMES} for ends in OURS
    }
    nearer = {
        ends: all(off[ends][n] <= off[peer][n] for peer, n in itertools.product(TIMES, (0, 1)))
        for ends in OURS
    }
    holds = {
        ends: nearer[ends] and all(faster[ends][peer] >= times for peer, times in TIMES.items())
        for ends in OURS
    }
    return lines, {
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "times_as_fast": faster,
        "nearer_to_the_truth": nearer,
        "setting_holds": holds,
        "claim": f"{CLAIMED} is 10 times as fast as dicompyler-core, 20 times as a full resample, "
        "and nearer",
        "default_holds": holds[OURS[0]],
        "holds": holds[CLAIMED],
    }


def _say(lines: list[str], verdict: dict[str, Any]) -> int:
    sys.stdout.write("\n".join(lines) + f"\n{json.dumps(verdict)}\n")
    return 0 if verdict["holds"] is not False else 1


if __name__ == "__main__":
    sys.exit(main())
