"""A starting model from another node: whole, of this kind, and judged like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.adding import add_starting_model
from app.cold_start import ColdStart, train_cold_start
from app.room import Room
from app.synthetic_cases import MOST_REPLAYED, replayed_cases
from app.together import Trainers
from core.errors import ModelUnavailableError
from core.model_files import WEIGHTS_FILE
from core.store import open_store
from model.registry import ModelDescription, load, publish
from tests.support.settings import settings_for, small_model

NEVER = Trainers(lambda: False)


def node(folder: Path, spacing_mm: float = 12.0) -> Room:
    folder.mkdir(exist_ok=True)
    settings = settings_for(folder, model=small_model(spacing_mm))
    return Room(settings, open_store(settings))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a starting model that another node built."""
    elsewhere = node(tmp_path_factory.mktemp("elsewhere"))
    made = train_cold_start(elsewhere, "Heart", ColdStart(1, 2, 0), NEVER, lambda _done, _of: None)
    assert made is not None
    return elsewhere.models_folder / str(made.version)


def add(room: Room, folder: Path) -> str:
    return add_starting_model(room, folder, lambda _done, _of: None).verdict


def test_a_starting_model_from_elsewhere_goes_into_service_and_is_learned_with(
    tmp_path: Path, built: Path
) -> None:
    room = node(tmp_path)
    assert "never saw a patient" in add(room, built)
    released = room.store.learning.released("Heart")
    assert released is not None
    assert released.version == built.name
    assert load(room.models_folder, built.name).description.scores["origin"]
    assert len(replayed_cases(room.settings.data_folder, room.settings.model)) == MOST_REPLAYED


def test_damaged_files_are_refused(tmp_path: Path, built: Path) -> None:
    copy = tmp_path / built.name
    copy.mkdir()
    for file in built.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    weights = bytearray((copy / WEIGHTS_FILE).read_bytes())
    weights[-1] ^= 1
    (copy / WEIGHTS_FILE).write_bytes(weights)
    with pytest.raises(ModelUnavailableError, match="do not match"):
        add(node(tmp_path / "here"), copy)


def test_a_model_that_learned_from_patients_stays_where_it_is(tmp_path: Path, built: Path) -> None:
    found = load(built.parent, built.name)
    told = found.description
    of_patients = ModelDescription("Heart", told.config, "", None, ("a",), {"steps": 2}, "now")
    version = publish(tmp_path / "theirs", found.weights, of_patients)
    with pytest.raises(ModelUnavailableError, match="learned from patients"):
        add(node(tmp_path / "here"), tmp_path / "theirs" / version)


def test_a_model_of_other_networks_is_refused(tmp_path: Path, built: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="other settings"):
        add(node(tmp_path / "here", spacing_mm=10.0), built)
