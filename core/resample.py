"""One grid onto another; the only file that imports SimpleITK."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from core.geometry import Points, VolumeGeometry, require_same_frame_of_reference
from core.volume import Volume

# Points within an even slice whose mean stands for it.
_POINTS_A_SLICE = 8


def resample(volume: Volume, onto: VolumeGeometry, *, outside: float) -> Volume:
    """`volume` on the grid `onto`, trilinear, as float32; `outside` fills what is not covered.

    Raises `GeometryMismatchError` where the frames of reference differ.
    """
    require_same_frame_of_reference(volume.geometry, onto)
    if volume.geometry.slice_offsets_mm is not None or onto.slice_offsets_mm is not None:
        return _resample_uneven(volume, onto, outside)
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
    thickness_mm = geometry.slice_thicknesses_mm()
    first_mm = np.array([thickness_mm[0], *geometry.spacing_mm[1:]])
    extent_mm = np.asarray(geometry.shape) * np.asarray(geometry.spacing_mm)
    if geometry.slice_offsets_mm is not None:
        extent_mm[0] = thickness_mm.sum()
    slices, rows, columns = np.maximum(np.rint(extent_mm / np.asarray(spacing_mm)), 1).astype(int)
    # The first voxel's outer corner stays where it is: half of each spacing apart.
    shift_mm = 0.5 * (np.asarray(spacing_mm) - first_mm)
    x, y, z = np.asarray(geometry.origin_mm) + shift_mm @ np.asarray(geometry.directions)
    return VolumeGeometry(
        shape=(int(slices), int(rows), int(columns)),
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=spacing_mm,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
        directions=geometry.directions,
    )


def evenly_sliced(volume: Volume, slice_mm: float) -> Volume:
    """`volume` on even slices of `slice_mm` over the same tissue, float32.

    Each is the mean, over its thickness, of what lies linearly between the slices as scanned:
    coarse zones are interpolated, fine zones averaged.
    """
    _, row_mm, column_mm = volume.geometry.spacing_mm
    even = working_grid(volume.geometry, (slice_mm, row_mm, column_mm))
    within = (np.arange(_POINTS_A_SLICE) + 0.5) / _POINTS_A_SLICE - 0.5
    points = np.zeros((even.shape[0], _POINTS_A_SLICE, 3))
    points[..., 0] = np.arange(even.shape[0])[:, None] + within
    at = volume.geometry.mm_to_index(even.index_to_mm(points))[..., 0]
    weights = _linear_weights(at, volume.geometry.shape[0]).mean(axis=1).astype(np.float32)
    values = np.empty(even.shape, np.float32)
    # Row by row: as floats the whole volume might not fit.
    for row in range(even.shape[1]):
        values[:, row] = weights @ np.asarray(volume.values[:, row], np.float32)
    return Volume(values, even)


def _linear_weights(at: Points, count: int) -> Points:
    """(..., count) weights of slices at the fractional indices `at`; the ends go on as they are."""
    clipped = np.clip(at, 0.0, count - 1.0)
    return np.asarray(np.maximum(1.0 - np.abs(clipped[..., None] - np.arange(count)), 0.0))


def _resample_uneven(volume: Volume, onto: VolumeGeometry, outside: float) -> Volume:
    """The same where SimpleITK cannot: its grids are even."""
    last = np.asarray(volume.geometry.shape) - 1.0
    values = np.empty(onto.shape, np.float32)
    indices = np.moveaxis(np.indices((1, *onto.shape[1:]), np.float64), 0, -1)
    for k in range(onto.shape[0]):
        indices[..., 0] = k
        at = volume.geometry.mm_to_index(onto.index_to_mm(indices))[0]
        inside = ((at >= -0.5) & (at <= last + 0.5)).all(axis=-1)
        clipped = np.moveaxis(np.clip(at, 0.0, last), -1, 0)
        plane = map_coordinates(volume.values, clipped, output=np.float32, order=1)
        values[k] = np.where(inside, plane, np.float32(outside))
    return Volume(values, onto)


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
