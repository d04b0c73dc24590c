"""Commands that speak to a peer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import CONFIG, ConfigOption

commands = typer.Typer()

CallingOption = Annotated[str | None, typer.Option(help="Our AE title; else that of the node.")]


@commands.command()
def send(
    paths: list[Path],
    *,
    to: Annotated[str, typer.Option(help="A peer of the configuration, or AE@host:port.")],
    calling: CallingOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Send DICOM files (or folders of them) to a peer by C-STORE."""
    from app.peer import parse_line  # noqa: PLC0415 (commands load what they use)
    from dicom_node.network.scu import send_instances  # noqa: PLC0415

    files = [f for p in paths for f in (sorted(p.rglob("*.dcm")) if p.is_dir() else [p])]
    line = parse_line(to, config, calling)
    sent = send_instances(files, line.peer, calling_ae_title=line.calling_ae_title, tls=line.tls)
    typer.echo(f"{len(sent)} instances accepted by {to}.")


@commands.command()
def echo(
    to: Annotated[str, typer.Argument(help="A peer of the configuration, or AE@host:port.")],
    *,
    calling: CallingOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Ask a peer whether it hears us (C-ECHO)."""
    from app.peer import parse_line  # noqa: PLC0415
    from dicom_node.network.scu import echo as c_echo  # noqa: PLC0415

    line = parse_line(to, config, calling)
    c_echo(line.peer, calling_ae_title=line.calling_ae_title, tls=line.tls)
    typer.echo(f"{to} answers.")


@commands.command()
def fetch(
    *,
    source: Annotated[str, typer.Option("--from", help="A peer of the configuration.")],
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    series: Annotated[str | None, typer.Option(help="Series Instance UID.")] = None,
    patient_id: Annotated[str | None, typer.Option(help="Patient ID at the peer.")] = None,
    over_get: Annotated[
        bool, typer.Option("--get", help="Bring it on our own association (C-GET).")
    ] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Fetch a CT, doses and contours that were not pushed; lists studies where several fit."""
    from app.fetching import Wanted, fetch_study, studies_at  # noqa: PLC0415
    from app.room import Room  # noqa: PLC0415
    from app.tables import print_table  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    settings = load_settings(config)
    room, peer = Room(settings, open_store(settings)), settings.peer_named(source)
    found = studies_at(room, peer, Wanted(study or "", series or "", patient_id or ""))
    if len(found) != 1:
        print_table(found, f"{len(found)} studies fit; name one with --study")
        raise typer.Exit(1)
    rows = fetch_study(room, peer, found[0]["StudyInstanceUID"], series or "", over_get=over_get)
    print_table(rows, "Fetched")
