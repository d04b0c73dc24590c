"""Commands that speak to a peer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()


@commands.command()
def send(
    paths: list[Path],
    *,
    to: Annotated[str, typer.Option(help="AE@host:port")],
    calling: Annotated[str, typer.Option(help="our AE title")] = "RECONTOUR",
) -> None:
    """Send DICOM files (or folders of them) to a peer by C-STORE."""
    from app.peer import parse_peer  # noqa: PLC0415
    from dicom_node.network.scu import send_instances  # noqa: PLC0415

    files = [f for p in paths for f in (sorted(p.rglob("*.dcm")) if p.is_dir() else [p])]
    sent = send_instances(files, parse_peer(to), calling_ae_title=calling)
    typer.echo(f"{len(sent)} instances accepted by {to}.")


@commands.command()
def echo(
    to: Annotated[str, typer.Argument(help="AE@host:port")],
    *,
    calling: Annotated[str, typer.Option(help="our AE title")] = "RECONTOUR",
) -> None:
    """Ask a peer whether it hears us (C-ECHO)."""
    from app.peer import parse_peer  # noqa: PLC0415
    from dicom_node.network.scu import echo as c_echo  # noqa: PLC0415

    c_echo(parse_peer(to), calling_ae_title=calling)
    typer.echo(f"{to} answers.")
