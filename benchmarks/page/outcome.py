"""What came of one benchmark: the last line of JSON that it printed, or why there is none."""

from __future__ import annotations

import ast
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

SAID_OF_A_FAILURE = 6  # lines, the last ones


class Verdict(StrEnum):
    """How a benchmark ended."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    NOT_MEASURED = "not measured"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a benchmark; `figures` by dotted name as it printed them, `said` where it failed.

    `load` is the number of processes that wanted a processor when it began.
    """

    verdict: Verdict
    figures: dict[str, Any]
    said: str
    seconds: float
    load: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A benchmark's name, what it says it measures, when it was begun, and its runs."""

    name: str
    about: str
    date: str
    runs: tuple[Run, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all runs."""
        return max((run.verdict for run in self.runs), key=list(Verdict).index)

    def figures(self) -> dict[str, str]:
        """Each figure; of several runs the median, and what they reach from and to."""
        names = dict.fromkeys(name for run in self.runs for name in run.figures)
        return {
            name: _in_words([run.figures[name] for run in self.runs if name in run.figures])
            for name in names
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "about": self.about,
            "date": self.date,
            "verdict": self.verdict,
            "runs": [asdict(run) for run in self.runs],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Outcome:
        """What `to_json` wrote."""
        runs = (Run(**{**run, "verdict": Verdict(run["verdict"])}) for run in told["runs"])
        return cls(told["name"], told["about"], told["date"], tuple(runs))


def about(path: Path) -> str:
    """The first line of what a benchmark says of itself."""
    try:
        text = ast.get_docstring(ast.parse(path.read_text()))
    except SyntaxError:
        return ""
    return (text or "").partition("\n")[0]


def run(path: Path, log: Path, *, longest_s: float) -> Run:
    """Run the benchmark at `path` as a program, and add what it says to `log`."""
    command = [sys.executable, "-m", f"{path.parent.name}.{path.stem}"]
    load, start = os.getloadavg()[0], time.monotonic()
    with log.open("a") as file:
        # A session of its own: what it started goes with it.
        program = subprocess.Popen(  # noqa: S603 (our own code)
            command,
            cwd=path.parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, errors = program.communicate(timeout=longest_s)
        except subprocess.TimeoutExpired:
            out, errors = _ended(program)
            errors += f"\nIt was ended after {longest_s:g} s."
        except BaseException:
            _ended(program)
            raise
        file.write(out + errors)
    verdict, figures = _judged(out, program.returncode)
    said = ""
    if verdict is Verdict.FAILED:
        lines = [line for line in f"{out}\n{errors}".splitlines() if line.strip()]
        said = "\n".join(lines[-SAID_OF_A_FAILURE:]) or f"Exit code {program.returncode}."
    return Run(verdict, figures, said, round(time.monotonic() - start, 1), round(load, 1))


def _ended(program: subprocess.Popen[str]) -> tuple[str, str]:
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    return program.communicate()


def _judged(out: str, code: int) -> tuple[Verdict, dict[str, Any]]:
    lines = [line for line in out.splitlines() if line.strip()]
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or "holds" not in found:
        return Verdict.FAILED, {}
    figures, holds = dict(_flat(found)), found["holds"]
    if code not in ((0, 1) if holds is False else (0,)):
        return Verdict.FAILED, figures
    if holds is None:
        return Verdict.NOT_MEASURED, figures
    return Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, figures


def _flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        elif before or name != "holds":
            yield before + name, value


def _in_words(values: Sequence[Any]) -> str:
    if len(values) > 1 and all(_is_number(value) for value in values):
        middle = statistics.median(values)
        return f"{_plain(middle)} ({_plain(min(values))} to {_plain(max(values))})"
    return _plain(values[-1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
