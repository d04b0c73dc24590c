"""How long a prediction and a DVH take here, on a phantom as large as a planning CT."""

from __future__ import annotations

import time
from collections.abc import Iterator

from app.commissioning.check import Check, Tolerance, measured, not_run
from app.commissioning.objects import FIRST_SEED
from app.phantom import make_phantom, phantom_dose
from core.config import ModelSettings
from core.geometry import VolumeGeometry
from core.rasterise import contours_of_mask
from core.resample import resample
from core.volume import Volume, hounsfield
from dose.dvh import Dvh
from dose.solid import sample_contours
from model.predict import Predictor
from model.registry import LoadedModel

GROUP = "Time"
FIELD_MM = (378.0, 500.0, 500.0)
_DRAWN_MM = (4.0, 3.0, 3.0)
_SEED = FIRST_SEED + 990
PREDICTION = Tolerance(
    20.0, "s", "Ready before a planner opens the case; benchmarks/predict.py has 5 s on two cores."
)
HISTOGRAM = Tolerance(1.0, "s", "Ten times what benchmarks/dose_speed.py has on two cores.")


def timing_checks(
    settings: ModelSettings, model: LoadedModel | None, shape: tuple[int, int, int]
) -> Iterator[Check]:
    """The second prediction, since the first one loads the network, and one DVH."""
    phantom = make_phantom(_SEED, spacing_mm=_DRAWN_MM)
    grid = _grid_over(phantom.volume.geometry, shape)
    size = " x ".join(map(str, reversed(shape)))
    name = f"Prediction on {size} voxels"
    if model is None:
        yield not_run(GROUP, name, "No model is in service.")
    else:
        hu = hounsfield(resample(phantom.volume, grid, outside=-1000.0).values)
        predictor = Predictor(settings)
        seconds = [predictor.predict(Volume(hu, grid), model).seconds for _ in range(2)][-1]
        yield measured(GROUP, name, seconds, PREDICTION, f"on {predictor.device.type}")
    heart = resample(Volume(phantom.heart, phantom.volume.geometry), grid, outside=0.0).values > 0.5
    drawn = [c for found in contours_of_mask(heart, grid).values() for c in found]
    dose = phantom_dose(phantom)
    start = time.perf_counter()
    histogram = Dvh.of(sample_contours(dose, drawn, grid, ends="half").sampled)
    seconds_dvh = time.perf_counter() - start
    found = f"a heart of {histogram.volume_cc:.0f} cc from its contours"
    yield measured(GROUP, f"DVH on {size} voxels", seconds_dvh, HISTOGRAM, found)


def _grid_over(geometry: VolumeGeometry, shape: tuple[int, int, int]) -> VolumeGeometry:
    """A grid of this shape about the middle of `geometry`, over `FIELD_MM`."""
    slice_mm, row_mm, column_mm = (mm / n for mm, n in zip(FIELD_MM, shape, strict=True))
    middle = geometry.index_to_mm([(n - 1) / 2.0 for n in geometry.shape])
    half = [(n - 1) / 2.0 for n in shape]
    x, y, z = middle - (half[2] * column_mm, half[1] * row_mm, half[0] * slice_mm)
    return VolumeGeometry(
        shape,
        (float(x), float(y), float(z)),
        (slice_mm, row_mm, column_mm),
        geometry.frame_of_reference_uid,
    )
