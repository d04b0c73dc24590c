"""`recontour models`: what is in service, changed from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from app.cli import app
from app.model_check import reproduce
from app.room import Room
from core.errors import ModelUnavailableError, NoSuchCaseError
from core.files import mask_digest
from core.model_files import WEIGHTS_FILE
from core.records import Prediction
from core.store import Store, open_store
from model.predict import Predictor
from model.registry import load
from tests.support.bodies import CT
from tests.support.review_case import ASSEMBLY, NOW, put_case
from tests.support.settings import settings_for, under_the_name, write_config
from tests.support.versions import A, B, put_real, put_version

SMALL = {
    "device": "cpu",
    "threads": 1,
    "coarse": {"spacing_mm": [16.0, 12.0, 12.0], "widths": [8, 16], "patch_voxels": [16, 16, 16]},
    "fine": {"spacing_mm": [8.0, 6.0, 6.0], "widths": [8, 16], "patch_voxels": [16, 16, 16]},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, model=SMALL)


@pytest.fixture
def room(tmp_path: Path, config: Path) -> Iterator[Room]:
    settings = settings_for(tmp_path, model=SMALL)
    assert config.is_file()
    opened = Room(settings, open_store(settings))
    yield opened
    opened.store.engine.dispose()


@pytest.fixture
def store(room: Room) -> Store:
    return room.store


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["models", *words, "--config", str(config)])


def test_a_version_is_pinned_rolled_back_and_run_in_shadow_by_its_first_digits(
    config: Path, room: Room, store: Store
) -> None:
    assert "There is no model yet." in run(config, "list").output
    first, second = put_real(room, 1), put_real(room, 2)
    rows = json.loads(run(config, "list", "--json").output)
    assert [(r["version"], r["standing"]) for r in rows] == [
        (second, "in service"),
        (first, "earlier"),
    ]
    assert run(config, "pin", second[:8]).exit_code == 0
    assert store.models.state("Heart").pinned
    assert run(config, "rollback", first[:8]).exit_code == 0
    assert run(config, "unpin", first[:8]).exit_code == 0
    assert run(config, "shadow", second[:8]).exit_code == 0
    state = store.models.state("Heart")
    assert (state.in_service, state.pinned, state.shadow) == (first, False, second)
    assert run(config, "shadow", second[:8], "--off").exit_code == 0
    assert store.models.state("Heart").shadow is None
    with store.engine.connect() as connection:
        query = "select who from audit where event = 'model.rolled_back'"
        assert str(connection.scalar(sa.text(query))).endswith(" (command line)")


def test_the_card_and_its_short_form_are_printed(config: Path, store: Store) -> None:
    put_version(store, A, 1)
    card = json.loads(run(config, "card", A[:12]).output)
    assert card["version"] == A
    assert card["learned_from"] == {"corrections": 5, "synthetic": 24, "judged on": 1}
    assert "5 corrections, 24 synthetic" in run(config, "show", A[:12]).output.replace("\n", " ")


def test_verify_finds_damage_and_what_no_longer_agrees(config: Path, room: Room) -> None:
    version = put_real(room, 1)
    found = run(config, "verify")
    assert (found.exit_code, "whole" in found.output) == (0, True)
    description = room.models_folder / version / "model.json"
    description.write_text(description.read_text().replace('"steps": 1', '"steps": 9'))
    changed = run(config, "verify", "--json")
    assert changed.exit_code == 1
    (row,) = json.loads(changed.output)
    assert row["finding"] == "its model.json is not what the store recorded"
    weights = room.models_folder / version / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    (row,) = json.loads(run(config, "verify", "--json").output)
    assert "do not match its version" in row["finding"]


def test_verify_tells_a_version_without_files_and_files_without_a_row(
    config: Path, room: Room
) -> None:
    put_version(room.store, B, 1)
    (row,) = json.loads(run(config, "verify", "--json").output)
    assert "is not in the registry" in row["finding"]
    assert run(config, "verify").exit_code == 1


def test_verify_names_versions_of_a_structure_that_left_the_configuration_and_what_no_row_names(
    tmp_path: Path, config: Path, room: Room
) -> None:
    version = put_real(room, 1)
    (room.models_folder / B).mkdir()
    without_the_heart = write_config(tmp_path, model=SMALL, **under_the_name("Liver"))
    rows = json.loads(run(without_the_heart, "verify", "--json").output)
    assert [(row["version"], row["structure"], row["finding"]) for row in rows] == [
        (version[:12], "Heart", "whole"),
        (B[:12], None, "in no row: never in service; harmless"),
    ]
    (room.models_folder / version / WEIGHTS_FILE).write_bytes(b"short")
    assert run(without_the_heart, "verify").exit_code == 1


def test_a_rollback_to_a_damaged_version_is_refused(config: Path, room: Room) -> None:
    first, second = put_real(room, 1), put_real(room, 2)
    (room.models_folder / first / WEIGHTS_FILE).write_bytes(b"short")
    refused = run(config, "rollback", first[:12])
    assert isinstance(refused.exception, ModelUnavailableError)
    assert room.store.models.state("Heart").in_service == second


def test_a_past_prediction_is_made_again_bit_for_bit(config: Path, room: Room) -> None:
    version = put_real(room, 1)
    case_id = put_case(room.store, CT)
    again = Predictor(room.settings.model).predict(CT, load(room.models_folder, version))
    made = Prediction(
        id="e" * 32,
        case_id=case_id,
        assembly=ASSEMBLY,
        roi_name="Heart",
        model_version=version,
        mask_digest=room.store.files.write_mask(case_id, f"prediction-{'e' * 32}", again.mask),
        expected_dice=0.5,
        seconds=1.0,
        created_at=NOW,
    )
    assert room.store.cases.predicted(made)
    assert again.mask.any(), "an empty mask would prove little"
    put_real(room, 2)
    found = run(config, "reproduce", made.id, "--json")
    assert found.exit_code == 0
    (row,) = json.loads(found.output)
    assert row["same"] == "yes"
    assert row["now"] == mask_digest(again.mask)[:12]


def test_a_prediction_that_comes_out_otherwise_is_told(config: Path, room: Room) -> None:
    version = put_real(room, 1)
    case_id = put_case(room.store, CT)
    other = CT.values == 45
    digest = room.store.files.write_mask(case_id, f"prediction-{'e' * 32}", other)
    room.store.cases.predicted(
        Prediction("e" * 32, case_id, ASSEMBLY, "Heart", version, digest, 0.5, 1.0, NOW)
    )
    assert run(config, "reproduce", "e" * 32).exit_code == 1
    with pytest.raises(NoSuchCaseError):
        reproduce(room, "nothing")
