"""What the network learns from, and the cache that spares resampling."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.config import ModelSettings
from core.errors import UnreadableObjectError
from core.geometry import Mask
from core.volume import Volume
from model.preprocess import dice, mask_to_working_grid
from model.samples import TrainingCase, cached_training_case, make_training_case


def make(
    settings: ModelSettings, sphere: tuple[Volume, Mask], painted: Mask | None = None
) -> TrainingCase:
    volume, ball = sphere
    return make_training_case(
        volume, ball, painted=painted, settings=settings, case_id="c", patient_key="p"
    )


def test_an_approved_structure_is_a_dense_label_that_weighs_more_near_it(settings, sphere):
    volume, ball = sphere
    case = make(settings, sphere)
    assert case.image.shape == case.target.shape == case.weight.shape == (20, 18, 22)
    assert case.image.dtype == case.weight.dtype == np.float32
    assert case.image.min() < -90 < 30 < case.image.max()
    assert case.spacing_mm == (8.0, 8.0, 8.0)
    assert dice(case.target, mask_to_working_grid(ball, volume.geometry, (8.0, 8.0, 8.0))) == 1.0
    voxels = np.argwhere(case.target)
    near = np.zeros_like(case.target)
    # 20 mm are two and a half voxels of 8 mm, rounded to two.
    low, high = np.maximum(voxels.min(0) - 2, 0), voxels.max(0) + 3
    near[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = True
    np.testing.assert_array_equal(case.weight, np.where(near, np.float32(0.25), np.float32(0.05)))


def test_painted_voxels_weigh_most_wherever_they_are(settings, sphere):
    _, ball = sphere
    painted = np.zeros_like(ball)
    painted[0:4, 0:4, 0:8] = True
    case = make(settings, sphere, painted)
    assert np.all(case.weight[0:2, 0:2, 0:4] == 1.0)
    assert np.count_nonzero(case.weight == 1.0) == 16


def test_an_approved_empty_structure_is_background_everywhere(settings, sphere):
    volume, ball = sphere
    empty = (volume, np.zeros_like(ball))
    case = make(settings, empty)
    assert not case.target.any()
    assert np.all(case.weight == np.float32(0.05))


def cached(
    folder: Path,
    settings: ModelSettings,
    make_case: Callable[[], TrainingCase],
    correction_id: str = "ab-1",
) -> TrainingCase:
    return cached_training_case(
        folder, correction_id, settings, make_case, case_id="c", patient_key="p"
    )


def never() -> TrainingCase:
    raise AssertionError("made again")


def test_a_case_is_made_once_and_then_read(tmp_path, settings, sphere):
    case = make(settings, sphere)
    for found in (cached(tmp_path, settings, lambda: case), cached(tmp_path, settings, never)):
        assert (found.case_id, found.patient_key) == ("c", "p")
        np.testing.assert_array_equal(found.image, case.image)
        np.testing.assert_array_equal(found.target, case.target)
        np.testing.assert_array_equal(found.weight, case.weight)
    assert len(list(tmp_path.iterdir())) == 1


def test_another_spacing_is_another_entry_and_another_window_is_not(tmp_path, settings, sphere):
    """The window is laid over HU when a patch is drawn."""
    cached(tmp_path, settings, lambda: make(settings, sphere))
    other = settings.model_copy(update={"spacing_mm": (6.0, 6.0, 6.0)})
    with pytest.raises(AssertionError, match="made again"):
        cached(tmp_path, other, never)
    cached(tmp_path, settings.model_copy(update={"window_hu": (-100.0, 300.0)}), never)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense" * 20])
def test_a_damaged_entry_is_made_anew(tmp_path, settings, sphere, damage):
    case = make(settings, sphere)
    cached(tmp_path, settings, lambda: case)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(damage)
    np.testing.assert_array_equal(cached(tmp_path, settings, lambda: case).image, case.image)
    np.testing.assert_array_equal(cached(tmp_path, settings, never).image, case.image)


def test_a_cut_entry_is_made_anew(tmp_path, settings, sphere):
    case = make(settings, sphere)
    cached(tmp_path, settings, lambda: case)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-100])
    np.testing.assert_array_equal(cached(tmp_path, settings, lambda: case).weight, case.weight)


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 200])
def test_only_a_plain_id_names_an_entry(tmp_path, settings, name):
    with pytest.raises(UnreadableObjectError, match="cannot name a file"):
        cached(tmp_path, settings, never, name)
