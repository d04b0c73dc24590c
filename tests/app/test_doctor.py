"""The doctor on a node with one thing wrong at a time."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from typer.testing import CliRunner
from werkzeug.serving import make_server

from app.checks.storage import clock, file_system
from app.cli import app
from app.doctor import diagnose, is_healthy
from core.config import Settings, load_settings
from core.database import MIGRATIONS, open_engine
from core.model_files import WEIGHTS_FILE
from core.model_tables import model_state, model_version
from model.cascade import fresh_cascade
from model.registry import ModelDescription, publish
from review_ui import create_app
from tests.app.doctor_cases import (
    FAIL,
    OK,
    WARN,
    configured,
    database_of,
    found,
    node_at,
    opened,
)
from tests.support.settings import config_of, free_port, peer_values, under_the_name


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of a node that does not run, whose only peer does not answer."""
    return configured(tmp_path)


# --- all well


def test_a_node_that_runs_with_its_peers_is_healthy(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(2)]
    config = configured(tmp_path, tps_port=ports[1], dicom={"port": ports[0]})
    (tmp_path / "tps").mkdir()
    tps = configured(
        tmp_path / "tps",
        dicom={"port": ports[1], "ae_title": "TPS"},
        peers=[peer_values("RECONTOUR", port=ports[0])],
        rules=[{"name": "r", "structures": ["Heart"], "destinations": ["RECONTOUR"]}],
    )
    settings = load_settings(config)
    with node_at(config) as node, node_at(tps):
        server = make_server("127.0.0.1", settings.review.port, create_app(settings, node.store))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        findings = diagnose(config)
        server.shutdown()
        server.server_close()
    assert {f.check: f.state for f in findings if f.state is not OK} == {}
    told = {f.check: f.found for f in findings}
    assert told[f"DICOM port {ports[0]}"] == "RECONTOUR answers C-ECHO"
    assert told[f"review page port {settings.review.port}"] == "the page answers"
    assert "answers C-ECHO" in told["peer TPS"]


def test_a_node_that_was_never_started_is_told_so_and_nothing_is_made(config: Path) -> None:
    findings = {f.check: f for f in diagnose(config)}
    assert findings["data folder"].state is WARN
    assert findings["database"].state is WARN
    assert not load_settings(config).data_folder.exists()


# --- configuration and storage


def test_a_wrong_key_of_the_configuration_is_named(config: Path) -> None:
    config.write_text(config.read_text().replace("ae_title: RECONTOUR", "ae_titel: RECONTOUR"))
    assert found(config, "configuration").state is FAIL
    assert "dicom.ae_titel" in found(config, "configuration").found


def test_a_data_folder_that_others_may_read_fails(config: Path) -> None:
    settings = opened(config)
    settings.data_folder.chmod(0o755)
    assert found(config, "data folder").state is FAIL
    assert found(config, "data folder").do == f"chmod 700 {settings.data_folder}"


def test_a_data_folder_that_is_a_file_fails(config: Path) -> None:
    load_settings(config).data_folder.write_text("")
    assert found(config, "data folder").state is FAIL


def test_a_disk_below_the_reserve_fails(tmp_path: Path) -> None:
    config = configured(tmp_path, disk_reserve_mb=10**9)
    assert found(config, "disk").state is FAIL
    assert "0xA700" in found(config, "disk").found


def test_sqlite_on_a_network_disk_fails_and_postgresql_does_not(config: Path) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/export {config.parent} nfs4 rw 0 0\n"
    settings = load_settings(config)
    assert file_system(settings, mounts).state is FAIL
    assert file_system(settings, "/dev/sda1 / ext4 rw 0 0").state is OK
    elsewhere = settings.model_copy(update={"database_url": "postgresql+psycopg://db/recontour"})
    assert file_system(elsewhere, mounts).state is WARN


def test_a_database_that_is_none_fails(config: Path) -> None:
    path = database_of(opened(config))
    path.write_bytes(b"not a database" * 1000)
    assert found(config, "database").state is FAIL


