"""Rollback and shadow with a real worker: predicted again, measured, and nobody sees the shadow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.clinic import wait_for
from app.room import Room
from core.config import load_settings
from core.records import ShadowPrediction
from core.store import open_store
from tests.support.bodies import CT, HEART
from tests.support.review_case import put_case
from tests.support.room import approve_mask
from tests.support.settings import REPOSITORY, small_model, write_config
from tests.support.versions import put_real

PATIENCE_S = 300.0


@contextmanager
def running_worker(config: Path) -> Iterator[None]:
    """The worker alone, as the supervisor starts it."""
    with (config.parent / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "app.worker", str(config)],
            cwd=REPOSITORY, stdout=log, stderr=log,
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
            start_new_session=True,  # as in tests/support/node.py
        )  # fmt: skip
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(timeout=60)


@pytest.mark.slow
def test_a_rollback_reaches_unreviewed_cases_and_a_shadow_is_measured_on_what_is_approved(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, model=small_model(8.0), jobs={"poll_s": 0.2})
    settings = load_settings(config)
    room = Room(settings, open_store(settings))
    store = room.store
    older, newer = put_real(room, 1), put_real(room, 2)
    store.models.run_in_shadow(
        older, who="otto", now=store.learning.versions("Heart")[0].released_at
    )
    case_id = put_case(store, CT)

    def shown() -> str | None:
        found = store.cases.latest_prediction(store.cases.get(case_id), "Heart")
        return None if found is None else found.model_version

    def shadow(figure: str) -> ShadowPrediction | None:
        return next((s for s in store.shadows.of(older) if figure in s.figures), None)

    with running_worker(config):
        wait_for(lambda: shown() == newer, timeout_s=PATIENCE_S, what="what is in service")
        seen = wait_for(
            lambda: shadow("against_served"), timeout_s=PATIENCE_S, what="the shadow's figures"
        )
        assert seen.figures["served_version"] == newer
        assert shown() == newer

        store.models.roll_back(older, who="otto", now=room.now())
        wait_for(lambda: shown() == older, timeout_s=PATIENCE_S, what="the older version")
        approve_mask(room, case_id, HEART)
        found = wait_for(
            lambda: shadow("against_approved"), timeout_s=PATIENCE_S, what="more figures"
        )
        # What was in shadow is in service now: both did the same.
        assert found.figures["against_served"]["dice"] == 1.0
        assert found.figures["served_against_approved"] == found.figures["against_approved"]
        (check,) = wait_for(lambda: store.checks.all("Heart"), timeout_s=PATIENCE_S, what="a check")
        assert check.case_id == case_id
        assert check.figures["expected_dice"] is not None
    store.engine.dispose()
