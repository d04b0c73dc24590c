"""Commands that run the node and look after it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.options import CONFIG, ConfigOption


class Role(StrEnum):
    """A process of the node."""

    NODE = "node"
    WORKER = "worker"
    TRAINER = "trainer"
    REVIEW = "review"


commands = typer.Typer()
user = typer.Typer(no_args_is_help=True, help="Accounts of the review page.")
commands.add_typer(user, name="user")


@commands.command()
def run(
    *,
    only: Annotated[
        list[Role] | None, typer.Option(help="Start this alone; may be given several times.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Start the node: DICOM, worker, trainer and review page; ends with Ctrl+C."""
    from app.opening import look_at  # noqa: PLC0415 (commands load what they use)
    from app.page_certificate import PageCertificate  # noqa: PLC0415
    from app.process import (  # noqa: PLC0415
        die_with_parent,
        start_logging,
        stop_on_signal,
    )
    from app.supervisor import ROLES, Supervisor  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    die_with_parent()
    start_logging("supervisor")
    stop = stop_on_signal()
    settings, roles = load_settings(config), only or ROLES
    look_at(settings)  # a wrong configuration ends here, with its sentence
    if settings.review.tls.certificate and "review" in roles:
        PageCertificate(settings.review.tls)
    Supervisor(config.resolve(), stop, roles).run()


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
    one_time: Annotated[
        bool, typer.Option("--one-time", help="Print a password that must be changed at first.")
    ] = False,
    group: Annotated[
        list[str] | None, typer.Option(help="Sees the cases of this group; may be given often.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Create an account; the password is asked for (or read from standard input)."""
    from review_ui.accounts import (  # noqa: PLC0415
        create_user,
        one_time_password,
        require_groups,
        set_groups,
    )

    page = _review_page(config)
    require_groups(page, group or ())
    password = one_time_password() if one_time else _asked_password()
    create_user(page, username, password, role, one_time=one_time, welcomed=False)
    if group:
        set_groups(page, username, group)
    typer.echo(f"Account {username} ({role}) is ready.")
    if one_time:
        typer.echo(f"One-time password: {password}")


@user.command("groups")
def change_groups(
    username: str,
    *,
    group: Annotated[
        list[str] | None, typer.Option(help="A group; may be given often. None: leave them all.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Say of which groups an account sees the cases, beside those that belong to no group."""
    from review_ui.accounts import set_groups  # noqa: PLC0415

    set_groups(_review_page(config), username, group or ())
    typer.echo(f"{username} sees the cases of: {', '.join(sorted(group or ())) or 'no group'}.")


@user.command("list")
def list_users(config: ConfigOption = CONFIG) -> None:
    """Every account with its roles, whether it is active, and its last login."""
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    store = open_store(load_settings(config))
    members = store.groups.of_all()
    accounts = store.accounts.all()
    if not accounts:
        typer.echo("There is no account yet. Make one: recontour user add NAME --role admin")
    for found in accounts:
        state = "active" if found.active else "not active"
        last = found.last_login_at
        seen = "never logged in" if last is None else f"last login {last:%Y-%m-%d %H:%M} UTC"
        groups = ", ".join(sorted(members.get(found.username, ())))
        facts = [", ".join(found.roles), *([f"sees {groups}"] if groups else []), state, seen]
        typer.echo(f"{found.username}: {'; '.join(facts)}")


@user.command("reset")
def reset_user(username: str, config: ConfigOption = CONFIG) -> None:
    """Print a new one-time password and let the account in again; its sessions end."""
    from review_ui.accounts import one_time_password, reset_from_console  # noqa: PLC0415

    password = one_time_password()
    reset_from_console(_review_page(config), username, password)
    typer.echo(f"One-time password of {username}: {password}")


def _asked_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _review_page(config: Path) -> Any:
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415
    from review_ui import create_app  # noqa: PLC0415

    settings = load_settings(config)
    return create_app(settings, open_store(settings))


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
