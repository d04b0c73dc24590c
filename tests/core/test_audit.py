"""The chain of the audit: whatever is done to a row afterwards shows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from core import audit
from core.database import writing
from core.store import Store, open_store
from tests.support.postgresql import postgresql
from tests.support.settings import settings_for

NOW = datetime(2026, 11, 29, 8, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(settings_for(tmp_path))
    filled(opened)
    yield opened
    opened.engine.dispose()


def filled(store: Store) -> None:
    for n in range(5):
        with writing(store.engine) as connection:
            at = NOW + timedelta(seconds=n)
            detail: dict[str, Any] = {"z": [1, 2.5, None], "a": "ö", "n": n}
            audit.record(connection, who="anna", event="case.looked_at", now=at, **detail)


def changed(store: Store, statement: str) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.text(statement))


def test_rows_that_nobody_touched_follow_from_one_another(store: Store) -> None:
    found = store.audit.chain()
    assert (found.rows, found.broken_at, found.holds_noted) == (5, None, True)
    assert len(found.newest) == 64


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET who = 'otto' WHERE id = 3", 3),
        ("UPDATE audit SET at = '2026-11-28 08:30:02.123456' WHERE id = 3", 3),
        ("UPDATE audit SET case_id = 'a' WHERE id = 1", 1),
        ("UPDATE audit SET detail = '{}' WHERE id = 5", 5),
        ("DELETE FROM audit WHERE id = 2", 3),
        ("DELETE FROM audit WHERE id = 1", 2),
        ("UPDATE audit SET id = 9 WHERE id = 2", 3),
    ],
)
def test_a_row_that_was_changed_taken_out_or_moved_shows(
    store: Store, statement: str, broken_at: int
) -> None:
    changed(store, statement)
    assert store.audit.chain().broken_at == broken_at


def test_rows_cut_off_at_the_end_show_to_whoever_noted_the_newest(
    store: Store, tmp_path: Path
) -> None:
    config = str(tmp_path / "config.yaml")
    noted = store.audit.chain().newest[:16]
    changed(store, "DELETE FROM audit WHERE id > 3")
    assert store.audit.chain().broken_at is None
    answer = CliRunner().invoke(app, ["audit", "verify", "--config", config])
    assert (answer.exit_code, answer.stdout.splitlines()[0][:7]) == (0, "3 rows,")
    answer = CliRunner().invoke(app, ["audit", "verify", "--config", config, "--noted", noted])
    assert answer.exit_code == 1
    assert "newer rows were taken out" in answer.stdout


def test_the_chain_holds_where_numbers_are_keys(store: Store) -> None:
    with store.engine.begin() as connection:
        audit.record(connection, who="anna", event="case.opened", now=NOW, slices={2: 1, 10: 2})
    assert store.audit.chain().broken_at is None


@pytest.mark.peer
def test_writers_at_once_on_postgresql_make_one_chain(tmp_path: Path) -> None:
    with postgresql() as url:
        settings = settings_for(tmp_path).model_copy(update={"database_url": url})
        opened = open_store(settings)

        def write(number: int) -> None:
            # As the accounts do: a transaction of their own, not `writing`.
            with opened.engine.begin() as connection:
                audit.record(connection, who=f"w{number}", event="account.changed", now=NOW)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(40)))
        found = opened.audit.chain()
        opened.engine.dispose()
    assert (found.rows, found.broken_at) == (40, None)
