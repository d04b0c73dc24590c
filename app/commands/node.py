"""Commands that run the node and look after it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()
user = typer.Typer(no_args_is_help=True, help="Accounts of the review page.")
commands.add_typer(user, name="user")


@commands.command()
def run(config: ConfigOption = CONFIG) -> None:
    """Start the node: DICOM, worker, trainer and review page; ends with Ctrl+C."""
    from app.process import start_logging, stop_on_signal  # noqa: PLC0415 (commands load what they use)
    from app.supervisor import Supervisor  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    start_logging("supervisor")
    stop = stop_on_signal()
    open_store(load_settings(config))  # a wrong configuration ends here, with its sentence
    Supervisor(config.resolve(), stop).run()


@commands.command()
def demo(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Go round the loop once, verify it, and exit.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path(
        "demo-data"
    ),
    config: ConfigOption = CONFIG,
) -> None:
    """A node and a synthetic clinic on this machine: three patients, the review page, the loop."""
    from app.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(config, folder, check=check))


@user.command("add")
def add_user(
    username: str,
    *,
    role: Annotated[str, typer.Option(help="physician, physicist, viewer or admin")] = "physician",
    config: ConfigOption = CONFIG,
) -> None:
    """Create an account; the password is asked for (or read from standard input)."""
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415
    from review_ui import create_app  # noqa: PLC0415
    from review_ui.accounts import create_user  # noqa: PLC0415

    settings = load_settings(config)
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    create_user(create_app(settings, open_store(settings)), username, password, role)
    typer.echo(f"Account {username} ({role}) is ready.")


@commands.command()
def retry(config: ConfigOption = CONFIG) -> None:
    """Try again what has failed: cases not assembled, deliveries held or not committed."""
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    store, now = open_store(load_settings(config)), datetime.now(UTC)
    cases, deliveries = store.cases.retry_failed(now=now), store.deliveries.release_held(now=now)
    refused = store.asked.release_refused(now=now)
    typer.echo(
        f"{cases} failed cases, {deliveries} held deliveries and {refused} that were not committed "
        "are tried again."
    )
