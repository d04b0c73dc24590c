"""Tells once what is wrong, for a supervisor whose worker cannot: no queue, no model."""

from __future__ import annotations

from app.process import config_path, die_with_parent, start_logging

if __name__ == "__main__":
    die_with_parent()

from app.alerting.channels import channels_of
from app.alerting.watch import Watch, tell_notice
from app.opening import opened_or_ended
from app.room import Room
from core.config import load_settings


def main() -> None:
    """Look, tell what is due, and end."""
    start_logging("alarm")
    settings = load_settings(config_path())
    if not channels_of(settings):
        return
    room = Room(settings, opened_or_ended(settings))
    watch = Watch(room)
    watch.look()
    for notice in watch.due():
        tell_notice(room, notice.id)


if __name__ == "__main__":
    main()
