"""The commands about a cohort: the report of this node's, and the experiment that makes one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()


class ExperimentSize(StrEnum):
    """How many patients; see `SIZES` in app/experiment/sizes.py."""

    TINY = "tiny"
    SMALL = "small"
    PAPER = "paper"


class CohortKind(StrEnum):
    """Whose contours these are; see `KINDS` in app/evaluation_report.py."""

    APPROVED = "approved"
    PHANTOM = "phantom"
    BENT = "bent"


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
    from app.reporting import write_cohort  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    settings.structure_named(roi)
    cases = write_cohort(settings, out, roi, kind)
    typer.echo(f"{cases} cases; the page is {out / 'report.html'}.")


@commands.command()
def experiment(
    out: Annotated[Path, typer.Option(help="Folder for the node's data and the report.")],
    *,
    size: Annotated[
        ExperimentSize, typer.Option(help="tiny: minutes; small: 40 patients; paper: 933.")
    ] = ExperimentSize.TINY,
    seed: Annotated[int, typer.Option(help="Another one, other patients.", min=0)] = 0,
    scans: Annotated[
        Path | None,
        typer.Option(help="Folder of real CTs with contours; a quarter are then bends of these."),
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """The paper's experiment: synthetic patients and a simulated physician, on a node of its own.

    Goes on after an interruption with the same folder. Ends with the report of the cohort.
    """
    from app.experiment.run import run_experiment  # noqa: PLC0415
    from app.experiment.sizes import SIZES  # noqa: PLC0415
    from app.reporting import write_cohort  # noqa: PLC0415

    settings = run_experiment(config, SIZES[size], out, seed=seed, scans=scans)
    kind = CohortKind.PHANTOM if scans is None else CohortKind.BENT
    cases = write_cohort(settings, out, settings.structures[0].name, kind)
    typer.echo(f"{cases} cases; the page is {out / 'report.html'}.")
