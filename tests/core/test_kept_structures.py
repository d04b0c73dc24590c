"""A structure goes on only under the name that its corrections and models stand under."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.room import Room
from core.errors import ConfigError
from core.kept_structures import kept_structures
from core.store import open_store
from core.volume import Volume
from tests.support.review_case import box_mask, put_case, small_geometry
from tests.support.room import approve_mask
from tests.support.settings import settings_for, under_the_name
from tests.support.versions import A, B, put_version

GRID = small_geometry()


def open_as(folder: Path, roi_name: str) -> None:
    """Start with a config.yaml whose structure has this name."""
    open_store(settings_for(folder, **under_the_name(roi_name))).engine.dispose()


@pytest.mark.parametrize(
    ("kept", "written"),
    [
        ("Heart", "heart"),
        ("heart", "HEART"),
        ("Spinal Cord", "SpinalCord"),
        ("SpinalCord", "spinal  cord"),
    ],
)
def test_another_spelling_than_that_of_the_models_is_refused_until_it_is_mended(
    tmp_path: Path, kept: str, written: str
) -> None:
    store = open_store(settings_for(tmp_path))
    put_version(store, A, 1, roi_name=kept)
    store.engine.dispose()
    with pytest.raises(ConfigError) as refused:
        open_as(tmp_path, written)
    assert f"structures: {written!r}" in str(refused.value)
    assert f"as {kept!r}" in str(refused.value)
    assert "Write " in str(refused.value)
    open_as(tmp_path, kept)


def test_another_spelling_than_that_of_the_corrections_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    store = open_store(settings)
    case_id = put_case(store, Volume(np.zeros(GRID.shape, np.int16), GRID))
    drawn = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 6)))
    approve_mask(Room(settings, store), case_id, drawn)
    store.engine.dispose()
    with pytest.raises(ConfigError, match="'Heart'"):
        open_as(tmp_path, "heart")


def test_a_name_that_the_store_does_not_know_or_nobody_can_write_is_a_new_structure(
    tmp_path: Path,
) -> None:
    store = open_store(settings_for(tmp_path))
    put_version(store, A, 1)
    put_version(store, B, 2, roi_name=" Lung")
    assert kept_structures(store.engine) == (" Lung", "Heart")
    store.engine.dispose()
    for name in ("Liver", "Lung", "Heart_L", "Hear"):
        open_as(tmp_path, name)


def test_a_store_that_knows_both_spellings_already_goes_on_with_either(tmp_path: Path) -> None:
    store = open_store(settings_for(tmp_path))
    put_version(store, A, 1)
    put_version(store, B, 2, roi_name="heart")
    store.engine.dispose()
    for name in ("Heart", "heart"):
        open_as(tmp_path, name)
    with pytest.raises(ConfigError, match="'Heart' or 'heart'"):
        open_as(tmp_path, "HEART")
