"""A heart on 512 x 512 x 189 voxels to RTSTRUCT and back: ours beside rt-utils.

    python -m benchmarks.rtstruct

Both start from the CT in memory and end with the mask in memory; the file lies on disk between.
Reading the CT's images is left out on both sides, as is rt-utils' check of the references. In
turn, in one process; the last line is JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from rt_utils import RTStruct
from rt_utils.ds_helper import create_rtstruct_dataset

from core.geometry import Mask, VolumeGeometry
from core.rasterise import mask_of_contours
from core.volume import CtVolume, SeriesIdentity, SliceReference, Volume
from dicom_node.objects.rtstruct_reader import read_structure_set
from dicom_node.objects.rtstruct_writer import WrittenRoi, write_structure_set

SHAPE = (189, 512, 512)
SPACING_MM = (2.0, 0.9766, 0.9766)
ORIGIN_MM = (-250.0, -250.0, -189.0)
RUNS = 7
AT_LEAST = 3.0
FRAME, STUDY, SERIES = "2.25.1", "2.25.2", "2.25.3"


def main() -> int:
    """Run both in turn, print the table and the verdict; 0 when the claim holds."""
    truth = _heart()
    ct, images = _ct()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name) / "ours.dcm", Path(name) / "theirs.dcm"
        steps: dict[str, Callable[[], Any]] = {
            "ours_write_s": lambda: _write(ours, ct, truth),
            "rt_utils_write_s": lambda: _write_by_rt_utils(theirs, images, truth),
            "ours_read_s": lambda: _read(ours, ct.geometry),
            "rt_utils_read_s": lambda: _read_by_rt_utils(theirs, images),
        }
        for _ in range(RUNS):
            for step, work in steps.items():
                seconds.setdefault(step, []).append(_timed(work))
        masks = {
            "ours": _read(ours, ct.geometry),
            "rt_utils": _read_by_rt_utils(theirs, images),
            # The same contours by our reader: its own reader paints the rim that its writer loses.
            "rt_utils_written": _read(theirs, ct.geometry),
        }
        sizes = {"ours_bytes": ours.stat().st_size, "rt_utils_bytes": theirs.stat().st_size}
    medians = {step: statistics.median(values) for step, values in seconds.items()}
    return _say(medians, _agreement(masks, truth) | sizes)


def _heart() -> Mask:
    """Two ellipsoids that overlap, about 700 cc."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    z, y, x = z * SPACING_MM[0], y * SPACING_MM[1], x * SPACING_MM[2]
    ventricles = ((x - 275 + 0.4 * (z - 180)) / 50) ** 2 + ((y - 240) / 45) ** 2
    atria = ((x - 245) / 42) ** 2 + ((y - 260) / 38) ** 2
    heart = (ventricles + ((z - 170) / 55) ** 2 <= 1) | (atria + ((z - 215) / 40) ** 2 <= 1)
    return np.asarray(heart, np.bool_)


def _ct() -> tuple[CtVolume, list[Dataset]]:
    """The series as our reader gives it and as rt-utils holds it; pixels are not looked at."""
    geometry = VolumeGeometry(SHAPE, ORIGIN_MM, SPACING_MM, FRAME)
    images = [_image(geometry, k) for k in range(SHAPE[0])]
    ct = CtVolume(
        Volume(np.zeros(SHAPE, np.int16), geometry),
        tuple(SliceReference(str(ds.SOPInstanceUID), CTImageStorage) for ds in images),
        SeriesIdentity(STUDY, SERIES),
    )
    return ct, images


def _image(geometry: VolumeGeometry, k: int) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"2.25.4{k:03d}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, SERIES, FRAME
    ds.PatientName = ds.PatientID = ds.PatientBirthDate = ds.PatientSex = ""
    ds.StudyDate = ds.StudyTime = ds.StudyID = ""
    ds.Rows, ds.Columns = SHAPE[1:]
    ds.PixelSpacing = list(SPACING_MM[1:])
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [round(float(mm), 4) for mm in geometry.index_to_mm((k, 0, 0))]
    return ds


def _write(path: Path, ct: CtVolume, mask: Mask) -> None:
    content = write_structure_set(
        ct,
        [WrittenRoi("Heart", mask, "ORGAN", (255, 0, 0))],
        sop_instance_uid="2.25.5",
        series_instance_uid="2.25.6",
        label="Benchmark",
        made_at=datetime(2026, 1, 5, tzinfo=UTC),
        approval=None,
        software_versions=("benchmark",),
        series_description="Benchmark",
    )
    path.write_bytes(content)


def _write_by_rt_utils(path: Path, images: list[Dataset], mask: Mask) -> None:
    structures = RTStruct(images, create_rtstruct_dataset(images))
    structures.add_roi(mask.transpose(1, 2, 0), name="Heart", color=[255, 0, 0])
    with contextlib.redirect_stdout(io.StringIO()):
        structures.save(str(path))


def _read(path: Path, geometry: VolumeGeometry) -> Mask:
    heart = read_structure_set(path).roi_named("Heart")
    assert heart is not None
    return mask_of_contours([c.points_mm for c in heart.contours], geometry).mask


def _read_by_rt_utils(path: Path, images: list[Dataset]) -> Mask:
    mask = RTStruct(images, dcmread(path)).get_roi_mask_by_name("Heart")
    return np.asarray(mask.transpose(2, 0, 1), np.bool_)


def _agreement(masks: dict[str, Mask], truth: Mask) -> dict[str, float]:
    """Dice and relative volume error of each mask against the one that was written."""
    found: dict[str, float] = {}
    for name, mask in masks.items():
        voxels, wanted = int(mask.sum()), int(truth.sum())
        found[f"{name}_dice"] = 2 * int((mask & truth).sum()) / (voxels + wanted)
        found[f"{name}_volume_error"] = voxels / wanted - 1.0
    return found


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _say(medians: dict[str, float], agreement: dict[str, float]) -> int:
    ours = (medians["ours_write_s"], medians["ours_read_s"])
    theirs = (medians["rt_utils_write_s"], medians["rt_utils_read_s"])
    write, read, both = theirs[0] / ours[0], theirs[1] / ours[1], sum(theirs) / sum(ours)
    lines = [f"{'':10}{'ours s':>10}{'rt-utils s':>12}{'ratio':>8}"]
    for step, a, b in (("write", ours[0], theirs[0]), ("read", ours[1], theirs[1])):
        lines.append(f"{step:10}{a:10.4f}{b:12.4f}{b / a:8.1f}")
    verdict = {
        **medians,
        "times_as_fast": {"writing": write, "reading": read, "both": both},
        **agreement,
        "claim": f"written and read at least {AT_LEAST:g} times as fast as rt-utils, and exact",
        "holds": min(write, read, both) >= AT_LEAST and agreement["ours_dice"] == 1.0,
    }
    table = "\n".join(lines)
    sys.stdout.write(f"{table}\n{json.dumps(verdict)}\n")
    return 0 if verdict["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
