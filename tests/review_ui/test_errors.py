"""What a fault of the node tells the log and the screen: where, never whom."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask import Flask
from structlog.testing import capture_logs

from core.store import Store
from tests.support.review_case import Reviewer


def test_a_crash_is_logged_by_type_and_route_without_any_value(
    app: Flask, store: Store, anna: Reviewer
) -> None:
    def crash(case_id: str) -> str:
        with store.engine.connect() as connection:
            patient = {"name": "Synthetic^Alma", "case": case_id}
            connection.execute(sa.text("SELECT * FROM nowhere WHERE a = :name"), patient)
        return "never"

    app.add_url_rule("/api/crash/<case_id>", view_func=crash)
    with capture_logs() as logged:
        answer = anna.get("/api/crash/4711?patient=Alma")
    assert answer.status_code == 500
    (entry,) = logged
    where = entry.pop("at")
    assert entry == {
        "event": "review.crashed",
        "log_level": "error",
        "kind": "OperationalError",
        "route": "GET /api/crash/<case_id>",
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
