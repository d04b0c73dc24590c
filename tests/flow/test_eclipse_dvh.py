"""Real Eclipse doses and contours, written as DICOM, against the DVH that Eclipse computed."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from pydicom import Dataset

from app.offline import dose_command
from tests.support.planar_contours import planar_contours
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import ct_series, decimals, rtdose, rtstruct, written

# The file of each structure's contours, by its name in Eclipse's table.
PLANS = {
    "EclipseProstate": {
        "Bladder": 1,
        "FemoralHeadLt": 2,
        "FemoralHeadRT": 3,
        "PTV": 4,
        "Rectum": 5,
    },
    "EclipseEnt": {
        "BRAIN": 1,
        "BRSTEM": 2,
        "CTV": 3,
        "GTV": 5,
        "OpticNerveRt": 9,
        "OpticNerveLt": 10,
        "OrbitLeft": 11,
        "OrbitRight": 12,
        "PTV1": 13,
        "optBRAIN": 14,
        "optOptic": 15,
    },
}
# Eclipse writes two digits of small volumes, and its steps are 0.05 Gy.
DOSES_GY = [round(0.5 + 0.75 * n, 2) for n in range(88)]

Curve = tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Volume in cc; dose in Gy; percent of the volume that receives at least so much."""


def _table(path: Path) -> dict[str, Curve]:
    """The cumulative DVH of each structure, by its name without blanks."""
    with path.open() as file:
        header, *rows = csv.reader(file)
    found = {}
    for column in range(0, len(header) - 1, 2):
        name = re.sub(r"_DvhArray.*| Dose \(G[yY]\)|[ -]", "", header[column])
        volume_cc = float(header[column + 1].split("% of ")[1].split(" cc")[0])
        pairs = [(float(r[column]), float(r[column + 1])) for r in rows if r[column].strip()]
        dose_gy, percent = np.array(pairs).T
        found[name] = (volume_cc, dose_gy, percent)
    return found


def _mean_gy(curve: Curve) -> float:
    return float(np.trapezoid(curve[2] / 100, curve[1]))


def _percent(curve: Curve) -> npt.NDArray[np.float64]:
    return np.asarray(np.interp(DOSES_GY, curve[1], curve[2], right=0.0))


def _dose_of(path: Path, ct: Dataset) -> Dataset:
    """The NRRD dose as a 32 bit RT Dose."""
    image = sitk.ReadImage(str(path))
    gray = sitk.GetArrayFromImage(image).astype(np.float64)
    spacing = image.GetSpacing()[::-1]  # type: ignore[no-untyped-call]
    ds = rtdose(
        lambda x, y, z: 0.0 * (x + y + z),
        ct=ct,
        shape=gray.shape,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
    )
    ds.ImagePositionPatient = decimals(image.GetOrigin())  # type: ignore[no-untyped-call]
    scaling = f"{gray.max() / (2**32 - 2):.10g}"
    ds.DoseGridScaling = scaling
    ds.PixelData = np.rint(gray / float(scaling)).astype("<u4").tobytes()
    return ds


@pytest.mark.parametrize("plan", PLANS)
def test_dvhs_are_those_of_eclipse_and_nearer_than_those_of_cerr_and_slicerrt(
    plan: str, tmp_path: Path
) -> None:
    data = shared_data("dvh-slicerrt-eclipse")
    eclipse = _table(data / f"{plan}_DvhTable_Eclipse.csv")
    peers = {
        name: _table(path)
        for name in ("CERR", "SlicerRT")
        if (path := data / f"{plan}_DvhTable_{name}.csv").exists()
    }
    assert len(peers) == (2 if plan == "EclipseProstate" else 1)
    ct = ct_series()
    folder = data / f"{plan}_Structures.seg"
    rois = {
        name: [(line, None) for line in planar_contours(folder / f"{folder.name}_{number}.vtp")]
        for name, number in PLANS[plan].items()
    }
    dose = _dose_of(data / f"{plan}_Dose.nrrd", ct[0])
    rtstruct_path, rtdose_path = written([rtstruct(ct, rois), dose], tmp_path)
    asked = [f"V{gy}Gy" for gy in DOSES_GY]
    rows = dose_command(rtstruct_path, rtdose_path, None, metrics=asked)
    by_name = {row["roi_name"]: row for row in rows}
    apart: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    for name in PLANS[plan]:
        volume_cc, row = eclipse[name][0], by_name[name]
        mean_gy = _mean_gy(eclipse[name])
        away = np.abs([row[f"{v} (%)"] for v in asked] - _percent(eclipse[name]))
        print(
            f"{name}: {row['volume_cc']:.2f} cc, Eclipse {volume_cc}; {row['mean_gy']:.3f} Gy, "
            f"Eclipse {mean_gy:.3f} ({100 * (row['mean_gy'] / mean_gy - 1):+.2f} %); "
            f"DVH at most {away.max():.2f} percentage points away"
        )
        # Contours end the solid for us; Eclipse has a little more beyond them.
        assert -max(0.75, 0.015 * volume_cc) <= row["volume_cc"] - volume_cc <= 0
        assert row["mean_gy"] == pytest.approx(mean_gy, rel=0.01)
        assert away.max() <= 2.0
        assert row["coverage"] == pytest.approx(1.0)
        apart["ours"].append(float(away.mean()))
        for peer, table in peers.items():
            apart[peer].append(
                float(np.abs(_percent(table[name]) - _percent(eclipse[name])).mean())
            )
    means = {name: float(np.mean(found)) for name, found in apart.items()}
    print(f"mean distance of the DVH from Eclipse's in percentage points: {means}")
    assert means["ours"] <= min(means[peer] for peer in peers)
