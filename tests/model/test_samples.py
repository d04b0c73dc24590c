"""What the network learns from, and the cache that spares resampling."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.config import ModelSettings
from core.errors import UnreadableObjectError
from core.geometry import Mask
from core.volume import Volume
from model.labels import Labels
from model.preprocess import dice, mask_to_working_grid
from model.samples import Sample, TrainingCase, cached_training_case, make_training_case


def make(
    settings: ModelSettings, sphere: tuple[Volume, Mask], painted: Mask | None = None
) -> TrainingCase:
    volume, ball = sphere
    nothing = np.zeros_like(ball)
    labels = Labels.approved(ball, nothing if painted is None else painted, slices_seen=None)
    return make_training_case(volume, labels, settings=settings, case_id="c", patient_key="p")


def test_an_approved_structure_is_a_dense_label_that_weighs_more_near_it(settings, sphere):
    volume, ball = sphere
    case = make(settings, sphere)
    assert case.coarse.shape == (20, 18, 22)
    assert case.fine.shape == (40, 36, 44)
    for sample, reach in ((case.coarse, 2), (case.fine, 5)):  # 20 mm are 2.5 voxels of 8 mm
        assert sample.image.min() < -90 < 30 < sample.image.max()
        truth = mask_to_working_grid(ball, volume.geometry, sample.spacing_mm)
        assert dice(sample.target, truth) == 1.0
        voxels = np.argwhere(sample.target)
        near = np.zeros(sample.shape, bool)
        low, high = np.maximum(voxels.min(0) - reach, 0), voxels.max(0) + reach + 1
        near[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = True
        np.testing.assert_allclose(sample.weight, np.where(near, 0.25, 0.05), atol=1e-6)


def test_painted_voxels_weigh_most_wherever_they_are(settings, sphere):
    _, ball = sphere
    painted = np.zeros_like(ball)
    painted[0:4, 0:4, 0:8] = True
    case = make(settings, sphere, painted)
    assert np.all(case.coarse.weight[0:2, 0:2, 0:4] == 1.0)
    assert np.count_nonzero(case.coarse.weight == 1.0) == 16
    assert np.count_nonzero(case.fine.weight == 1.0) == np.count_nonzero(painted)


def test_an_approved_empty_structure_is_background_everywhere(settings, sphere):
    volume, ball = sphere
    case = make(settings, (volume, np.zeros_like(ball)))
    for sample in (case.coarse, case.fine):
        assert not sample.target.any()
        np.testing.assert_allclose(sample.weight, 0.05, atol=1e-6)


def test_a_sample_gives_back_what_was_packed():
    rng = np.random.default_rng(0)
    shape = (3, 4, 5)
    image = rng.integers(-1024, 3000, shape).astype(np.float32)
    target, weight = rng.random(shape) < 0.5, rng.integers(0, 201, shape) / 200
    dose_gy = np.round(rng.random(shape) * 60, 2).astype(np.float32)
    dose_gy[0, 0, 0] = np.nan
    sample = Sample.of(image, target, weight.astype(np.float32), (3.0, 3.0, 3.0), dose_gy)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.target, target)
    np.testing.assert_allclose(sample.weight, weight, atol=1e-6)
    assert sample.dose_gy is not None
    np.testing.assert_allclose(sample.dose_gy, dose_gy, atol=0.005)
    assert Sample.of(image, target, image * 0, (3.0, 3.0, 3.0)).dose_gy is None


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


def same(a: TrainingCase, b: TrainingCase) -> bool:
    pairs = ((a.coarse, b.coarse), (a.fine, b.fine))
    return all(np.array_equal(one.packed, other.packed) for one, other in pairs)


def test_a_case_is_made_once_and_then_read(tmp_path, settings, sphere):
    case = make(settings, sphere)
    for found in (cached(tmp_path, settings, lambda: case), cached(tmp_path, settings, never)):
        assert (found.case_id, found.patient_key) == ("c", "p")
        assert same(found, case)
    assert len(list(tmp_path.iterdir())) == 2


def test_another_spacing_is_another_entry_and_another_window_is_not(tmp_path, settings, sphere):
    """The window is laid over HU when a patch is drawn."""
    cached(tmp_path, settings, lambda: make(settings, sphere))
    fine = settings.fine.model_copy(update={"spacing_mm": (6.0, 6.0, 6.0)})
    with pytest.raises(AssertionError, match="made again"):
        cached(tmp_path, settings.model_copy(update={"fine": fine}), never)
    cached(tmp_path, settings.model_copy(update={"window_hu": (-100.0, 300.0)}), never)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense" * 20])
def test_a_damaged_entry_is_made_anew(tmp_path, settings, sphere, damage):
    case = make(settings, sphere)
    cached(tmp_path, settings, lambda: case)
    for entry in sorted(tmp_path.iterdir()):
        entry.write_bytes(damage)
        assert same(cached(tmp_path, settings, lambda: case), case)
        assert same(cached(tmp_path, settings, never), case)


def test_a_cut_entry_is_made_anew(tmp_path, settings, sphere):
    case = make(settings, sphere)
    cached(tmp_path, settings, lambda: case)
    entry = min(tmp_path.iterdir())
    entry.write_bytes(entry.read_bytes()[:-100])
    assert same(cached(tmp_path, settings, lambda: case), case)


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 200])
def test_only_a_plain_id_names_an_entry(tmp_path, settings, name):
    with pytest.raises(UnreadableObjectError, match="cannot name a file"):
        cached(tmp_path, settings, never, name)
