"""Time on cases as the database counts it, against the same events counted one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from core.store import Store, open_store
from core.timing import active_s
from core.volume import Volume
from tests.support.postgresql import postgresql
from tests.support.review_case import put_case, small_geometry
from tests.support.settings import settings_for

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PAUSES_S = (0.0, 0.001, 0.25, 3.0, 19.999, 20.0, 20.001, 900.0)
GRID = small_geometry()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    with ExitStack() as stack:
        url = stack.enter_context(postgresql()) if request.param == "postgresql" else ""
        opened = open_store(settings_for(tmp_path, database_url=url))
        yield opened
        opened.engine.dispose()


def test_the_database_counts_as_one_would_by_hand(store: Store) -> None:
    rng = random.Random(3)
    ct = Volume(np.zeros(GRID.shape, np.int16), GRID)
    cases = [put_case(store, ct, patient_id=f"P-{n}") for n in range(3)]
    done: dict[str, list[tuple[datetime, tuple[str, str]]]] = {}
    for who in ("anna", "bert", "carla"):
        at, what = START, (cases[0], "assisted")
        for _ in range(150):
            at += timedelta(seconds=rng.choice(PAUSES_S))
            if rng.random() < 0.2:
                what = rng.choice(cases), rng.choice(["assisted", "observer"])
            store.timing.add(what[0], "Heart", [(at, "slice", {})], who=who, arm=what[1])
            done.setdefault(who, []).append((at, what))
    # One who worked on a single case, with a single event.
    store.timing.add(cases[2], "Heart", [(START, "open", {})], who="dora", arm="manual")
    done["dora"] = [(START, (cases[2], "manual"))]

    expected = {who: active_s(events) for who, events in done.items()}
    for who, by_case in expected.items():
        found = store.timing.work_of(who)
        assert {(w.case_id, w.arm): w.seconds for w in found} == pytest.approx(by_case)
        first = {what: min(at for at, w in done[who] if w == what) for what in by_case}
        assert [w.begun_at for w in found] == sorted(first.values())
        assert {(w.case_id, w.arm): w.begun_at for w in found} == first
    for case_id in cases:
        told = {(w.who, w.arm): w.seconds for w in store.timing.work_on(case_id)}
        assert told == pytest.approx(
            {
                (who, arm): seconds
                for who, by_case in expected.items()
                for (case, arm), seconds in by_case.items()
                if case == case_id
            }
        )
