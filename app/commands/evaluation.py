"""The command that holds a model against contours that people made."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()


class ReferenceKind(StrEnum):
    """What the contours of an evaluation are; see `KINDS` in app/evaluation_report.py."""

    APPROVED = "approved"
    IMPORTED = "imported"
    SILVER = "silver"
    PHANTOM = "phantom"


@commands.command()
def evaluate(  # noqa: PLR0913 (one argument an option)
    out: Annotated[Path, typer.Option(help="Folder for cases.csv and evaluation.html.")],
    *,
    data: Annotated[
        Path | None, typer.Option(help="Folder with CT series, RTSTRUCTs and RTDOSEs.")
    ] = None,
    roi: Annotated[str, typer.Option(help="Structure to evaluate.")] = "Heart",
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name of it in the folder; may be repeated.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a model version; else the one in service.")
    ] = None,
    reference_kind: Annotated[
        ReferenceKind | None, typer.Option(help="What the contours are; stands in every plot.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Hold a model against contours: a row for each case, and plots."""
    from app.evaluating import approved_subjects, evaluate, folder_subjects  # noqa: PLC0415
    from app.evaluation_report import PAGE, heading_of, summary, write_report  # noqa: PLC0415
    from app.offline_predict import model_for  # noqa: PLC0415
    from app.progress import bars  # noqa: PLC0415
    from app.room import Room  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    settings = load_settings(config)
    loaded = model_for(settings, roi, model)
    # Asking must not leave an empty store behind.
    room = Room(settings, open_store(settings)) if settings.data_folder.is_dir() else None
    with bars() as shown:
        if data is not None:
            subjects = folder_subjects(room, data, (roi, *(alias or ())))
        elif room is not None:
            subjects = approved_subjects(room, roi)
        else:
            raise typer.BadParameter("This node has no cases; name a folder with --data.")
        bar = shown.add_task("cases", total=len(subjects))

        def told(done: int) -> None:
            shown.update(bar, completed=done)

        rows = list(evaluate(subjects, loaded, settings.model, told))
    write_report(out, heading_of(roi, loaded.version, reference_kind, rows), rows)
    show(rows if as_json else summary(rows), "Evaluation", as_json=as_json)
    if not as_json:
        typer.echo(f"{len(rows)} cases; the plots are in {out / PAGE}.")
