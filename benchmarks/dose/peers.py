"""dicompyler-core and plastimatch on a folder of DICOM files, each as a process of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.commissioning.bodies import Floats

# It does not import with the pydicom we use, nor with numpy 2; it has an environment of its own.
DICOMPYLER = ("dicompyler-core==0.5.6", "pydicom<3", "numpy<2")
BIN_GY = 0.01
BINS = 7000
_DICOMPYLER_PROGRAM = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from dicompylercore import dvhcalc
from dicompylercore.dicomparser import DicomParser
answer = {}
for number, name in json.loads(sys.argv[3]).items():
    spent = []
    for _ in range(int(sys.argv[4])):
        start = time.perf_counter()
        found = dvhcalc.get_dvh(sys.argv[1], sys.argv[2], int(number))
        spent.append(time.perf_counter() - start)
    structures, dose = DicomParser(sys.argv[1]), DicomParser(sys.argv[2])
    structure = structures.GetStructures()[int(number)]
    structure["planes"] = structures.GetStructureCoordinates(int(number))
    structure["thickness"] = structures.CalculatePlaneThickness(structure["planes"])
    dose.ds.pixel_array
    alone = []
    for _ in range(int(sys.argv[4])):
        start = time.perf_counter()
        dvhcalc._calculate_dvh(structure, dose)
        alone.append(time.perf_counter() - start)
    answer[name] = [found.bins.tolist(), found.counts.tolist(), spent, alone]
print(json.dumps(answer))
"""


@dataclass(frozen=True, slots=True)
class PeerDvh:
    """Dose in Gy, and how much of the structure receives at least that; `volume_cc` if told.

    Where the peer tells: seconds from the files to the curve, of each run, and of the computation
    alone.
    """

    dose_gy: Floats
    part: Floats
    volume_cc: float | None
    from_files_s: tuple[float, ...] = ()
    alone_s: tuple[float, ...] = ()

    @property
    def mean_gy(self) -> float:
        """The area below the curve."""
        return float(np.trapezoid(self.part, self.dose_gy))

    def percent(self, level_gy: float) -> float:
        """Percent that receives at least `level_gy`."""
        return 100.0 * float(np.interp(level_gy, self.dose_gy, self.part, right=0.0))


def dicompyler_python() -> Path | None:
    """The Python that has dicompyler-core, made where it is missing; None where it cannot be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "recontour-benchmarks" / "dicompyler"
    python = folder / "bin" / "python"
    try:
        if not python.exists() or not _runs(python):
            _run([sys.executable, "-m", "venv", "--clear", folder])
            _run([python, "-m", "pip", "install", "-q", *DICOMPYLER])
    except subprocess.CalledProcessError:
        return None
    return python if _runs(python) else None


def dicompyler(
    python: Path, rtstruct: Path, rtdose: Path, rois: dict[int, str], *, runs: int = 1
) -> dict[str, PeerDvh]:
    """dicompyler-core's DVH, as shipped, of the ROIs with these numbers."""
    program: list[str | Path] = [
        python,
        "-c",
        _DICOMPYLER_PROGRAM,
        rtstruct,
        rtdose,
        json.dumps(rois),
        str(runs),
    ]
    found = {}
    for name, (bins, counts, spent, alone) in json.loads(_run(program)).items():
        at_least = np.append(np.asarray(counts), 0.0)[: len(bins)]
        found[name] = PeerDvh(
            np.asarray(bins), at_least / counts[0], float(counts[0]), tuple(spent), tuple(alone)
        )
    return found


def plastimatch(folder: Path) -> dict[str, PeerDvh]:
    """The DVH of plastimatch of every ROI in a folder of CT, RTSTRUCT and RTDOSE; {} without it."""
    if shutil.which("plastimatch") is None:
        return {}
    table = folder.with_suffix(".csv")
    options = ["--differential", "--bin-width", str(BIN_GY), "--num-bins", str(BINS)]
    _run(["plastimatch", "dvh", "--input", folder, "--output-csv", table, *options])
    with table.open(newline="") as file:
        names, *rows = csv.reader(file)
    columns = np.array([[float(value) for value in row[: len(names)]] for row in rows]).T
    found = {}
    for name, column in zip(names[1:], columns[1:], strict=True):
        at_least = np.append(np.cumsum(column[::-1])[::-1], 0.0) / column.sum()
        # A bin is named by its lower end.
        found[name] = PeerDvh(np.append(columns[0], columns[0][-1] + BIN_GY), at_least, None)
    return found


def _runs(python: Path) -> bool:
    command: list[str | Path] = [python, "-c", "import dicompylercore.dvhcalc"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


def _run(command: list[str | Path]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
