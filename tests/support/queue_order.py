"""A worker's queue with one place, run as a program: prints what ran, in order."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from dbos import DBOS

from app.jobs import Jobs
from tests.support.settings import settings_for

PRIORITIES = {"low": 3, "normal": 2, "urgent": 1}


def main(folder: Path) -> None:
    """Queue a job that holds the place, then one of each priority, the least urgent first."""
    settings = settings_for(folder)
    settings.data_folder.mkdir(parents=True)
    jobs = Jobs(settings)
    queued, ran, done = threading.Event(), list[str](), threading.Event()

    @DBOS.workflow(name="note")
    def note(name: str) -> None:
        if name == "first":
            queued.wait(30)
        ran.append(name)
        if len(ran) == 1 + len(PRIORITIES):
            done.set()

    jobs.launch()
    jobs.ensure(note, "first", "first", queue="predict")
    for name, priority in PRIORITIES.items():
        jobs.ensure(note, name, name, queue="predict", priority=priority)
    queued.set()
    done.wait(30)
    jobs.shut_down()
    sys.stdout.write(" ".join(ran) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
