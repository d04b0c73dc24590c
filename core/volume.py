"""What voxels hold, together with where they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import GeometryMismatchError
from core.geometry import VolumeGeometry


@dataclass(frozen=True, slots=True)
class Volume:
    """An array on a geometry; index order (slice, row, column).

    `values` is int16 or float32: Hounsfield units for a CT, gray for a dose grid.
    """

    values: npt.NDArray[Any]
    geometry: VolumeGeometry

    def __post_init__(self) -> None:
        if self.values.shape != self.geometry.shape:
            raise GeometryMismatchError(
                f"The array has shape {self.values.shape}, its geometry says "
                f"{self.geometry.shape}. Build both from the same source."
            )


@dataclass(frozen=True, slots=True)
class SliceReference:
    """Which CT instance a slice of a volume came from, and which of its frames.

    `frame_number` counts from 1; None for an instance of one image.
    """

    sop_instance_uid: str
    sop_class_uid: str
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class CtVolume:
    """A planning CT: canonical volume in HU and the instance behind each slice index.

    `identity` are the attributes that objects derived from this series must repeat; `findings`
    say in a sentence each what the series is and what was done about its oddities.
    """

    volume: Volume
    slices: tuple[SliceReference, ...]
    identity: SeriesIdentity
    findings: tuple[str, ...] = ()

    @property
    def geometry(self) -> VolumeGeometry:
        """Geometry of the volume."""
        return self.volume.geometry


@dataclass(frozen=True, slots=True)
class SeriesIdentity:
    """Patient and study attributes as the sender wrote them (PS3.3 C.7.1.1, C.7.2.1).

    Empty strings stand for absent type 2 attributes. Never logged.
    """

    study_instance_uid: str
    series_instance_uid: str
    patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    referring_physician_name: str = ""
    study_description: str = ""
    patient_position: str = ""
    study_sop_class_uid: str = "1.2.840.10008.3.1.2.3.1"


def hounsfield(values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    """Round to int16, clipped to what a CT can say (-32768..32767 HU)."""
    info = np.iinfo(np.int16)
    clipped: npt.NDArray[np.int16] = np.clip(np.rint(values), info.min, info.max).astype(np.int16)
    return clipped
