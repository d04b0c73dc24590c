"""Commands about the routing rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()
rules = typer.Typer(no_args_is_help=True, help="What the rules do with a series.")
commands.add_typer(rules, name="rules")


@rules.command("list")
def list_rules(*, as_json: JsonOption = False, config: ConfigOption = CONFIG) -> None:
    """The rules, in the order in which they are asked."""
    from app.dry_run import rules_as_rows  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    show(rules_as_rows(load_settings(config)), "Rules", as_json=as_json)


@rules.command("test")
def dry_run_of_rules(
    paths: list[Path],
    *,
    calling: Annotated[str | None, typer.Option(help="AE title that would send the files.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Which rule fires for DICOM files (or folders of them) and why, and why the others do not."""
    from app.dry_run import dry_run  # noqa: PLC0415
    from app.tables import print_json, print_table  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    found = dry_run(paths, load_settings(config).rules, calling_ae_title=calling or "")
    if as_json:
        print_json([{"file": held.name, **row} for held in found for row in held.rows])
    for held in [] if as_json else found:
        typer.echo(f"{held.name}: " + ", ".join(f"{k} {v or '-'}" for k, v in held.found.items()))
        if held.note:
            typer.echo(f"  {held.note}\n")
        else:
            print_table(held.rows, "")
    if not all(held.fires for held in found):
        raise typer.Exit(1)
