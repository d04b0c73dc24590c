"""Mask to RTSTRUCT to mask, by our reader: the very voxels, whatever the shape and the series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from core.geometry import Mask, VolumeGeometry
from core.rasterise import mask_of_contours
from core.volume import CtVolume, SeriesIdentity, SliceReference, Volume
from dicom_node.objects.round_trip import verify_structure_set
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.dicom_node.structure_sets import structure_set_bytes
from tests.support.hard_shapes import ALL_SERIES, dice, hard_ct, hard_masks


def _read_back(ct: CtVolume, masks: dict[str, Mask], path: Path) -> dict[str, Mask]:
    path.write_bytes(structure_set_bytes(ct, masks))
    structure_set = read_structure_set(path)
    assert structure_set.findings == ()
    found = {}
    for roi in structure_set.rois:
        assert roi.findings == ()
        painted = mask_of_contours([c.points_mm for c in roi.contours], ct.geometry)
        assert painted.contours_off_grid == 0
        found[roi.roi_name] = painted.mask
    return found


@pytest.mark.parametrize("series", ALL_SERIES)
def test_every_shape_comes_back_whole(series: str, tmp_path: Path) -> None:
    ct, _ = hard_ct(series, tmp_path / "ct")
    masks = hard_masks(ct.geometry)
    found = _read_back(ct, masks, tmp_path / "rs.dcm")
    assert {name: dice(found[name], mask) for name, mask in masks.items()} == dict.fromkeys(
        masks, 1.0
    )
    assert all(np.array_equal(found[name], mask) for name, mask in masks.items())


@pytest.mark.parametrize("series", ALL_SERIES)
def test_every_shape_passes_the_check_before_delivery(series: str, tmp_path: Path) -> None:
    """rt-utils reads the square series; of the others it is told why it is not asked."""
    ct, paths = hard_ct(series, tmp_path / "ct")
    masks = hard_masks(ct.geometry)
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    unasked = verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)
    assert (unasked is None) == (series == "square")


_SIZES = st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))
_NOISE = _SIZES.flatmap(lambda shape: arrays(np.bool_, shape))


@st.composite
def _blobs(draw: st.DrawFn) -> Mask:
    """Smooth noise above a threshold: blobs with holes, islands in them, necks and borders."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(4, 40), st.integers(4, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    field = gaussian_filter(rng.normal(size=shape), (0.5, draw(st.floats(0.3, 4.0)), 1.5))
    return np.asarray(field > np.quantile(field, draw(st.floats(0.05, 0.95))), np.bool_)


@st.composite
def _rings(draw: st.DrawFn) -> Mask:
    """Rectangles drawn over each other, each turning what lies below: nested rings, diagonals."""
    mask = np.zeros(draw(st.tuples(st.just(2), st.integers(2, 30), st.integers(2, 30))), np.bool_)
    for _ in range(draw(st.integers(1, 8))):
        first, last = sorted(draw(st.tuples(*[st.integers(0, mask.shape[1])] * 2)))
        left, right = sorted(draw(st.tuples(*[st.integers(0, mask.shape[2])] * 2)))
        mask[draw(st.integers(0, 1)), first:last, left:right] ^= True
    return mask


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mask=st.one_of(_NOISE, _blobs(), _rings()), uneven=st.booleans())
def test_any_mask_comes_back_voxel_for_voxel(mask: Mask, uneven: bool, tmp_path: Path) -> None:
    ct = _ct_of(mask.shape, uneven=uneven)
    found = _read_back(ct, {"Blob": mask}, tmp_path / "rs.dcm")
    assert np.array_equal(found["Blob"], mask)


def _ct_of(shape: tuple[int, ...], *, uneven: bool) -> CtVolume:
    """A CT without pixels to speak of; its place is far from round numbers."""
    slices, rows, columns = shape
    gaps = np.array([0.0, 2.3, 6.1][:slices])
    geometry = VolumeGeometry(
        shape=(slices, rows, columns),
        origin_mm=(-249.51171875, -413.01171875, -1203.3),
        spacing_mm=(2.5, 1.26953125, 0.9765625),
        frame_of_reference_uid="1.2.3",
        slice_offsets_mm=tuple(gaps.tolist()) if uneven else None,
    )
    return CtVolume(
        Volume(np.zeros(geometry.shape, np.int16), geometry),
        tuple(SliceReference(f"1.2.3.{k}", "1.2.840.10008.5.1.4.1.1.2") for k in range(slices)),
        SeriesIdentity("1.2.4", "1.2.5"),
    )
