"""One grid onto another; the only file that imports SimpleITK."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from core.geometry import VolumeGeometry, require_same_frame_of_reference
from core.volume import Volume


def resample(volume: Volume, onto: VolumeGeometry, *, outside: float) -> Volume:
    """`volume` on the grid `onto`, trilinear, as float32; `outside` fills what is not covered.

    Raises `GeometryMismatchError` where the frames of reference differ.
    """
    require_same_frame_of_reference(volume.geometry, onto)
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(onto.shape[::-1])
    _place(resampler.SetOutputSpacing, resampler.SetOutputOrigin, onto)
    resampler.SetOutputDirection(_direction(onto))
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetDefaultPixelValue(outside)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    moved = resampler.Execute(_image(volume))
    return Volume(np.asarray(sitk.GetArrayFromImage(moved), np.float32), onto)


def working_grid(
    geometry: VolumeGeometry, spacing_mm: tuple[float, float, float]
) -> VolumeGeometry:
    """The grid of `spacing_mm` that covers the same block of tissue, edge on edge."""
    extent_mm = np.asarray(geometry.shape) * np.asarray(geometry.spacing_mm)
    slices, rows, columns = np.maximum(np.rint(extent_mm / np.asarray(spacing_mm)), 1).astype(int)
    # The first voxel's outer corner stays where it is: half of each spacing apart.
    shift_voxels = 0.5 * np.asarray(spacing_mm) / np.asarray(geometry.spacing_mm) - 0.5
    x, y, z = geometry.index_to_mm(shift_voxels)
    return VolumeGeometry(
        shape=(int(slices), int(rows), int(columns)),
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=spacing_mm,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
        directions=geometry.directions,
    )


def _image(volume: Volume) -> Any:
    image = sitk.GetImageFromArray(_for_sitk(volume.values))
    _place(image.SetSpacing, image.SetOrigin, volume.geometry)
    image.SetDirection(_direction(volume.geometry))
    return image


def _for_sitk(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


def _place(set_spacing: Any, set_origin: Any, geometry: VolumeGeometry) -> None:
    set_spacing([float(mm) for mm in geometry.spacing_mm[::-1]])
    set_origin([float(mm) for mm in geometry.origin_mm])


def _direction(geometry: VolumeGeometry) -> list[float]:
    # SimpleITK's index order is (column, row, slice); its matrix holds one axis per column.
    return [float(v) for v in np.asarray(geometry.directions[::-1]).T.ravel()]
