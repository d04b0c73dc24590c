"""The deliveries page: every state in words, page by page, and what failed is sent again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from core.journal import encode_runs
from core.records import Correction, JournalEntry
from core.store import Store
from core.tables import commitment_asked, delivery
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.roles import VIEWER
from tests.support.review_case import ASSEMBLY, PASSWORD, Reviewer, put_case, small_geometry

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
LONG_AGO = datetime.now(UTC) - timedelta(hours=2)
SOON = datetime.now(UTC) + timedelta(days=1)


def approved_case(store: Store, destinations: list[str], *, hold_s: float = 0.0) -> str:
    """A case whose structure set is on its way to these destinations."""
    case_id = put_case(store, CT)
    now = datetime.now(UTC)
    store.reviews.open(case_id, "Heart", who="anna", tab="t", now=now, lock_s=600)
    entry = JournalEntry(1, "stroke", {"tool": "add", "runs": encode_runs([1])})
    store.reviews.append(case_id, "Heart", entry, who="anna", tab="t", now=now)
    made = Correction(
        id=case_id, case_id=case_id, assembly=ASSEMBLY, roi_name="Heart", prediction_id=None,
        approved_by="anna", approved_at=now, mask_digest="d" * 64, slices_seen=(), journal_seq=1,
    )  # fmt: skip
    store.reviews.approve(made, tab="t", destinations=destinations, now=now, hold_s=hold_s)
    return case_id


def change(store: Store, destination: str, **values: Any) -> str:
    """The id of the delivery to `destination`, now with these values."""
    same = delivery.c.destination == destination
    with store.engine.begin() as connection:
        if values:
            connection.execute(sa.update(delivery).where(same).values(**values))
        return str(connection.scalar(sa.select(delivery.c.id).where(same)))


def ask_commitment(store: Store, destination: str, state: str, error: str = "") -> None:
    delivery_id = change(store, destination, state="SENT", attempts=1, sent_at=LONG_AGO)
    store.asked.expect(delivery_id, [], destination=destination, now=LONG_AGO)
    same = commitment_asked.c.delivery_id == delivery_id
    with store.engine.begin() as connection:
        connection.execute(
            sa.update(commitment_asked).where(same).values(state=state, last_error=error)
        )


def table(text: str) -> dict[str, list[str]]:
    """The cells of each row, by destination."""
    found = {}
    for row in re.findall(r"<tr data-state=.*?</tr>", text, flags=re.DOTALL):
        cells = [
            " ".join(re.sub(r"<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[dh].*?</t[dh]>", row, flags=re.DOTALL)
        ]
        found[cells[1]] = cells
    return found


@pytest.fixture
def every_state(store: Store) -> str:
    """One delivery in each state; returns the case of those that were not undone."""
    names = ["Waits", "Leaves", "Again", "Stopped", "Has", "Keeps", "Refuses"]
    case_id = approved_case(store, names)
    change(store, "Leaves", begun_at=LONG_AGO, next_try_at=LONG_AGO)
    again = {"attempts": 3, "last_error": "TPS cannot be reached."}
    change(store, "Again", begun_at=LONG_AGO, next_try_at=SOON, **again)
    change(store, "Stopped", state="HELD", begun_at=LONG_AGO, last_error="Does not read back.")
    change(store, "Has", state="SENT", attempts=1, sent_at=LONG_AGO)
    ask_commitment(store, "Keeps", "COMMITTED")
    ask_commitment(store, "Refuses", "REFUSED", "No space left.")
    held = approved_case(store, ["Undone"], hold_s=3600)
    store.flow.take_back(held, "Heart", who="anna", tab="t", now=datetime.now(UTC), lock_s=600)
    approved_case(store, ["Held"], hold_s=3600)
    return case_id


def test_every_state_is_told_with_its_last_answer_and_what_comes_next(
    anna: Reviewer, every_state: str
) -> None:
    text = anna.get("/deliveries/").text
    rows = table(text)
    told = {name: (cells[2], cells[3], cells[5]) for name, cells in rows.items()}
    silent = "Nothing was heard yet."
    assert told == {
        "Waits": ("waiting", "0", silent),
        "Leaves": ("sending", "0", silent),
        "Again": ("failed", "3", "TPS cannot be reached."),
        "Stopped": ("failed", "0", "Does not read back."),
        "Has": ("delivered", "1", "Accepted."),
        "Keeps": ("committed", "1", "Accepted; the destination answers for keeping it."),
        "Refuses": ("failed", "1", "No space left."),
        "Held": ("held", "0", silent),
        "Undone": ("undone", "0", "Nothing left the node."),
    }
    assert re.fullmatch(r"in \d{4} min", rows["Again"][4])
    assert rows["Stopped"][4] == "not by itself"
    assert rows["Has"][4] not in {"now", "not by itself"}
    assert f'href="/cases/{every_state}"' in text
    assert text.count(">Send again<") == 3


def test_one_state_is_asked_for_and_an_unknown_one_is_all(anna: Reviewer, every_state: str) -> None:
    failed = anna.get("/deliveries/?state=failed").text
    assert set(table(failed)) == {"Again", "Stopped", "Refuses"}
    assert re.search(r'state=failed" aria-current="page">failed <span class="count">3<', failed)
    assert len(table(anna.get("/deliveries/?state=king").text)) == 9


def test_what_failed_is_sent_again_at_once_and_audited(
    anna: Reviewer, store: Store, every_state: str
) -> None:
    for name in ("Again", "Stopped", "Refuses"):
        answer = anna.post(f"/deliveries/{change(store, name)}/send-again")
        assert answer.status_code == 303
    due = {d.destination for d in store.deliveries.due(now=datetime.now(UTC))}
    assert due == {"Again", "Stopped", "Refuses", "Waits", "Leaves"}
    query = "select who, case_id, event from audit where event = 'delivery.retried'"
    with store.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.text(query))]
    assert rows == [("anna", every_state, "delivery.retried")] * 3


def test_a_form_leads_back_to_where_it_was(anna: Reviewer, store: Store, every_state: str) -> None:
    path = f"/deliveries/{change(store, 'Again')}/send-again"
    form = {"csrf_token": anna.csrf_token, "state": "failed", "page": "1"}
    answer = anna.client.post(path, data=form)
    assert answer.headers["Location"] == "/deliveries/?state=failed&page=1"


def test_what_arrived_or_has_not_been_tried_is_not_sent_again(
    anna: Reviewer, store: Store, every_state: str
) -> None:
    for name in ("Has", "Keeps", "Waits", "Held"):
        answer = anna.post(f"/deliveries/{change(store, name)}/send-again")
        assert answer.status_code == 409
        assert "There is nothing to send again" in answer.text
    assert anna.post(f"/deliveries/{'0' * 32}/send-again").status_code == 404


def test_who_only_looks_sees_no_button_and_a_form_without_its_token_sends_nothing(
    app: Flask, anna: Reviewer, store: Store, every_state: str
) -> None:
    create_user(app, "vera", PASSWORD, VIEWER)
    vera = Reviewer.log_in(app, "vera")
    assert "Send again" not in vera.get("/deliveries/").text
    path = f"/deliveries/{change(store, 'Again')}/send-again"
    assert vera.post(path).status_code == 403
    assert anna.client.post(path).status_code == 400
    assert "Again" not in {d.destination for d in store.deliveries.due(now=datetime.now(UTC))}


def test_more_than_fifty_are_turned_page_by_page(anna: Reviewer, store: Store) -> None:
    names = [f"D{number:03d}" for number in range(120)]
    approved_case(store, names)
    pages = [list(table(anna.get(f"/deliveries/?page={n}").text)) for n in (1, 2, 3, 99)]
    assert [len(page) for page in pages] == [50, 50, 20, 20]
    assert [*pages[0], *pages[1], *pages[2]] == names
    second = anna.get("/deliveries/?state=waiting&page=2").text
    assert "Page 2 of 3" in second
    assert 'href="/deliveries/?page=1&amp;state=waiting"' in second


def test_empty_pages_say_what_to_do(anna: Reviewer, store: Store) -> None:
    text = anna.get("/deliveries/").text
    assert "Nothing was approved yet" in text
    assert "goes to TPS and is followed here" in text
    approved_case(store, ["TPS"])
    text = anna.get("/deliveries/?state=failed").text
    assert "No delivery is failed" in text
    assert "Show all deliveries" in text
    assert 'href="/deliveries/"' in anna.get("/").text
