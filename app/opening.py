"""The store, for a process that is started again when it ends."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import OperationalError

from core.config import Settings
from core.database import database_is_away
from core.store import Store, open_store

log = structlog.get_logger()

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


def opened_or_ended(settings: Settings) -> Store:
    """The store of `settings`; while its database is away the process ends, to be started again."""
    try:
        return open_store(settings)
    except OperationalError as error:
        if not database_is_away(error):
            raise
    log.warning("database.away")
    raise SystemExit(TRY_AGAIN)


def look_at(settings: Settings) -> None:
    """Raise what is wrong with the store for good; that its database is away passes."""
    try:
        opened_or_ended(settings).engine.dispose()
    except SystemExit:
        return
