"""What a fault of the node tells the log and the screen: where, never whom."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask, abort
from structlog.testing import capture_logs

from core.store import Store
from core.volume import Volume
from tests.support.review_case import Reviewer, put_case, small_geometry


def test_a_crash_is_logged_by_type_and_route_without_any_value(
    app: Flask, store: Store, anna: Reviewer
) -> None:
    def crash(word: str) -> str:
        with store.engine.connect() as connection:
            patient = {"name": "Synthetic^Alma", "case": word}
            connection.execute(sa.text("SELECT * FROM nowhere WHERE a = :name"), patient)
        return "never"

    app.add_url_rule("/api/crash/<word>", view_func=crash)
    with capture_logs() as logged:
        answer = anna.get("/api/crash/4711?patient=Alma")
    assert answer.status_code == 500
    (entry,) = logged
    where = entry.pop("at")
    assert entry == {
        "event": "review.crashed",
        "log_level": "error",
        "kind": "OperationalError",
        "route": "GET /api/crash/<word>",
    }
    assert re.fullmatch(r"[\w.]+:\d+", str(where))
    for text in (str(logged), answer.text):
        assert "Alma" not in text
        assert "4711" not in text


def test_a_crash_says_in_which_line_of_our_code(store: Store, anna: Reviewer) -> None:
    with store.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE training_round"))
    with capture_logs() as logged:
        assert anna.get("/api/status").status_code == 500
    assert logged[0]["route"] == "GET /api/status"
    assert str(logged[0]["at"]).startswith("core.learning_store:")


class FromPostgresql(Exception):  # noqa: N818
    """An error of its driver; without a state there was no connection."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("FATAL: of patient Alma")
        self.sqlstate = sqlstate


def _broken_by(error: Exception) -> Callable[..., Any]:
    def connect(_engine: sa.Engine) -> Any:
        raise sa.exc.OperationalError("SELECT 1", {"name": "Alma"}, error)

    return connect


def test_while_the_database_is_away_every_page_says_so_and_asks_it_nothing(
    anna: Reviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sa.Engine, "connect", _broken_by(FromPostgresql(None)))
    for path in ("/", "/login", "/api/worklist", "/no-such-page"):
        answer = anna.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
        assert "database of the node does not answer" in answer.text


@pytest.mark.parametrize(
    "error",
    [
        FromPostgresql("53100"),
        sqlite3.OperationalError("database or disk is full"),
    ],
)
def test_a_database_without_room_is_said(
    anna: Reviewer, store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, error)

    geometry = small_geometry()
    case_id = put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    monkeypatch.setattr(type(store.reviews), "release", full)
    answer = anna.post(f"/api/cases/{case_id}/release", tab="0" * 32)
    assert answer.status_code == 507
    assert answer.get_json()["error"]["kind"] == "full"


def test_a_page_that_is_not_there_says_so_in_our_words_and_leads_back(anna: Reviewer) -> None:
    answer = anna.get("/no-such-page")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text
    assert 'href="/"' in answer.text


def test_what_a_page_says_of_a_missing_thing_stays_as_it_is(app: Flask, anna: Reviewer) -> None:
    def missing() -> NoReturn:
        abort(404, "This delivery is not there.")

    app.add_url_rule("/missing", view_func=missing)
    assert "This delivery is not there." in anna.get("/missing").text
