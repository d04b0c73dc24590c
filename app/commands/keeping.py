"""Commands that keep all the node holds: backup, restore, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()


@commands.command()
def backup(
    out: Annotated[Path, typer.Option(help="A new folder for the backup.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Copy database and files to a folder, also while the node runs."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from app.keeping.backup import back_up  # noqa: PLC0415
    from app.progress import bars  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    with bars() as shown:
        bar = shown.add_task("files", total=None)
        manifest = back_up(
            settings,
            out,
            now=datetime.now(UTC),
            told=lambda done, of: shown.update(bar, completed=done, total=of),
        )
    typer.echo(f"{len(manifest.digests)} files are in {out}. They hold patients' data: encrypt it.")


@commands.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Bring a backup into an empty data folder and an empty database."""
    from app.keeping.backup import restore as bring_back  # noqa: PLC0415
    from app.progress import bars  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    with bars() as shown:
        bar = shown.add_task("files checked", total=None)
        manifest = bring_back(
            settings, backup, lambda done, of: shown.update(bar, completed=done, total=of)
        )
    typer.echo(f"Restored what was kept at {manifest.made_at}. Start the node: recontour run.")


@commands.command()
def verify(
    *,
    backup: Annotated[
        Path | None, typer.Option(help="The folder of a backup; else the node's own data.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Check that what is kept is what was written; exit code 1 where a file is not."""
    from app.keeping.backup import problems  # noqa: PLC0415
    from app.keeping.verifying import checks  # noqa: PLC0415
    from app.progress import bars  # noqa: PLC0415
    from app.room import Room  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    settings = load_settings(config)
    with bars() as shown:
        if backup is not None:
            bar = shown.add_task("files", total=None)
            wrong = problems(backup, lambda n, of: shown.update(bar, completed=n, total=of))
            looked_at = "Every file of the backup is"
        else:
            asked = checks(Room(settings, open_store(settings)))
            found = [check() for check in shown.track(asked, description="files")]
            wrong = [sentence for sentence in found if sentence]
            looked_at = "Objects, CTs, masks and models are"
    for sentence in wrong:
        typer.echo(sentence)
    typer.echo(f"{len(wrong)} files are not as written." if wrong else f"{looked_at} as written.")
    raise typer.Exit(1 if wrong else 0)
