"""The command of the physicist's acceptance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()


@commands.command()
def commission(  # noqa: PLR0913 (one argument an option)
    out: Annotated[Path, typer.Option(help="A new folder for the record and its page.")],
    *,
    site: Annotated[str | None, typer.Option(help="Name of the site, for the page.")] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="Call every configured peer with C-ECHO.")
    ] = False,
    send: Annotated[
        list[str] | None,
        typer.Option(help="Name of a peer that gets a phantom by C-STORE; may be repeated."),
    ] = None,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Small sizes; shows that it runs, accepts nothing.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Measure what a physicist accepts the node by, for signing; exit code 1 where it fails."""
    from app.commissioning.check import State  # noqa: PLC0415
    from app.commissioning.run import PAGE, Asked, commission  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    asked = Asked(site or "", rehearsal, peers, tuple(send or ()))
    checks = commission(config, out, asked)
    rows = [
        {
            "check": f"{check.group}: {check.name}",
            "state": str(check.state),
            "value": check.value,
            "tolerance": check.tolerance,
            "found": check.found,
        }
        for check in checks
    ]
    if as_json:
        show(rows, "Commissioning", as_json=True)
    else:
        wrong = [row for row in rows if row["state"] != State.PASS]
        if wrong:
            show(wrong, "Failed, or not run", as_json=False)
        passed = len(rows) - len(wrong)
        typer.echo(f"{passed} of {len(rows)} checks passed; the page to sign is {out / PAGE}.")
    raise typer.Exit(1 if any(check.state is State.FAIL for check in checks) else 0)