def test_a_database_with_a_damaged_page_fails(config: Path) -> None:
    path = database_of(opened(config))
    content = bytearray(path.read_bytes())
    for page in range(2, 8):
        content[4096 * page : 4096 * page + 64] = b"\xff" * 64
    path.write_bytes(content)
    damaged = found(config, "database")
    assert damaged.state is FAIL
    assert "restore" in damaged.do


def _at_revision(settings: Settings, revision: str) -> None:
    engine = open_engine(settings.resolved_database_url())
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()


def test_tables_that_are_older_are_told_and_newer_ones_fail(config: Path) -> None:
    settings = load_settings(config)
    settings.data_folder.mkdir(mode=0o700)
    engine = open_engine(settings.resolved_database_url())
    alembic = Config()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, "0001")
    engine.dispose()
    assert found(config, "database").state is WARN
    assert "0001" in found(config, "database").found
    _at_revision(settings, "9999")
    assert found(config, "database").state is FAIL
    assert "newer than this software" in found(config, "database").found


def test_a_database_server_that_does_not_answer_fails_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://recontour:hush@127.0.0.1:{free_port()}/recontour"
    unreachable = found(configured(tmp_path, database_url=url), "database")
    assert unreachable.state is FAIL
    assert "hush" not in f"{unreachable}"


def test_a_clock_before_the_software_or_before_the_data_fails(config: Path) -> None:
    settings = opened(config)
    assert clock(settings, datetime(2001, 1, 1, tzinfo=UTC)).state is FAIL
    tomorrow = time.time() + 86_400
    os.utime(database_of(settings), (tomorrow, tomorrow))
    assert found(config, "clock").state is FAIL
    assert "newest file" in found(config, "clock").found
    later = datetime.now(UTC) + timedelta(days=2)
    assert clock(settings, later).state is not FAIL


def test_a_released_model_that_is_damaged_fails(config: Path) -> None:
    settings = opened(config)
    root = settings.data_folder / "models"
    shape = config_of(settings.model)
    described = ModelDescription("Heart", shape, "test", None, (), {}, "2026-01-05T00:00:00+00:00")
    version = publish(root, fresh_cascade(shape, seed=1).state_dict(), described)
    engine = open_engine(settings.resolved_database_url())
    row = {"version": version, "roi_name": "Heart", "validation_dice": 0.9, "scores": {}}
    with engine.begin() as connection:
        connection.execute(
            sa.insert(model_version).values(
                **row, training_set=[], released_at=datetime.now(UTC), parent=None
            )
        )
        connection.execute(sa.insert(model_state).values(roi_name="Heart", in_service=version))
    engine.dispose()
    assert found(config, "model of Heart").state is OK
    assert found(config, "structures").state is OK
    other = configured(config.parent, **under_the_name("heart"))
    assert "'Heart'" in found(other, "structures").found
    assert found(other, "structures").state is FAIL
    configured(config.parent)
    weights = root / version / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    assert found(config, "model of Heart").state is FAIL


# --- the command


def test_the_command_ends_with_1_where_something_fails_and_prints_json(config: Path) -> None:
    opened(config)
    ended = CliRunner().invoke(app, ["doctor", "--json", "--config", str(config)])
    rows = {row["check"]: row for row in json.loads(ended.output)}
    assert rows["peer TPS"]["state"] == "FAIL"
    assert rows["peer TPS"]["what_to_do"]
    assert ended.exit_code == 1
    assert not is_healthy(diagnose(config))


def test_the_command_ends_with_0_on_warnings(tmp_path: Path) -> None:
    port = free_port()
    config = configured(tmp_path, tps_port=port)
    (tmp_path / "tps").mkdir()
    tps = configured(
        tmp_path / "tps",
        dicom={"port": port, "ae_title": "TPS"},
        peers=[peer_values("RECONTOUR")],
        rules=[{"name": "r", "structures": ["Heart"], "destinations": ["RECONTOUR"]}],
    )
    with node_at(tps):
        ended = CliRunner().invoke(app, ["doctor", "--config", str(config)])
    assert ended.exit_code == 0, ended.output
    assert "WARN" in ended.output
