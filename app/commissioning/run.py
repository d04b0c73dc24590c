"""`recontour commission`: every check in turn, and what is left behind to be signed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.commissioning import environment, known, models, peers, round_trips, timing
from app.commissioning.check import Check, State
from app.commissioning.objects import ORIENTATIONS
from app.commissioning.page import as_page
from app.machine import describe_machine
from app.progress import bars
from app.room import SOFTWARE_VERSION, Room
from core.config import Settings, load_settings
from core.errors import ConfigError, ModelUnavailableError
from core.files import sha256_of, write_json, write_whole
from core.store import open_store
from model.registry import LoadedModel, load

RECORD, PAGE = "commissioning.json", "commissioning.html"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    slices_mm: tuple[float, ...]
    doses: tuple[str, ...]
    positions: tuple[str, ...]
    sentinels: int
    timed_shape: tuple[int, int, int]


WHOLE = Extent(
    (1.0, 2.0, 3.0),
    ("linear", "Gauss", "steep", "steeper"),
    tuple(ORIENTATIONS),
    24,
    (189, 512, 512),
)
REHEARSAL = Extent((3.0,), ("steep",), ("HFS", "FFDR"), 2, (48, 128, 128))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person at the command line wants besides: see the options of the command."""

    site: str = ""
    rehearsal: bool = False
    echo: bool = False
    send: tuple[str, ...] = ()


def commission(config: Path, out: Path, asked: Asked) -> list[Check]:
    """Run everything, write the record and its page to the new folder `out`; the checks.

    Raises `ConfigError` where `out` holds a record already: what was signed stays as it is.
    """
    settings = load_settings(config)
    for name in asked.send:
        settings.peer_named(name)
    if (out / RECORD).exists():
        raise ConfigError(f"{out} holds a commissioning record already; name a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    # Asking must not leave an empty store behind.
    room = Room(settings, open_store(settings)) if settings.data_folder.is_dir() else None
    begun, start = datetime.now().astimezone(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        checks = _with_bars(_parts(settings, room, Path(folder), asked))
    record = {
        "not_a_medical_device": True,
        "site": asked.site,
        "rehearsal": asked.rehearsal,
        "begun_at": begun.isoformat(timespec="seconds"),
        "took_s": round(time.monotonic() - start, 1),
        "software_version": SOFTWARE_VERSION,
        "machine": describe_machine(),
        "config_sha256": sha256_of(config.read_bytes()),
        "models": _models(settings, room),
        "checks": [check.to_json() | {"tolerance": check.tolerance} for check in checks],
        "counts": {state: sum(c.state is state for c in checks) for state in State},
    }
    write_json(out / RECORD, record)
    digest = sha256_of((out / RECORD).read_bytes())
    write_whole(out / PAGE, as_page(record, digest).encode())
    return checks


def _parts(
    settings: Settings, room: Room | None, folder: Path, asked: Asked
) -> dict[str, Iterator[Check]]:
    extent = REHEARSAL if asked.rehearsal else WHOLE
    return {
        environment.GROUP: environment.environment_checks(settings),
        known.GROUP: known.known_checks(
            folder / "known", extent.slices_mm, extent.doses, known.TOLERANCES
        ),
        round_trips.GROUP: round_trips.round_trip_checks(folder / "trips", extent.positions),
        peers.GROUP: peers.peer_checks(
            settings, folder / "peers", echo=asked.echo, send=asked.send
        ),
        timing.GROUP: timing.timing_checks(
            settings.model, _loaded(settings, room), extent.timed_shape
        ),
        models.GROUP: (
            check
            for structure in settings.structures
            for check in models.model_checks(room, structure.name, extent.sentinels)
        ),
    }


def _with_bars(parts: dict[str, Iterator[Check]]) -> list[Check]:
    """Every check; a bar for each part, and one over all of them."""
    checks: list[Check] = []
    with bars() as shown:
        whole = shown.add_task("Parts", total=len(parts))
        for name, part in parts.items():
            bar = shown.add_task(name, total=None)
            for check in part:
                checks.append(check)
                shown.advance(bar)
            shown.update(bar, total=shown.tasks[bar].completed)
            shown.advance(whole)
    return checks


def _models(settings: Settings, room: Room | None) -> dict[str, str]:
    found = {s.name: models.in_service(room, s.name) for s in settings.structures}
    return {name: released.version for name, released in found.items() if released is not None}


def _loaded(settings: Settings, room: Room | None) -> LoadedModel | None:
    """The first structure's model; one that is damaged is told of elsewhere."""
    released = models.in_service(room, settings.structures[0].name)
    if room is None or released is None:
        return None
    try:
        return load(room.models_folder, released.version)
    except ModelUnavailableError:
        return None
