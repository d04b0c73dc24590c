"""Settings and volumes for the model's tests."""

from pathlib import Path

import numpy as np
import pytest

from core.config import ModelSettings, StageSettings, TrainingSettings, load_settings
from core.geometry import VolumeGeometry
from core.volume import Volume
from model.registry import NetworkConfig
from tests.support.settings import config_of

CONFIG = Path(__file__).parents[2] / "config.yaml"
UID = "2.25.1"


@pytest.fixture
def settings() -> ModelSettings:
    """The shipped settings, small: 8 and 4 mm, two levels, one thread, no GPU."""
    coarse = StageSettings(spacing_mm=(8.0, 8.0, 8.0), widths=(8, 16), patch_voxels=(16, 16, 16))
    fine = StageSettings(spacing_mm=(4.0, 4.0, 4.0), widths=(8, 16), patch_voxels=(24, 24, 24))
    return load_settings(CONFIG).model.model_copy(
        update={"coarse": coarse, "fine": fine, "device": "cpu", "threads": 1}
    )


@pytest.fixture
def config(settings: ModelSettings) -> NetworkConfig:
    """What a model of the heart with these settings looks like."""
    return config_of(settings)


@pytest.fixture
def training() -> TrainingSettings:
    """A few steps of small patches."""
    return load_settings(CONFIG).training.model_copy(
        update={
            "steps_first": 4,
            "steps_per_case": 1,
            "steps_longest": 6,
            "validate_every": 3,
        }
    )


@pytest.fixture
def sphere() -> tuple[Volume, np.ndarray]:
    """A ball of 35 mm radius and 40 HU in fat, on a canonical grid far from the origin, 4 mm."""
    geometry = VolumeGeometry(
        shape=(40, 36, 44),
        origin_mm=(-83.0, -151.5, -412.25),
        spacing_mm=(4.0, 4.0, 4.0),
        frame_of_reference_uid=UID,
    )
    centre_mm = geometry.index_to_mm((19.3, 17.8, 21.1))
    points_mm = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ball = np.linalg.norm(points_mm - centre_mm, axis=-1) < 35.0
    return Volume(np.where(ball, 40, -100).astype(np.int16), geometry), ball
