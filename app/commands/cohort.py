"""The command that writes the report of a cohort."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()


class CohortKind(StrEnum):
    """Whose contours these are; see `KINDS` in app/evaluation_report.py."""

    APPROVED = "approved"
    PHANTOM = "phantom"


@commands.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder for report.html, cases.csv and summary.csv.")],
    *,
    roi: Annotated[str, typer.Option(help="Structure the report is about.")] = "Heart",
    kind: Annotated[
        CohortKind, typer.Option(help="Whose contours these are; stands in every plot.")
    ] = CohortKind.APPROVED,
    config: ConfigOption = CONFIG,
) -> None:
    """Write what the reviews of this node show over time: duration, Dice, mean dose."""
    from app import approved_figures  # noqa: PLC0415
    from app.comparing import EDITION, compare  # noqa: PLC0415
    from app.evaluation_report import KINDS  # noqa: PLC0415
    from app.progress import bars  # noqa: PLC0415
    from app.room import Room  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415
    from review_ui.cohort.report import PAGE, report_of, write_report  # noqa: PLC0415

    settings = load_settings(config)
    room = Room(settings, open_store(settings))
    with bars() as shown:
        for made_id in shown.track(room.store.changes.due(EDITION), description="cases"):
            compare(room, made_id)
        for made_id, reference_id in shown.track(room.store.cohort.due(), description="volumes"):
            approved_figures.measure(room, made_id, reference_id)
    made = report_of(room.store, roi, KINDS[kind])
    write_report(out, made)
    typer.echo(f"{len(made.rows)} cases; the page is {out / PAGE}.")
