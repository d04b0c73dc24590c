"""A run that was killed goes on at the same patient and ends where it would have ended."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.stream.run import OURS, PUBLISHED, Run, read_log
from core.files import write_json
from tests.support.settings import REPOSITORY

STEPS_COST = {"ours": 0.04, "published-ours": 0.1}


def start(folder: Path, run: Run) -> "subprocess.Popen[str]":
    words = ["--size", "tiny", "--out", str(folder), "--only", f"{run.recipe}:{run.seed}"]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.learning", *words],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def without_times(log: dict[str, Any]) -> dict[str, Any]:
    patients = [{k: v for k, v in p.items() if k != "cpu_s"} for p in log["patients"]]
    looks = {k: {f: v for f, v in look.items() if f != "cpu_s"} for k, look in log["looks"].items()}
    return {"patients": patients, "looks": looks}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [OURS, PUBLISHED])
def test_a_killed_run_ends_with_the_same_figures(tmp_path, recipe):
    run = Run(recipe, 0)
    for name in ("through", "killed"):
        (tmp_path / name / "calibration").mkdir(parents=True)
        for key, cost in STEPS_COST.items():
            path = tmp_path / name / "calibration" / f"{key}.json"
            write_json(path, {"seconds_a_step": cost})
    through = start(tmp_path / "through", run)
    assert through.communicate(timeout=900)[0].strip().endswith("}")
    assert through.returncode == 0
    killed = start(tmp_path / "killed", run)
    assert killed.stdout is not None
    with killed.stdout as lines:
        assert "patient 1 of 3" in lines.readline()
        killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(read_log(tmp_path / "killed", run)["patients"]) in (1, 2)
    again = start(tmp_path / "killed", run)
    said = again.communicate(timeout=900)[0]
    assert "patient 1 of 3" not in said
    assert "patient 3 of 3" in said
    expected = without_times(read_log(tmp_path / "through", run))
    assert len(expected["patients"]) == 3
    assert without_times(read_log(tmp_path / "killed", run)) == expected
