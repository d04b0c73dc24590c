"""Commands about contours that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()


@commands.command("import-labels")
def import_labels(  # noqa: PLR0913 (one argument an option)
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with CT series and their RTSTRUCTs.")
    ] = None,
    *,
    case: Annotated[
        list[str] | None, typer.Option(help="A case of the node; may be repeated.")
    ] = None,
    every_case: Annotated[
        bool, typer.Option("--every-case", help="Every case that a structure set has joined.")
    ] = False,
    roi: Annotated[str, typer.Option(help="Structure that the contours are learned as.")] = "Heart",
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name of it there; may be repeated.")
    ] = None,
    to_judge: Annotated[
        bool, typer.Option("--to-judge", help="Only judge versions by them; learn from none.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come of it; keep nothing.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Learn from contours made elsewhere; exit code 1 where any was refused."""
    import getpass  # noqa: PLC0415

    from app.import_folder import import_folder  # noqa: PLC0415
    from app.importing import (  # noqa: PLC0415
        REFUSED,
        ImportPlan,
        cases_with_references,
        import_cases,
    )
    from app.progress import bars  # noqa: PLC0415
    from app.room import Room  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    if sum((folder is not None, bool(case), every_case)) != 1:
        raise typer.BadParameter("Name either a folder, or --case, or --every-case.")
    settings = load_settings(config)
    settings.structure_named(roi)
    room = Room(settings, open_store(settings))
    plan = ImportPlan(roi, tuple(alias or ()), getpass.getuser(), dry_run, to_judge)
    with bars() as shown:
        bar = shown.add_task("CT series", total=None)
        if folder is not None:
            rows = import_folder(
                room,
                folder,
                plan,
                lambda done, of: shown.update(bar, completed=done, total=of),
            )
        else:
            ids = case or cases_with_references(room)
            shown.update(bar, total=len(ids))
            rows = import_cases(room, ids, plan, lambda done: shown.update(bar, completed=done))
    show(rows, "Imported contours", as_json=as_json)
    raise typer.Exit(1 if any(row["outcome"] == REFUSED for row in rows) else 0)
