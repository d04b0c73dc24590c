"""The command line of the node and of its parts; the commands themselves are in app/commands/."""

from __future__ import annotations

import os

import typer

from app.commands import (
    auditing,
    cohort,
    commissioning,
    evaluation,
    keeping,
    keys,
    labels,
    models,
    node,
    offline,
    peers,
    quarantine,
    registry,
    rules,
    upkeep,
)
from core.errors import RecontourError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A radiotherapy DICOM node that contours and learns. Not a medical device.",
)
for group in (
    keys,
    node,
    rules,
    peers,
    models,
    registry,
    labels,
    evaluation,
    cohort,
    quarantine,
    upkeep,
    commissioning,
    keeping,
    auditing,
    offline,
):
    app.add_typer(group.commands)

PRIVATE = 0o077  # what the node writes is for its own account only


def main() -> None:
    """Entry point; an error of ours is one sentence, not a traceback."""
    os.umask(PRIVATE)
    try:
        app()
    except RecontourError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
    except OSError as error:
        typer.echo(f"{error.filename or 'A file'}: {error.strerror}.", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
