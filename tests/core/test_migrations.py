"""A database that was in use is brought to the newest revision with everything in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from core.database import MIGRATIONS, open_engine, upgrade
from tests.support.postgresql import postgresql

REVISIONS = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture(params=[*REVISIONS, "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine of a database at a revision: each on SQLite, the first on PostgreSQL."""
    if request.param != "postgresql":
        engine = open_engine(f"sqlite:///{tmp_path / 'recontour.db'}")
        _to(engine, request.param)
        yield engine
        engine.dispose()
        return
    with postgresql() as url:
        engine = open_engine(url)
        _to(engine, REVISIONS[0])
        yield engine
        engine.dispose()


def test_every_row_that_was_there_is_there_after_an_upgrade(
    engine: sa.Engine, tmp_path: Path
) -> None:
    before = _fill(engine)
    assert {"account", "role", "account_role", "case", "interaction", "audit"} <= set(before)
    had_accounts = "welcomed" in before["account"][0]

    upgrade(engine, lock_file=tmp_path / "lock")

    assert _rows(engine, {name: rows[0] for name, rows in before.items()}) == before
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        query = "SELECT one_time_password, welcomed, own_keys FROM account"
        one_time, welcomed, keys = connection.exec_driver_sql(query).one()
    if not had_accounts:  # who has an account already chose the password and knows the page
        assert (bool(one_time), bool(welcomed)) == (False, True)
        assert keys in ("{}", {})


def _to(engine: sa.Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


Rows = dict[str, list[dict[str, Any]]]


def _tables(engine: sa.Engine) -> list[sa.Table]:
    found = sa.MetaData()
    found.reflect(engine)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def _fill(engine: sa.Engine) -> Rows:
    """One row in every table, each foreign key pointing at the one row there; what was written."""
    tables = _tables(engine)
    with engine.begin() as connection:
        for table in tables:
            row = {column.name: _value(column) for column in table.columns}
            connection.execute(sa.insert(table).values(**row))
    return _rows(engine, {table.name: table.columns.keys() for table in tables})


def _rows(engine: sa.Engine, columns: Mapping[str, Iterable[str]]) -> Rows:
    """What the tables of `columns` hold in these columns."""
    tables = {table.name: table for table in _tables(engine)}
    with engine.connect() as connection:
        return {
            name: [
                dict(row)
                for row in connection.execute(
                    sa.select(*(tables[name].columns[column] for column in wanted))
                ).mappings()
            ]
            for name, wanted in columns.items()
        }


def _value(column: sa.Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.JSON):
        return {}
    if isinstance(kind, sa.DateTime):
        return NOW
    if isinstance(kind, sa.Integer | sa.Float):
        return 1
    return "1"
