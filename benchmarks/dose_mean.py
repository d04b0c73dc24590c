"""Mean dose of every structure of a real Eclipse plan: ours beside `plastimatch dvh`.

    python -m benchmarks.dose_mean [FOLDER]

FOLDER holds rtss.dcm, rtdose.dcm and expected.json; without it, ../shared/data (or RT_TEST_DATA).
Both run as processes of their own, in turn, from the two DICOM files to the figures of all
structures. The last line is JSON.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CASE = "eclipse-breast-dicompyler"
RUNS = 5
BIN_GY = 0.01
BINS = 3000
# A structure of a few slices says more about end caps than about dose.
SMALLEST_CC = 10.0
AGREE_WITHIN = 0.01
OURS = """
import json, sys
from pathlib import Path
from app.offline import dose_command
files = Path(sys.argv[1]), Path(sys.argv[2])
print(json.dumps(dose_command(*files, None, ends="whole")))  # as plastimatch counts slices
"""


def main() -> int:
    """Run both in turn, print the table and the verdict; 0 when the claim holds."""
    case = Path(sys.argv[1]) if len(sys.argv) > 1 else _shared() / CASE
    if shutil.which("plastimatch") is None or not case.is_dir():
        return _say(f"needs plastimatch and {case}", {"holds": None})
    eclipse_gy = json.loads((case / "expected.json").read_text())["eclipse_mean_gy"]
    ours_s, theirs_s = [], []
    rows: list[dict[str, Any]] = []
    theirs_gy: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("rtss.dcm", "rtdose.dcm"):
            shutil.copyfile(case / file, folder / file)
        for _ in range(RUNS):
            theirs_s.append(_timed(lambda: theirs_gy.update(_plastimatch(folder))))
            ours_s.append(_timed(lambda: rows.extend(_ours(folder))))
    ours = {row["roi_name"]: row for row in rows}
    lines = [f"{'':16}{'volume cc':>10}{'ours Gy':>10}{'plastimatch':>12}{'Eclipse':>10}"]
    differences: dict[str, float] = {}
    for roi_name, peer_gy in theirs_gy.items():
        mean_gy = ours[roi_name]["mean_gy"]
        lines.append(
            f"{roi_name:16}{ours[roi_name]['volume_cc']:10.1f}{mean_gy:10.4f}{peer_gy:12.4f}"
            f"{eclipse_gy.get(roi_name, float('nan')):10.4f}"
        )
        if ours[roi_name]["volume_cc"] >= SMALLEST_CC:
            differences[roi_name] = mean_gy / peer_gy - 1.0
    worst = max(differences.values(), key=abs)
    ratio = statistics.median(ours_s) / statistics.median(theirs_s)
    verdict = {
        "ours_s": statistics.median(ours_s),
        "plastimatch_s": statistics.median(theirs_s),
        "times_the_time": {"plastimatch": ratio},
        "worst_relative_difference": worst,
        "heart_relative_difference": differences["Heart"],
        "heart_against_eclipse": ours["Heart"]["mean_gy"] / eclipse_gy["Heart"] - 1.0,
        "claim": f"means within {AGREE_WITHIN:.0%} of plastimatch from {SMALLEST_CC:.0f} cc up",
        "holds": abs(worst) <= AGREE_WITHIN,
    }
    return _say("\n".join(lines), verdict)


def _ours(folder: Path) -> list[dict[str, Any]]:
    answer = _run([sys.executable, "-c", OURS, folder / "rtss.dcm", folder / "rtdose.dcm"])
    return list(json.loads(answer))


def _plastimatch(folder: Path) -> dict[str, float]:
    """Mean dose in Gy by structure, from plastimatch's differential histogram."""
    table = folder / "dvh.csv"
    options = ["--differential", "--bin-width", str(BIN_GY), "--num-bins", str(BINS)]
    _run(["plastimatch", "dvh", "--input", folder, "--output-csv", table, *options])
    with table.open(newline="") as file:
        names, *bins = csv.reader(file)
    # Out of the folder again: plastimatch reads whatever lies there.
    table.unlink()
    means = {}
    for column, roi_name in enumerate(names[1:], start=1):
        parts = [(float(b[0]), float(b[column])) for b in bins]
        whole = sum(part for _, part in parts)
        if whole:
            means[roi_name] = sum(dose * part for dose, part in parts) / whole
    return means


def _run(command: list[str | Path]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _shared() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("RT_TEST_DATA", beside))


def _say(text: str, verdict: dict[str, Any]) -> int:
    sys.stdout.write(f"{text}\n{json.dumps(verdict)}\n")
    return 0 if verdict["holds"] is not False else 1


if __name__ == "__main__":
    sys.exit(main())
