"""Commands about models and their training."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()


@commands.command()
def train(
    *,
    cold_start: Annotated[
        bool, typer.Option("--cold-start", help="Build the starting model from synthetic patients.")
    ] = False,
    roi: Annotated[str, typer.Option(help="Structure to learn.")] = "Heart",
    patients: Annotated[int, typer.Option(min=1, help="Synthetic patients to learn from.")] = 120,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, help="Start of all randomness.")] = 0,
    config: ConfigOption = CONFIG,
) -> None:
    """Learn now: what was approved, or with --cold-start what synthetic patients can teach.

    A killed run goes on where it was. The node itself learns without this command.
    """
    from app.process import die_with_parent  # noqa: PLC0415

    die_with_parent()
    from app.training_command import train_from_corrections, train_starting_model  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    settings.structure_named(roi)
    if cold_start:
        said = train_starting_model(settings, roi, patients=patients, steps=steps, seed=seed)
    else:
        said = train_from_corrections(settings, roi)
    if said:
        typer.echo(said)
