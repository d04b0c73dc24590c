"""`make bench`: every benchmark runs, whatever becomes of the others, and the page says how."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.clinic import wait_for
from benchmarks.page.outcome import about
from tests.support.settings import REPOSITORY

PROGRAMS = {
    "a_fast": '"""Faster than others."""\nimport json\nprint("a table")\n'
    'print(json.dumps({"times_as_fast": {"peer": 3.5}, "peer": {"seconds": 2.0},'
    ' "spread_ms": [1, 2], "duration_s": 9.25,'
    ' "holds": True}))',
    "b_broken": '"""Breaks."""\nraise RuntimeError("no <peer> is here")',
    "c_slow": '"""Too slow."""\nimport json, sys\n'
    'print(json.dumps({"times_the_time": {"peer": 0.4}, "holds": False}))\nsys.exit(1)',
    "d_absent": '"""Needs more."""\nimport json\nprint(json.dumps({"needs": "X", "holds": None}))',
    "e_mute": '"""Says nothing."""',
    "f_killed": '"""Killed."""\nimport json, os, signal\n'
    'print(json.dumps({"needs": "X", "holds": None}), flush=True)\n'
    "os.kill(os.getpid(), signal.SIGKILL)",
    "_helper": 'raise SystemExit("never to be run")',
}


class Page(HTMLParser):
    """Verdicts by benchmark in the summary, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.verdicts: dict[str, str] = {}
        self.text = ""
        self._row = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._row = values.get("data-benchmark") or self._row
        if values.get("data-verdict"):
            self.verdicts[self._row] = str(values["data-verdict"])

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def bench(folder: Path, *options: str) -> tuple[int, str, Page, dict[str, Any]]:
    words = ["--folder", str(folder / "trials"), "--out", str(folder / "out"), *options]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.page.run", *words],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    page = Page((folder / "out" / "index.html").read_text())
    return done.returncode, done.stdout, page, json.loads((folder / "out/results.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trials").mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "trials" / f"{name}.py").write_text(text)
    return tmp_path


def test_one_that_breaks_or_hangs_is_shown_and_the_others_go_on(folder: Path) -> None:
    code, said, page, results = bench(folder)
    expected = {
        "a_fast": "holds",
        "b_broken": "failed",
        "c_slow": "does not hold",
        "d_absent": "not measured",
        "e_mute": "failed",
        "f_killed": "failed",
    }
    assert (code, page.verdicts) == (2, expected)
    assert {each["name"]: each["verdict"] for each in results["benchmarks"]} == expected
    assert "no <peer> is here" in page.text
    assert re.search(r"times as fast, peer: 3\.5 .*times the time, peer: 0\.4", page.text)
    assert page.text.count("duration s") == 1  # among the figures, no ratio
    assert "peer, seconds 2" in page.text
    assert "spread ms [1, 2]" in page.text
    assert "Faster than others." in page.text
    assert all(told in page.text for told in results["machine"].values())
    assert all(each["date"] in page.text for each in results["benchmarks"])
    assert set(results["machine"]) == {"processor", "cores", "memory", "system", "versions"}
    assert (folder / "out" / "a_fast.txt").read_text().startswith("a table")
    assert "5 of 6: e_mute ... failed" in said


def test_one_that_never_ends_is_ended_with_what_it_started(folder: Path) -> None:
    (folder / "trials" / "g_hangs.py").write_text(
        "import subprocess, pathlib, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('child.txt').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    code, _, page, _ = bench(folder, "--only", "g_hangs", "--longest-s", "8")
    assert (code, page.verdicts) == (2, {"g_hangs": "failed"})
    assert "It was ended after 8 s." in page.text
    child = Path("/proc") / (folder / "child.txt").read_text()
    wait_for(lambda: _state_of(child) == "Z", timeout_s=60, what="the end of what it started")


def _state_of(process: Path) -> str:
    """Z: a zombie, or gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_what_was_not_measured_is_no_failure_and_what_does_not_hold_is(folder: Path) -> None:
    assert bench(folder, "--only", "a_fast", "d_absent")[0] == 0
    assert bench(folder, "--only", "a_fast", "c_slow")[0] == 1


def test_what_is_not_run_again_stays_with_its_date_on_the_same_machine_alone(folder: Path) -> None:
    first = bench(folder, "--only", "c_slow")[3]["benchmarks"]
    code, _, page, results = bench(folder, "--only", "a_fast")
    assert (code, page.verdicts) == (0, {"a_fast": "holds", "c_slow": "does not hold"})
    assert results["benchmarks"][1:] == first
    (folder / "trials" / "c_slow.py").unlink()
    assert bench(folder, "--only", "a_fast")[2].verdicts == {"a_fast": "holds"}
    results["machine"]["cores"] = "1000"
    (folder / "out" / "results.json").write_text(json.dumps(results))
    assert bench(folder, "--only", "d_absent")[2].verdicts == {"d_absent": "not measured"}


def test_several_runs_are_shown_with_what_they_reach_from_and_to(folder: Path) -> None:
    (folder / "trials" / "h_varies.py").write_text(
        "import json, pathlib\n"
        "log = pathlib.Path('count.txt')\n"
        "n = len(log.read_text()) if log.exists() else 0\n"
        "log.write_text('x' * (n + 1))\n"
        "print(json.dumps({'ratio': [4.0, 1.0, 2.0][n], 'holds': n != 1}))\n"
    )
    code, _, page, _ = bench(folder, "--only", "h_varies", "--times", "3")
    assert code == 1
    assert "2 (1 to 4)" in page.text
    assert page.verdicts == {"h_varies": "does not hold"}


def test_every_benchmark_says_in_its_first_line_what_it_measures() -> None:
    for path in (REPOSITORY / "benchmarks").glob("[a-z]*.py"):
        assert len(about(path)) > 20, path.name
