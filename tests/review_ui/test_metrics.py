"""Whoever watches the node gets its figures, with a key that opens nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from typer.testing import CliRunner

from app.cli import app as commands
from app.room import Room
from core.config import Settings
from core.errors import AccountError
from core.rules import for_training
from core.store import Store
from core.volume import Volume
from review_ui import create_app
from tests.support.review_case import NOW, ROUTING, Reviewer, box_mask, put_case, small_geometry
from tests.support.room import approve_mask
from tests.support.settings import settings_for
from tests.support.versions import A, put_version

GRID = small_geometry()
CT = Volume(np.zeros(GRID.shape, np.int16), GRID)
HEART = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 6)))


def figures(app: Flask, key: str) -> dict[str, float]:
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    # Prometheus' own grammar of a line.
    good = re.compile(r'recontour_[a-z_]+(\{[a-z]+="[^"]*"\})? -?[0-9.e+-]+')
    assert [line for line in lines if not good.fullmatch(line)] == []
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_figures_are_those_of_the_store(settings: Settings, store: Store) -> None:
    app = create_app(settings, store, now=lambda: NOW + timedelta(hours=1))
    key = store.keys.add("prometheus", who="console", now=NOW)
    before = figures(app, key)
    assert before["recontour_instances_total"] == 0
    assert before["recontour_case_oldest_waiting_seconds"] == 0

    approved = put_case(store, CT, prediction=HEART)
    put_case(store, CT)
    put_version(store, A, 1)
    approve_mask(Room(settings, store), approved, HEART)
    (row,) = store.deliveries.all(case_id=approved)
    store.deliveries.begin(row.id, now=NOW + timedelta(days=3650))
    store.deliveries.tried(row.id, error="nobody there", next_try_at=NOW)
    told = figures(app, key)
    assert told["recontour_instances_total"] == 2
    assert told['recontour_cases{state="APPROVED"}'] == 1
    assert told['recontour_cases{state="ASSEMBLED"}'] == 1
    assert told["recontour_predictions_total"] == 1
    with store.engine.connect() as connection:
        seconds = connection.execute(sa.text("SELECT sum(seconds) FROM prediction")).scalar()
    assert told["recontour_prediction_seconds_total"] == seconds
    assert told["recontour_case_oldest_waiting_seconds"] == 3600
    assert told['recontour_deliveries{state="QUEUED"}'] == 1
    assert told["recontour_deliveries_failed"] == 1
    assert told["recontour_disk_reserve_bytes"] == settings.disk_reserve_mb * 1e6
    assert told["recontour_disk_free_bytes"] > 0


def test_only_what_a_prediction_is_made_for_counts_as_waiting(
    settings: Settings, store: Store
) -> None:
    app = create_app(settings, store, now=lambda: NOW + timedelta(hours=1))
    key = store.keys.add("prometheus", who="console", now=NOW)

    def waited() -> float:
        return figures(app, key)["recontour_case_oldest_waiting_seconds"]

    put_case(store, CT, routing=for_training("Heart"))
    put_version(store, A, 1)
    assert waited() == 0  # imported: nobody predicts on it
    put_case(store, CT, routing=replace(ROUTING, structures=("Esophagus",)))
    assert waited() == 0  # no model of it is in service
    put_case(store, CT)
    assert waited() == 3600


def test_a_key_opens_the_metrics_alone_and_until_it_is_removed(app: Flask, store: Store) -> None:
    key = store.keys.add("prometheus", who="console", now=NOW)
    client, bearer = app.test_client(), {"Authorization": f"Bearer {key}"}
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint not in {"static", "security.login"}:
            path = re.sub(r"<(?:\w+:)?\w+>", "1", rule.rule)
            opens = client.get(path, headers=bearer).status_code < 300
            assert opens == (rule.rule in {"/metrics", "/healthz", "/readyz"}), rule.rule
    # A key is no login and saves no token.
    assert client.post("/search", headers=bearer, data={"q": "x"}).status_code == 400
    store.keys.remove("prometheus", who="console", now=NOW)
    assert client.get("/metrics", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer ", "Bearer wrong", "Bearer \xff", "Basic YTpi", "Bearer", "bearer a b"]
)
def test_without_a_key_or_a_login_there_are_no_figures(app: Flask, header: str) -> None:
    answer = app.test_client().get("/metrics", headers={"Authorization": header})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "recontour_" not in answer.text


def test_keys_are_made_listed_and_removed_at_the_console_and_kept_nowhere(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        answer = CliRunner().invoke(
            commands, [*arguments, "--config", str(tmp_path / "config.yaml")]
        )
        if answer.exception is not None and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        return answer.stdout.strip()

    settings = settings_for(tmp_path)
    key = run("key", "add", "grafana")
    assert re.fullmatch(r"[\w-]{43}", key)
    with pytest.raises(AccountError, match="already"):
        run("key", "add", "grafana")
    with pytest.raises(AccountError, match="cannot name"):
        run("key", "add", "a b")
    assert run("key", "list").startswith("grafana: since 2")
    run("key", "remove", "grafana")
    with pytest.raises(AccountError, match="no key"):
        run("key", "remove", "grafana")
    assert run("key", "list") == ""
    kept = b"".join(path.read_bytes() for path in settings.data_folder.glob("recontour.db*"))
    assert key.encode() not in kept
    assert b"key.removed" in kept


def test_a_node_without_database_or_disk_is_alive_and_not_ready(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    assert create_app(settings, store).test_client().get("/readyz").text == "ready"
    full = settings.model_copy(update={"disk_reserve_mb": 10**9})
    answer = create_app(full, store).test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: disk")
    app = create_app(settings, store)
    store.engine.dispose()
    (settings.data_folder / "recontour.db").rename(tmp_path / "gone")
    (settings.data_folder / "recontour.db").mkdir()
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: database")
    assert app.test_client().get("/healthz").text == "ok"


def test_a_reviewer_reads_no_figures(anna: Reviewer) -> None:
    assert anna.get("/metrics").status_code == 403
