"""The audit page: who did what, asked for by user, action, case and day, page by page."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from core import audit
from core.store import Store
from review_ui.accounts import create_user
from review_ui.roles import ADMIN
from tests.support.review_case import PASSWORD, Reviewer

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
CASE = "ab" * 16


@pytest.fixture
def otto(app: Flask) -> Reviewer:
    create_user(app, "otto", PASSWORD, ADMIN)
    return Reviewer.log_in(app, "otto")


@pytest.fixture
def written(store: Store) -> None:
    """Five rows of three people on four days."""
    rows: list[tuple[str, str, int, str | None, dict[str, Any]]] = [
        ("berta", "case.taken_over", 0, CASE, {"before": "anna"}),
        ("node", "delivery.sent", 1, CASE, {"destination": "TPS", "sop_instance_uid": "1.2.3"}),
        ("carl", "model.pinned", 2, None, {"before": {"pinned": False}, "after": {"pinned": True}}),
        ("berta", "case.rejected", 3, "cd" * 16, {"reason": "<b>cut</b>"}),
        ("carl", "dicom.fetched", 3, None, {"studies": ["1.2", "1.3"], "case": None}),
    ]
    with store.engine.begin() as connection:
        for who, event, days, case_id, detail in rows:
            now = NOON + timedelta(days=days)
            audit.record(connection, who=who, event=event, now=now, case_id=case_id, **detail)


def rows(text: str) -> list[tuple[str, ...]]:
    """Cells of each row, without the time."""
    found = []
    for row in re.findall(r"<tr>\s*<td>.*?</tr>", text, flags=re.DOTALL):
        cells = re.findall(r"<t[dh].*?</t[dh]>", row, flags=re.DOTALL)
        plain = [html.unescape(" ".join(re.sub(r"<[^>]+>", " ", c).split())) for c in cells]
        found.append(tuple(plain[1:]))
    return found


@pytest.mark.usefixtures("written")
def test_every_entry_says_who_did_what_on_which_case_the_newest_first(otto: Reviewer) -> None:
    found = rows(otto.get("/audit/").text)
    # Written down last: what the test itself did.
    assert [row[:2] for row in found[:2]] == [("otto", "login"), ("console", "account created")]
    assert found[2:7] == [
        ("carl", "dicom fetched", found[0][2], "studies 1.2, 1.3 case none"),
        ("berta", "case rejected", "cdcdcdcd", "reason <b>cut</b>"),
        ("carl", "model pinned", found[0][2], "before pinned no after pinned yes"),
        ("node", "delivery sent", "abababab", "destination TPS sop instance uid 1.2.3"),
        ("berta", "case taken over", "abababab", "before anna"),
    ]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("who=berta", ["case rejected", "case taken over"]),
        ("event=model.pinned", ["model pinned"]),
        (f"case={CASE}", ["delivery sent", "case taken over"]),
        (f"case={CASE}&who=node", ["delivery sent"]),
        ("since=2026-03-11&until=2026-03-12", ["model pinned", "delivery sent"]),
        ("until=2026-03-10", ["case taken over"]),
        ("who=nobody", []),
    ],
)
def test_it_is_asked_by_user_action_case_and_day(
    otto: Reviewer, query: str, events: list[str]
) -> None:
    assert [row[1] for row in rows(otto.get(f"/audit/?{query}").text)] == events
    table = csv.DictReader(io.StringIO(otto.get(f"/audit/audit.csv?{query}").text))
    assert [row["event"].replace(".", " ").replace("_", " ") for row in table] == events


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("query", ["since=yesterday", "until=9999-12-31", "page=king", "page=-3"])
def test_what_makes_no_sense_is_as_if_it_were_not_there(otto: Reviewer, query: str) -> None:
    assert len(rows(otto.get(f"/audit/?{query}").text)) == len(rows(otto.get("/audit/").text))


@pytest.mark.usefixtures("written")
def test_the_form_keeps_what_was_asked_and_a_case_leads_to_all_of_it(otto: Reviewer) -> None:
    text = otto.get("/audit/?who=berta&since=2026-03-01").text
    assert "<option selected>berta</option>" in text
    assert 'name="since" value="2026-03-01"' in text
    assert f'href="/audit/?case={CASE}"' in text
    assert "who=berta" in re.search(r'href="(/audit/audit.csv[^"]*)"', text)[1]  # type: ignore[index]


@pytest.mark.usefixtures("written")
def test_the_table_is_whole_and_harmless_and_taking_it_is_audited(otto: Reviewer) -> None:
    answer = otto.get("/audit/audit.csv?who=berta")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    last = list(csv.DictReader(io.StringIO(answer.text)))[-1]
    assert last == {
        "at": "2026-03-10T12:00:00+00:00",
        "who": "berta",
        "event": "case.taken_over",
        "case_id": CASE,
        "detail": '{"before": "anna"}',
    }
    assert rows(otto.get("/audit/").text)[0] == ("otto", "audit downloaded", "–", "rows 2")  # noqa: RUF001


def test_pages_of_a_hundred(otto: Reviewer, store: Store) -> None:
    with store.engine.begin() as connection:
        for number in range(250):
            audit.record(connection, who="node", event="delivery.sent", now=NOON, number=number)
    counts = [len(rows(otto.get(f"/audit/?who=node&page={n}").text)) for n in (1, 2, 3, 9)]
    assert counts == [100, 100, 50, 50]
    assert rows(otto.get("/audit/?who=node&page=3").text)[-1][3] == "number 0"
    text = otto.get("/audit/?who=node&page=2").text
    assert "Page 2 of 3" in text
    assert re.search(r'href="/audit/\?page=3[^"]*who=node', text)


def test_nothing_found_says_what_to_do_and_who_may_not_read_is_refused(
    otto: Reviewer, anna: Reviewer
) -> None:
    assert "No entry fits" in otto.get("/audit/?who=nobody").text
    assert 'href="/audit/"' in otto.get("/").text
    assert 'href="/audit/"' not in anna.get("/").text
    assert anna.get("/audit/").status_code == 403
    assert anna.get("/audit/audit.csv").status_code == 403
