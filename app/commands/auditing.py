"""Commands about the audit."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()
audit = typer.Typer(no_args_is_help=True, help="Who did what.")
commands.add_typer(audit, name="audit")


@audit.command("verify")
def verify_audit(
    *,
    noted: Annotated[
        str | None, typer.Option(help="A digest that was printed before; it must still be there.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Check that no row of the audit was changed, taken out or put in; exit code 1 if one was."""
    from core.config import load_settings  # noqa: PLC0415 (commands load what they use)
    from core.store import open_store  # noqa: PLC0415

    found = open_store(load_settings(config)).audit.chain(noted or "")
    if found.broken_at is not None:
        typer.echo(
            f"Row {found.broken_at} does not follow from the one before: it was changed, or a row "
            "before it is gone. Compare with a backup."
        )
    elif not found.holds_noted:
        typer.echo("The noted digest is gone: newer rows were taken out. Compare with a backup.")
    else:
        typer.echo(f"{found.rows} rows, each follows from the one before.")
        typer.echo(f"Newest digest, to be noted elsewhere: {found.newest or '-'}")
        return
    raise typer.Exit(1)
