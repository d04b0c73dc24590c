"""Run every benchmark, and write one page of what came of it.

    python -m benchmarks.page.run [--out FOLDER] [--only NAME ...] [--times N]

Writes index.html, results.json and what each benchmark said (NAME.txt); the page is there from the
first benchmark on and grows. A benchmark that fails does not stop the others. With --only what the
page says of the others stays, each with its date, if it is of this machine and its programs. Exit
code 2 where one that was run failed, else 1 where one does not hold, else 0; what could not be
measured here does not count.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from app.machine import describe_machine
from benchmarks.page.outcome import Outcome, Verdict, about, run
from benchmarks.page.page import as_page
from core.files import write_json, write_whole

BENCHMARKS = Path(__file__).parents[1]
LONGEST_S = 7200.0


def main(words: Sequence[str] | None = None) -> int:
    """Run them, write the page, print a line for each."""
    wanted = _arguments(words)
    paths = sorted(wanted.folder.resolve().glob("[a-z]*.py"))
    unknown = set(wanted.only) - {path.stem for path in paths}
    if unknown:
        raise SystemExit(f"There is no benchmark {', '.join(sorted(unknown))} in {wanted.folder}.")
    chosen = [path for path in paths if path.stem in wanted.only or not wanted.only]
    wanted.out.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    outcomes = _kept(wanted.out, machine, {path.stem for path in paths if path not in chosen})
    ran: list[Outcome] = []
    for number, path in enumerate(chosen, 1):
        _say(f"{number} of {len(chosen)}: {path.stem} ... ")
        log, date = wanted.out / f"{path.stem}.txt", _now()
        log.unlink(missing_ok=True)
        runs = (run(path, log, longest_s=wanted.longest_s) for _ in range(wanted.times))
        ran.append(Outcome(path.stem, about(path), date, tuple(runs)))
        _say(f"{ran[-1].verdict}\n")
        outcomes[path.stem] = ran[-1]
        shown = [outcomes[name] for name in sorted(outcomes)]
        results = {"machine": machine, "benchmarks": [each.to_json() for each in shown]}
        write_json(wanted.out / "results.json", results)
        write_whole(wanted.out / "index.html", as_page(shown, machine).encode())
    _say(f"The page is {wanted.out / 'index.html'}\n")
    return exit_code(ran)


def _kept(folder: Path, machine: dict[str, str], names: set[str]) -> dict[str, Outcome]:
    """What an earlier run on this machine, with the same programs, said of these benchmarks."""
    try:
        known = json.loads((folder / "results.json").read_text())
    except FileNotFoundError:
        return {}
    if known["machine"] != machine:
        return {}
    found = (Outcome.from_json(each) for each in known["benchmarks"])
    return {each.name: each for each in found if each.name in names}


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """2 where one failed, 1 where one does not hold."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if Verdict.FAILED in verdicts:
        return 2
    return 1 if Verdict.DOES_NOT_HOLD in verdicts else 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page.run")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--times", type=int, default=1, help="runs of each, for the spread")
    parser.add_argument("--longest-s", type=float, default=LONGEST_S, help="then one is ended")
    parser.add_argument("--folder", type=Path, default=BENCHMARKS, help="where benchmarks lie")
    return parser.parse_args(words)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
