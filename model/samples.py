"""What the networks learn from: CT and labels on their grids, packed and kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.config import ModelSettings, StageSettings
from core.errors import UnreadableObjectError
from core.files import read_array, write_array
from core.geometry import Mask
from core.volume import Volume
from dose.grid import dose_on
from model.labels import Labels, label_grid
from model.preprocess import Values, tissue_on_working_grid

RECIPE = "mix4"
WEIGHT_UNITS, IN_STRUCTURE = 200, 256
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Sample:
    """A case on one working grid, packed so that many fit on disk and in memory.

    `packed` (2 or 3, slice, row, column) is int16: HU; the label, 256 where the structure is, plus
    its weight in 1/200; and the dose in cGy where there is one (-1 where nothing was calculated).
    """

    packed: npt.NDArray[np.int16]
    spacing_mm: tuple[float, float, float]

    @classmethod
    def of(
        cls,
        image_hu: Values,
        target: Mask,
        weight: Values,
        spacing_mm: tuple[float, float, float],
        dose_gy: Values | None = None,
    ) -> Sample:
        """Arrays of one shape; `weight` 0..1 says how much a voxel counts (0: unlabelled)."""
        label = np.rint(weight * WEIGHT_UNITS).astype(np.int16) + target * np.int16(IN_STRUCTURE)
        layers = [np.rint(np.clip(image_hu, -32768, 32767)).astype(np.int16), label]
        if dose_gy is not None:
            cgy = np.where(np.isfinite(dose_gy), np.clip(dose_gy, 0, 327) * 100, -1)
            layers.append(np.rint(cgy).astype(np.int16))
        return cls(np.stack(layers).astype(np.int16), spacing_mm)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (slice, row, column)."""
        _, slices, rows, columns = self.packed.shape
        return (slices, rows, columns)

    @property
    def image(self) -> npt.NDArray[np.int16]:
        """HU."""
        return np.asarray(self.packed[0], np.int16)

    @property
    def label(self) -> npt.NDArray[np.int16]:
        """Target and weight in one number, see above."""
        return np.asarray(self.packed[1], np.int16)

    @property
    def target(self) -> Mask:
        """Where the structure is."""
        return np.asarray(self.packed[1] >= IN_STRUCTURE, bool)

    @property
    def weight(self) -> Values:
        """How much each voxel counts, 0..1."""
        return np.asarray((self.packed[1] % IN_STRUCTURE) / np.float32(WEIGHT_UNITS), np.float32)

    @property
    def dose_gy(self) -> Values | None:
        """Dose in Gy, NaN where nothing was calculated; None without a dose."""
        if len(self.packed) < 3:
            return None
        cgy = self.packed[2]
        return np.where(cgy < 0, np.float32(np.nan), cgy / np.float32(100))


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """What a case teaches of one structure, on both working grids.

    `patient_key` names the patient without identifying anybody. A case is learned `emphasis` times
    as often as others: what the network has not seen yet comes more often. `kept_as` names its
    samples in the cache, empty where they are in memory alone.
    """

    case_id: str
    patient_key: str
    coarse: Sample
    fine: Sample
    emphasis: float = 1.0
    kept_as: str = ""

    def stage(self, name: str) -> Sample:
        """The sample of the network `name`."""
        return {"coarse": self.coarse, "fine": self.fine}[name]


def make_training_case(
    volume: Volume,
    labels: Labels,
    *,
    settings: ModelSettings,
    case_id: str,
    patient_key: str,
    dose: Volume | None = None,
) -> TrainingCase:
    """What was said of a structure on a CT (`volume`, HU) as both networks learn it.

    `dose` (Gy, on its own grid) is what the fine grid is judged on: nothing learns from it.
    """
    coarse = _sample(volume, labels, settings.coarse.spacing_mm, None)
    fine = _sample(volume, labels, settings.fine.spacing_mm, dose)
    return TrainingCase(case_id, patient_key, coarse, fine)


def _sample(
    volume: Volume, labels: Labels, spacing_mm: tuple[float, float, float], dose: Volume | None
) -> Sample:
    image = tissue_on_working_grid(volume, spacing_mm)
    grid = label_grid(labels, volume.geometry, spacing_mm)
    dose_gy = None if dose is None else dose_on(dose, image.geometry)
    return Sample.of(image.values, grid.target, grid.weight, spacing_mm, dose_gy)


def read_samples(folder: Path, name: str, settings: ModelSettings) -> tuple[Sample, Sample]:
    """The kept samples (coarse, fine) under `name`, memory-mapped.

    Raises `OSError`, `ValueError` or `EOFError` where one is not there or damaged.
    """
    coarse, fine = (
        Sample(_whole(read_array(_path(folder, name, stage))), stage.spacing_mm)
        for stage in (settings.coarse, settings.fine)
    )
    return coarse, fine


def has_samples(folder: Path, name: str, settings: ModelSettings) -> bool:
    """Whether both samples of `name` were kept."""
    return all(_path(folder, name, s).is_file() for s in (settings.coarse, settings.fine))


def write_samples(folder: Path, name: str, settings: ModelSettings, case: TrainingCase) -> None:
    """Keep both samples of a case under `name`."""
    for stage, sample in ((settings.coarse, case.coarse), (settings.fine, case.fine)):
        write_array(_path(folder, name, stage), sample.packed)


def cached_training_case(
    folder: Path,
    correction_id: str,
    settings: ModelSettings,
    make: Callable[[], TrainingCase],
    *,
    case_id: str,
    patient_key: str,
) -> TrainingCase:
    """The case of a correction from the cache in `folder`; made and kept where it is not there.

    Names carry the correction, the recipe and the spacing, so a file never goes stale. A damaged
    one is made anew.
    """
    if not _SAFE_NAME.fullmatch(correction_id):
        raise UnreadableObjectError(
            f"{correction_id[:80]!r} cannot name a file; a correction's id has letters, digits, "
            "dots and dashes."
        )
    try:
        coarse, fine = read_samples(folder, correction_id, settings)
    except (OSError, ValueError, EOFError):
        write_samples(folder, correction_id, settings, make())
        coarse, fine = read_samples(folder, correction_id, settings)
    return TrainingCase(case_id, patient_key, coarse, fine, kept_as=correction_id)


def _whole(packed: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    if packed.ndim != 4 or packed.dtype != np.int16 or len(packed) not in (2, 3):
        raise ValueError("The kept sample has another form.")
    return packed


def _path(folder: Path, name: str, stage: StageSettings) -> Path:
    spacing = "x".join(f"{mm:g}" for mm in stage.spacing_mm)
    return folder / f"{name}.{RECIPE}.{spacing}.npy"
