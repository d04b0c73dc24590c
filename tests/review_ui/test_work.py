"""Times of work: whose they are, who sees them, and how they are drawn."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from flask import Flask

from core.records import ASSISTED, MANUAL
from core.store import Store
from core.timing_store import MOST_EVENTS
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.roles import PHYSICIST
from tests.support.review_case import NOW, PASSWORD, Reviewer, put_case, small_geometry

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)


@pytest.fixture
def case_ids(store: Store) -> list[str]:
    return [put_case(store, CT, patient_id=f"P-{n}") for n in range(3)]


def work(store: Store, case_id: str, *, who: str, start_s: float, took_s: int, arm: str) -> None:
    moments = [NOW + timedelta(seconds=start_s + s) for s in range(0, took_s + 1, 10)]
    store.timing.add(case_id, "Heart", [(at, "position", {}) for at in moments], who=who, arm=arm)


def test_ones_own_cases_stand_in_order_with_the_median_of_each_arm(
    anna: Reviewer, store: Store, case_ids: list[str]
) -> None:
    for n, (case_id, took_s, arm) in enumerate(
        zip(case_ids, (250, 120, 430), (ASSISTED, ASSISTED, MANUAL), strict=True)
    ):
        work(store, case_id, who="anna", start_s=3600 * n, took_s=took_s, arm=arm)
    work(store, case_ids[0], who="bert", start_s=9e5, took_s=900, arm=ASSISTED)
    page = anna.get("/work").text
    rows = re.findall(r'data-case-id="(\w+)" data-arm="(\w+)" data-seconds="([\d.]+)"', page)
    assert rows == [
        (case_ids[2], "manual", "430.0"),
        (case_ids[1], "assisted", "120.0"),
        (case_ids[0], "assisted", "250.0"),
    ]
    assert re.findall(r'data-arm="(\w+)"><span class="figure">([^<]+)', page) == [
        ("assisted", "3 min 5 s"),
        ("manual", "7 min 10 s"),
    ]
    heights = [float(y) for y in re.findall(r'<circle[^>]* cy="([\d.]+)"', page)]
    # The longer it took, the higher; even spaces between equal times.
    low, lowest, high = heights
    assert high < low < lowest
    assert (lowest - low) / (low - high) == pytest.approx((250 - 120) / (430 - 250), rel=0.02)


def test_the_times_of_others_are_for_physicists_and_administrators(
    app: Flask, anna: Reviewer, store: Store, case_ids: list[str]
) -> None:
    create_user(app, "phil", PASSWORD, PHYSICIST)
    work(store, case_ids[0], who="bert", start_s=0, took_s=60, arm=ASSISTED)
    assert anna.get("/work?user=bert").status_code == 403
    assert case_ids[0] not in anna.get("/work").text
    assert "1 min 0 s" in Reviewer.log_in(app, "phil").get("/work?user=bert").text


def test_the_figures_of_a_case_tell_everybody_their_own_time_and_some_all_of_them(
    app: Flask, anna: Reviewer, store: Store, case_ids: list[str]
) -> None:
    create_user(app, "phil", PASSWORD, PHYSICIST)
    for who, took_s in (("anna", 30), ("bert", 60)):
        work(store, case_ids[0], who=who, start_s=0, took_s=took_s, arm=ASSISTED)
    page = f"/cases/{case_ids[0]}/figures"
    assert re.findall(r"(\w+) min (\w+) s<", anna.get(page).text) == []
    assert "30 s<" in anna.get(page).text
    assert "bert" not in anna.get(page).text.split("<h2>Time")[1]
    told = Reviewer.log_in(app, "phil").get(page).text
    assert "30 s<" in told
    assert "1 min 0 s<" in told


def test_a_page_that_sends_without_end_does_not_fill_the_store(
    store: Store, case_ids: list[str]
) -> None:
    many: list[tuple[datetime, str, dict[str, Any]]] = [
        (NOW + timedelta(seconds=n), "zoom", {}) for n in range(MOST_EVENTS - 1)
    ]
    assert store.timing.add(case_ids[0], "Heart", many, who="anna", arm=ASSISTED) == MOST_EVENTS - 1
    assert store.timing.add(case_ids[0], "Heart", many[:5], who="anna", arm=ASSISTED) == 1
    assert store.timing.add(case_ids[0], "Heart", many[:5], who="anna", arm=ASSISTED) == 0
    assert store.timing.add(case_ids[0], "Heart", many[:5], who="bert", arm=ASSISTED) == 5
