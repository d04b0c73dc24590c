"""The command line of the node and of its parts."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from core.errors import RecontourError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A radiotherapy DICOM node that contours and learns. Not a medical device.",
)
user = typer.Typer(no_args_is_help=True, help="Accounts of the review page.")
app.add_typer(user, name="user")

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CONFIG = Path("config.yaml")
PRIVATE = 0o077  # what the node writes is for its own account only


@app.command()
def run(config: ConfigOption = CONFIG) -> None:
    """Start the node: DICOM, worker, trainer and review page; ends with Ctrl+C."""
    from app.process import start_logging, stop_on_signal  # noqa: PLC0415 (commands load what they use)
    from app.supervisor import Supervisor  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    start_logging("supervisor")
    stop = stop_on_signal()
    open_store(load_settings(config))  # a wrong configuration ends here, with its sentence
    Supervisor(config.resolve(), stop).run()


@app.command()
def demo(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Go round the loop once, verify it, and exit.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path(
        "demo-data"
    ),
    config: ConfigOption = CONFIG,
) -> None:
    """A node and a synthetic clinic on this machine: three patients, the review page, the loop."""
    from app.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(config, folder, check=check))


@user.command("add")
def add_user(
    username: str,
    *,
    role: Annotated[str, typer.Option(help="reviewer or admin")] = "reviewer",
    config: ConfigOption = CONFIG,
) -> None:
    """Create an account; the password is asked for (or read from standard input)."""
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415
    from review_ui import create_app  # noqa: PLC0415
    from review_ui.accounts import create_user  # noqa: PLC0415

    settings = load_settings(config)
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    create_user(create_app(settings, open_store(settings)), username, password, role)
    typer.echo(f"Account {username} ({role}) is ready.")


@app.command()
def retry(config: ConfigOption = CONFIG) -> None:
    """Try again what has failed: cases that could not be assembled, deliveries that are held."""
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    store, now = open_store(load_settings(config)), datetime.now(UTC)
    cases, deliveries = store.cases.retry_failed(now=now), store.deliveries.release_held(now=now)
    typer.echo(f"{cases} failed cases and {deliveries} held deliveries are tried again.")


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def dose(
    rtstruct: Annotated[Path, typer.Option(help="The RTSTRUCT.")],
    rtdose: Annotated[Path, typer.Option(help="The RTDOSE.")],
    *,
    ct: Annotated[Path | None, typer.Option(help="Folder with the CT series.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Dose of every ROI: volume (cc), mean, minimum, maximum (Gy), coverage."""
    from app.offline import dose_command  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    show(dose_command(rtstruct, rtdose, ct), "Dose", as_json=as_json)


@app.command()
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


def main() -> None:
    """Entry point; an error of ours is one sentence, not a traceback."""
    os.umask(PRIVATE)
    try:
        app()
    except RecontourError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
    except OSError as error:
        typer.echo(f"{error.filename or 'A file'}: {error.strerror}.", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
