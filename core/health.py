"""Whether the database can be relied on; looks without changing anything."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.database import MIGRATIONS, open_engine, reading


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """`revision` is that of the tables (None: there are none), `newest` that of this software.

    `damage` is what SQLite's quick check says where it does not say ok.
    """

    revision: str | None
    newest: str
    known: bool
    damage: str = ""


def examine(url: str) -> DatabaseHealth:
    """The health of the database at `url`; raises `SQLAlchemyError` where it cannot be opened."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            damage = ""
            if engine.dialect.name == "sqlite":
                answer = connection.execute(sa.text("PRAGMA quick_check(1)")).scalar()
                damage = "" if answer == "ok" else str(answer)
    finally:
        engine.dispose()
    known = {script.revision for script in scripts.walk_revisions()}
    newest = scripts.get_current_head() or ""
    return DatabaseHealth(revision, newest, revision in known, damage)
