"""Commands about what could not be read."""

from __future__ import annotations

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()
quarantine = typer.Typer(no_args_is_help=True, help="What could not be read.")
commands.add_typer(quarantine, name="quarantine")


@quarantine.command("list")
def list_quarantine(*, as_json: JsonOption = False, config: ConfigOption = CONFIG) -> None:
    """What is set aside, the newest first: when, from whom, how large, why, and where it lies."""
    from app.tables import show  # noqa: PLC0415 (commands load what they use)
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    found = open_store(load_settings(config)).quarantine.all()
    rows = [
        {
            "at": row.quarantined_at.isoformat(timespec="seconds"),
            "sender": row.calling_ae_title,
            "bytes": row.size_bytes,
            "what": "refused" if row.instance_id is None else "kept, not used",
            "reason": row.reason,
            "file": row.path,
        }
        for row in found
    ]
    if rows or as_json:
        show(rows, "Quarantine", as_json=as_json)
    else:
        typer.echo("Nothing is in quarantine.")
