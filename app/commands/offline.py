"""Commands that work on files alone, without a running node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()


@commands.command()
def predict(
    ct: Annotated[Path, typer.Option(help="Folder with the CT series.")],
    out: Annotated[Path, typer.Option(help="The RTSTRUCT to write.")],
    *,
    roi: Annotated[str, typer.Option(help="Structure to predict.")] = "Heart",
    model: Annotated[
        Path | None, typer.Option(help="Folder of a model version; else the one in service.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Predict a structure on a CT series and write it as RTSTRUCT."""
    from app.offline_predict import predict_command  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    rows = predict_command(ct, out, settings=load_settings(config), roi_name=roi, model=model)
    show(rows, "Prediction", as_json=as_json)


@commands.command()
def dose(  # noqa: PLR0913 (one argument an option)
    rtstruct: Annotated[Path, typer.Option(help="The RTSTRUCT.")],
    rtdose: Annotated[Path, typer.Option(help="The RTDOSE.")],
    *,
    ct: Annotated[Path | None, typer.Option(help="Folder with the CT series.")] = None,
    ends: Annotated[
        Literal["whole", "half", "rounded"],
        typer.Option(help="What the outermost contours stand for; half is nearest to Eclipse."),
    ] = "half",
    between: Annotated[
        Literal["linear", "cubic"],
        typer.Option(help="What the dose is between its nodes; planning systems take linear."),
    ] = "linear",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="One more figure: median, D95%, D2cc, V20Gy, V20Gycc, gEUD8. Repeatable."
        ),
    ] = None,
    dvh: Annotated[
        Path | None, typer.Option(help="Write cumulative and differential DVHs to this CSV.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Dose of every ROI: volume (cc), mean, minimum, maximum (Gy), coverage."""
    from app.offline import dose_command  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    rows = dose_command(
        rtstruct, rtdose, ct, ends=ends, between=between, metrics=metric or (), dvh=dvh
    )
    show(rows, "Dose", as_json=as_json)


@commands.command()
def compare(
    first: Annotated[Path, typer.Argument(help="RTSTRUCT")],
    second: Annotated[Path, typer.Argument(help="RTSTRUCT")],
    *,
    ct: Annotated[Path, typer.Option(help="Folder with the CT series.")],
    rtdose: Annotated[Path | None, typer.Option(help="The RTDOSE.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two structure sets: Dice, volumes, mean dose difference."""
    from app.offline import compare_command  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    show(compare_command(ct, first, second, rtdose), "Comparison", as_json=as_json)
