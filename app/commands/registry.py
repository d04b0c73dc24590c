"""Commands about model versions: which there are, which is in service, and changing that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from app.room import Room

commands = typer.Typer()
models = typer.Typer(no_args_is_help=True, help="Model versions and what is in service.")
commands.add_typer(models, name="models")

VersionArgument = Annotated[str, typer.Argument(help="The version, or how it begins.")]


@models.command("list")
def list_models(*, as_json: JsonOption = False, config: ConfigOption = CONFIG) -> None:
    """Every version that passed the gate, the newest first, and where it stands."""
    from app.tables import show  # noqa: PLC0415 (commands load what they use)
    from core.model_card import standing_of  # noqa: PLC0415

    room, rows = _room(config), []
    for structure in room.settings.structures:
        state = room.store.models.state(structure.name)
        rows += [
            {
                "version": found.version if as_json else found.version[:12],
                "structure": found.roi_name,
                "standing": standing_of(found, state),
                "validation_dice": found.validation_dice,
                "examples": len(found.training_set),
                "released": found.released_at.isoformat(timespec="seconds"),
            }
            for found in reversed(room.store.learning.versions(structure.name))
        ]
    if rows or as_json:
        show(rows, "Models", as_json=as_json)
    else:
        typer.echo("There is no model yet. Approve two patients, or: recontour train --cold-start")


@models.command("show")
def show_model(version: VersionArgument, *, config: ConfigOption = CONFIG) -> None:
    """One version in a table: where it stands, what it learned from, how it was judged."""
    from app.tables import show  # noqa: PLC0415
    from core.model_card import card  # noqa: PLC0415

    room = _room(config)
    told = card(room.store, room.store.models.find(version))
    learned = ", ".join(f"{n} {kind}" for kind, n in told["learned_from"].items())
    facts = {
        "version": told["version"],
        "structure": told["structure"],
        "standing": told["standing"],
        "origin": told["origin"],
        "validation Dice": f"{told['validation_dice']:.4f}",
        "learned from": learned or "not recorded",
        "training set": told["training_set_hash"] or "not recorded",
        "goes back to": " < ".join(v[:12] for v in reversed(told["chain"][:-1])) or "nothing",
        "verdict": told["gate"]["verdict"] or "not recorded",
        "code": told["code_version"] or "not recorded",
    }
    show([{"fact": k, "value": v} for k, v in facts.items()], "Model", as_json=False)


@models.command("card")
def print_card(version: VersionArgument, *, config: ConfigOption = CONFIG) -> None:
    """The model card of a version as JSON, without a patient."""
    import json  # noqa: PLC0415

    from core.model_card import card  # noqa: PLC0415

    room = _room(config)
    typer.echo(json.dumps(card(room.store, room.store.models.find(version)), indent=1))


@models.command("add")
def add_model(
    folder: Annotated[Path, typer.Argument(help="Folder of a starting model's version.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Take a starting model that was built elsewhere; the gate judges it like any other."""
    from app.adding import add_starting_model  # noqa: PLC0415
    from app.progress import bars  # noqa: PLC0415

    room = _room(config)
    with bars() as shown:
        task = shown.add_task("synthetic patients", total=None)
        taken = add_starting_model(
            room, folder, lambda done, of: shown.update(task, completed=done, total=of)
        )
    typer.echo(taken.verdict)


@models.command()
def pin(version: VersionArgument, *, config: ConfigOption = CONFIG) -> None:
    """Keep the version in service whatever is learned; what passes the gate waits."""
    room = _room(config)
    found = room.store.models.find(version)
    room.store.models.pin(found.version, **_by(room))
    typer.echo(f"{found.roi_name}: {found.version[:12]} is pinned. What passes the gate waits.")


@models.command()
def unpin(version: VersionArgument, *, config: ConfigOption = CONFIG) -> None:
    """Let versions replace the pinned one again; the newest that waits goes into service."""
    room = _room(config)
    found = room.store.models.find(version)
    state = room.store.models.unpin(found.version, **_by(room))
    typer.echo(f"{found.roi_name}: {str(state.in_service)[:12]} is in service, not pinned.")


@models.command()
def rollback(version: VersionArgument, *, config: ConfigOption = CONFIG) -> None:
    """Put a version into service; newer ones are withdrawn and never come back by themselves."""
    from core.model_files import require_whole  # noqa: PLC0415

    room = _room(config)
    found = room.store.models.find(version)
    require_whole(room.models_folder, found.version)
    room.store.models.roll_back(found.version, **_by(room))
    typer.echo(
        f"{found.roi_name}: {found.version[:12]} is in service. Cases that nobody has painted on "
        "are predicted again."
    )


@models.command()
def shadow(
    version: VersionArgument,
    *,
    off: Annotated[bool, typer.Option("--off", help="End it; its figures stay.")] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Let a version predict new cases beside the one in service, unseen, and be measured."""
    room = _room(config)
    found = room.store.models.find(version)
    if off:
        room.store.models.end_shadow(found.version, **_by(room))
        typer.echo(f"{found.roi_name}: {found.version[:12]} runs no longer in shadow.")
    else:
        room.store.models.run_in_shadow(found.version, **_by(room))
        typer.echo(f"{found.roi_name}: {found.version[:12]} predicts new cases in shadow.")


@models.command()
def verify(*, as_json: JsonOption = False, config: ConfigOption = CONFIG) -> None:
    """Whether the files of every version are whole; exit code 1 where one is not."""
    from app.model_check import is_sound, verify_models  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    room = _room(config)
    rows = verify_models(room)
    if rows or as_json:
        show(rows, "Models", as_json=as_json)
    else:
        typer.echo("There is no model yet.")
    raise typer.Exit(0 if is_sound(rows) else 1)


@models.command()
def reproduce(
    prediction: Annotated[str, typer.Argument(help="A prediction, as its case's facts name it.")],
    *,
    as_json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Make a past prediction again and compare it, voxel for voxel; exit code 1 if it differs."""
    from app.model_check import reproduce as made_again  # noqa: PLC0415
    from app.tables import show  # noqa: PLC0415

    row = made_again(_room(config), prediction)
    show([row], "Prediction", as_json=as_json)
    raise typer.Exit(0 if row["same"] == "yes" else 1)


def _room(config: Path) -> Room:
    from app.room import Room  # noqa: PLC0415
    from core.config import load_settings  # noqa: PLC0415
    from core.store import open_store  # noqa: PLC0415

    settings = load_settings(config)
    return Room(settings, open_store(settings))


def _by(room: Room) -> dict[str, Any]:
    """Who changes it, for the audit: the account of this machine."""
    import getpass  # noqa: PLC0415

    return {"who": f"{getpass.getuser()[:40]} (command line)", "now": room.now()}
