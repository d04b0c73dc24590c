"""The engine: SQLite in WAL with explicit BEGIN IMMEDIATE, or PostgreSQL by its URL."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
_PG_DISK_FULL = "53100"
# A machine that lost power or network says no good-bye. By default the server believes in it
# for two hours: so long nobody takes its work over, and others wait for what it had locked.
_PG_SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",  # where an answer was on its way, nothing else is asked
    "idle_in_transaction_session_timeout": "60000",
}
_PG_CLIENT = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25000,
}
_PG_AWAY = frozenset({"08", "57"})  # connection exception, operator intervention
_SQLITE_AWAY = ("database is locked", "unable to open database file")


def open_engine(url: str, *, synced: bool = True) -> sa.Engine:
    """An engine for `url`, tuned as measured (docs/adr/0003).

    Parameters stay out of error messages: they carry patient names. Not `synced`, what was
    committed last may be gone after a power cut (never after a crash of ours): only for rows that
    can be made again.
    """
    if url.startswith("sqlite"):
        engine = sa.create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)
        sa.event.listen(engine, "connect", _prepare_sqlite if synced else _prepare_unsynced_sqlite)
        sa.event.listen(engine, "begin", _begin)
        return engine
    asked = _PG_SESSION if synced else {**_PG_SESSION, "synchronous_commit": "off"}
    options = " ".join(f"-c {name}={value}" for name, value in asked.items())
    return sa.create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": options, **_PG_CLIENT},
    )


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that takes no write lock."""
    with engine.connect().execution_options(sqlite_begin="BEGIN DEFERRED") as connection:
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction that no other writing transaction overlaps.

    What it reads is still true when it commits: SQLite gives that by BEGIN IMMEDIATE, PostgreSQL
    by an advisory lock that ends with the transaction.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7402)"))
        yield connection


def upgrade(engine: sa.Engine, *, lock_file: Path) -> None:
    """Bring the tables to the newest revision; only one process does it at a time."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def disk_is_full(error: BaseException) -> bool:
    """Whether `error` says that the disk of the files or of the database is full."""
    if isinstance(error, sa.exc.OperationalError):
        code = getattr(error.orig, "sqlstate", None)
        return code == _PG_DISK_FULL or "disk is full" in str(error.orig)
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def database_is_away(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be reached now: it may be there again soon."""
    if not isinstance(error, sa.exc.OperationalError):
        return False
    code = getattr(error.orig, "sqlstate", "")
    if code != "":  # PostgreSQL; None: there was no connection
        return code is None or code[:2] in _PG_AWAY or error.connection_invalidated
    return any(words in str(error.orig) for words in _SQLITE_AWAY)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # We emit BEGIN ourselves: a read that turns into a write under plain BEGIN meets
    # "database is locked" at once, whatever the time-out is.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=30000",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_unsynced_sqlite(connection: Any, record: Any) -> None:
    _prepare_sqlite(connection, record)
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN IMMEDIATE"))
