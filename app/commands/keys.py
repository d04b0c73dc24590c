"""Commands about the keys by which machines read the metrics."""

from __future__ import annotations

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()
key = typer.Typer(help="Keys by which machines read the metrics.")
commands.add_typer(key, name="key")


@key.command("add")
def add_key(name: str, config: ConfigOption = CONFIG) -> None:
    """Make a key for a machine and print it: it is kept nowhere and shown only now."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    store = open_store(load_settings(config))
    typer.echo(store.keys.add(name, who="console", now=datetime.now(UTC)))


@key.command("list")
def list_keys(config: ConfigOption = CONFIG) -> None:
    """Every key by its name, and since when it is there."""
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    for name, made_at in open_store(load_settings(config)).keys.all():
        typer.echo(f"{name}: since {made_at:%Y-%m-%d %H:%M} UTC")


@key.command("remove")
def remove_key(name: str, config: ConfigOption = CONFIG) -> None:
    """Let a key open nothing from now on."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    store = open_store(load_settings(config))
    store.keys.remove(name, who="console", now=datetime.now(UTC))
