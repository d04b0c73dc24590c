"""The worker process: assembles, predicts, measures dose, delivers."""

from __future__ import annotations

from app.process import config_path, die_with_parent, give_way, start_logging, stop_on_signal

if __name__ == "__main__":
    die_with_parent()

from app.jobs import Jobs
from app.opening import opened_or_ended
from app.room import Room
from app.workflows import Story
from core.config import load_settings
from core.files import sweep_temporary
from model.predict import Predictor


def main() -> None:
    """Work until asked to stop; what is unfinished goes on at the next start."""
    start_logging("worker")
    give_way(10)
    stop = stop_on_signal()
    settings = load_settings(config_path())
    room = Room(settings, opened_or_ended(settings))
    sweep_temporary(settings.data_folder / "cases")
    jobs = Jobs(settings)
    story = Story(room, Predictor(settings.model), jobs)
    jobs.launch()
    jobs.keep_going(story.reconcile, stop)
    jobs.shut_down()


if __name__ == "__main__":
    main()
