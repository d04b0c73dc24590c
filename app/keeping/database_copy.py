"""The database as one file, as it was at one moment, while others write to it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from core.database import open_engine
from core.delivery_store import DeliveryStore
from core.errors import BackupError

SQLITE_FILE, POSTGRESQL_FILE = "database.sqlite", "database.dump"


def copy_database(url: str, folder: Path) -> Path:
    """Write a copy of the database at `url` into `folder`; raises `BackupError`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        out = folder / SQLITE_FILE
        source = _readable(Path(str(parsed.database)))
        # One step: nothing that is written meanwhile can come between two pages.
        with closing(source), closing(sqlite3.connect(out)) as copy:
            source.backup(copy, pages=-1)
        return out
    out = folder / POSTGRESQL_FILE
    _run(["pg_dump", "--format=custom", "--no-owner", f"--file={out}"], parsed)
    return out


def database_file(url: str) -> Path | None:
    """The file of an SQLite database; None for a server."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)).resolve() if is_file else None


def require_empty(url: str) -> None:
    """Raise `BackupError` where the database at `url` holds anything, or does not answer."""
    file = database_file(url)
    if file is not None and not file.exists():
        return
    engine = sa.create_engine(url, hide_parameters=True)
    try:
        tables = sa.inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        raise BackupError(
            f"The database does not answer ({type(error).__name__}). Start it, or correct "
            "database_url."
        ) from None
    finally:
        engine.dispose()
    if tables:
        raise BackupError(
            f"The database holds {len(tables)} tables; a backup is restored into an empty one. "
            "Name another in database_url."
        )


def require_same_kind(name: str, url: str) -> None:
    """Raise `BackupError` where the copy `name` cannot come into the database at `url`."""
    backend = make_url(url).get_backend_name()
    if (backend == "sqlite") != (name == SQLITE_FILE):
        raise BackupError(
            f"The backup holds {name}, the configuration names {backend}. "
            "Restore with a database of the same kind."
        )


def bring_back(copy: Path, url: str) -> None:
    """Make the database at `url`, which must be empty and of the same kind, what the copy holds."""
    parsed = make_url(url)
    if copy.name == SQLITE_FILE:
        target = sqlite3.connect(str(parsed.database))
        # Nobody writes to a backup, and SQLite may not leave anything beside it: it may lie on a
        # medium that is read only.
        still = f"{copy.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(target), closing(sqlite3.connect(still, uri=True)) as source:
            source.backup(target)
        Path(str(parsed.database)).chmod(0o600)
        return
    restore = ["pg_restore", "--no-owner", "--exit-on-error", "--single-transaction"]
    _run([*restore, f"--dbname={parsed.database}", str(copy)], parsed, with_database=False)


def hold_deliveries(url: str, *, made_at: str) -> None:
    """Let nothing leave by itself that waited when the backup was made.

    Since then it may have been undone, replaced or sent: only people can know.
    """
    why = (
        f"The node was restored from a backup of {made_at}. What was undone, replaced or sent "
        "since is not known: look at the destination, then send again or re-open the case."
    )
    engine = open_engine(url)
    DeliveryStore(engine).hold_waiting(reason=why)
    engine.dispose()


def _readable(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise BackupError("The node has no database yet. Start it once; there is nothing to keep.")
    return sqlite3.connect(path)


def _run(command: list[str], url: URL, *, with_database: bool = True) -> None:
    """Run a program of PostgreSQL; the password never stands on its command line."""
    where = {
        "PGHOST": url.host,
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database if with_database else None,
    }
    known = {name: str(value) for name, value in where.items() if value is not None}
    try:
        subprocess.run(  # noqa: S603 (a fixed program, its arguments not from a shell)
            command, env=os.environ | known, check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise BackupError(
            f"{command[0]} is not installed; it comes with the package postgresql-client."
        ) from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()[:1]
        raise BackupError(f"{command[0]} failed: {' '.join(said) or error.returncode}.") from None
