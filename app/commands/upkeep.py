"""Commands for whoever looks after the node: its state, its statement, its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

commands = typer.Typer()


@commands.command()
def export(
    out: Annotated[Path, typer.Option(help="A new folder to write to.")],
    *,
    case: Annotated[
        str | None, typer.Option(help="A case, as its page's address names it.")
    ] = None,
    study: Annotated[str | None, typer.Option(help="A Study Instance UID.")] = None,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Without the patient (PS3.15 Annex E).")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Write the objects of a case or a study to a folder; exit code 1 where any was left out."""
    from app.exporting import export_case, export_study, rows_of, summary_of  # noqa: PLC0415
    from app.room import Room  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    if (case is None) == (study is None):
        raise typer.BadParameter("Name either --case or --study.")
    settings = load_settings(config)
    room = Room(settings, open_store(settings))
    if case is not None:
        report = export_case(room, case, out, deidentify=deidentify)
    else:
        report = export_study(room, str(study), out, deidentify=deidentify)
    show(rows_of(report), "Export", as_json=as_json)
    if not as_json:
        typer.echo(summary_of(report, out))
    raise typer.Exit(1 if report.left_out else 0)


@commands.command()
def conformance(config: ConfigOption = CONFIG) -> None:
    """Print the DICOM conformance statement (PS3.2) with the settings in force."""
    from app.statement import conformance_statement  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415

    typer.echo(conformance_statement(load_settings(config)), nl=False)


@commands.command()
def sbom() -> None:
    """Print every package the node runs with, its version and licence, as CycloneDX JSON."""
    from app.components import as_cyclonedx, components  # noqa: PLC0415

    typer.echo(as_cyclonedx(components()))


@commands.command()
def doctor(
    *,
    test_alert: Annotated[
        bool, typer.Option("--test-alert", help="Send an alert that says it is a test.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Check everything the node stands on and say what to do; exit code 1 where something fails."""
    from app.doctor import diagnose, is_healthy, rows_of  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    findings = diagnose(config, test_alert=test_alert)
    show(rows_of(findings), "Doctor", as_json=as_json)
    raise typer.Exit(0 if is_healthy(findings) else 1)
