"""To the working grid and back: nothing moves, nothing is lost but detail."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry import VolumeGeometry
from core.resample import working_grid
from core.volume import Volume
from model.postprocess import largest_component, postprocessed
from model.preprocess import (
    dice,
    mask_on_ct,
    mask_to_working_grid,
    normalise,
    on_grid,
    tissue_in,
    tissue_on_working_grid,
)


def on_working_grid(
    volume: Volume, spacing_mm: tuple[float, float, float], *, outside: float
) -> Volume:
    return on_grid(volume, working_grid(volume.geometry, spacing_mm), outside=outside)


def network_input(
    volume: Volume, *, spacing_mm: tuple[float, float, float], window_hu: tuple[float, float]
) -> Volume:
    tissue = tissue_on_working_grid(volume, spacing_mm)
    return Volume(normalise(tissue.values, window_hu), tissue.geometry)


def test_the_window_maps_to_minus_one_and_one_and_clips():
    values = normalise(np.array([-1024, -160, 40, 240, 3000], np.int16), (-160.0, 240.0))
    np.testing.assert_allclose(values, [-1.0, -1.0, 0.0, 1.0, 1.0])
    assert values.dtype == np.float32


@pytest.mark.parametrize("spacing_mm", [(8.0, 8.0, 8.0), (8.0, 5.0, 7.0), (4.0, 4.0, 4.0)])
def test_a_ball_survives_the_way_to_the_working_grid_and_back(sphere, spacing_mm):
    volume, ball = sphere
    probability = on_working_grid(
        Volume(ball.astype(np.float32), volume.geometry), spacing_mm, outside=0.0
    )
    back = mask_on_ct(probability, volume.geometry)
    assert dice(back, ball) > 0.95
    middle, true_middle = (np.argwhere(m).mean(0) for m in (back, ball))
    np.testing.assert_allclose(middle, true_middle, atol=0.1)


def test_the_working_grid_lies_on_the_same_tissue(sphere):
    volume, ball = sphere
    seen = network_input(volume, spacing_mm=(8.0, 8.0, 8.0), window_hu=(-160.0, 240.0))
    coarse_mm = seen.geometry.index_to_mm(np.argwhere(seen.values > -0.35)).mean(0)
    true_mm = volume.geometry.index_to_mm(np.argwhere(ball)).mean(0)
    np.testing.assert_allclose(coarse_mm, true_mm, atol=0.8)


def test_noise_of_a_fine_ct_is_averaged_and_not_picked_out():
    noise = np.random.default_rng(0).normal(0, 100, (32, 32, 32)).astype(np.float32)
    geometry = VolumeGeometry(noise.shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "2.25.1")
    coarse = on_working_grid(Volume(noise, geometry), (4.0, 4.0, 4.0), outside=0.0)
    assert coarse.values.shape == (8, 8, 8)
    # 64 voxels in a block: the spread falls by 8.
    assert coarse.values.std() == pytest.approx(12.5, rel=0.15)
    np.testing.assert_allclose(coarse.values[0, 0, 0], noise[:4, :4, :4].mean(), rtol=1e-4)


def test_sizes_that_do_not_divide_keep_their_place():
    values = np.broadcast_to(np.arange(19, dtype=np.float32)[:, None, None], (19, 11, 13))
    geometry = VolumeGeometry(values.shape, (5.0, 6.0, 7.0), (1.0, 1.0, 1.0), "2.25.1")
    coarse = on_working_grid(Volume(values.copy(), geometry), (3.0, 2.0, 2.0), outside=-1.0)
    height_mm = coarse.geometry.index_to_mm(np.argwhere(coarse.values > -9))[:, 2].reshape(
        coarse.values.shape
    )
    inside = (slice(1, -1),) * 3
    np.testing.assert_allclose(coarse.values[inside], height_mm[inside] - 7.0, atol=1e-4)


def test_strokes_thinner_than_a_working_voxel_are_kept(sphere):
    volume, _ = sphere
    fine = replace(volume.geometry, spacing_mm=(1.0, 1.0, 1.0))
    stroke = np.zeros(fine.shape, bool)
    stroke[10:14, 20:22, 8:30] = True
    painted = mask_to_working_grid(stroke, fine, (4.0, 4.0, 4.0), share=0.1)
    assert painted.sum() >= 5


def test_only_the_largest_component_remains():
    mask = np.zeros((6, 6, 6), bool)
    mask[0, 0, 0] = True
    mask[3:5, 3:5, 3:5] = True
    kept = largest_component(mask)
    assert kept.sum() == 8
    assert not kept[0, 0, 0]


def test_only_what_a_structure_asks_for_is_done_to_its_mask():
    mask = np.zeros((9, 9, 9), bool)
    mask[1:6, 1:6, 1:6] = True
    mask[3, 3, 3] = False
    mask[8, 8, 8] = True
    assert postprocessed(mask, keep_largest=False, fill_holes=False).sum() == 125
    assert postprocessed(mask, keep_largest=True, fill_holes=False).sum() == 124
    assert postprocessed(mask, keep_largest=False, fill_holes=True).sum() == 126
    assert postprocessed(mask, keep_largest=True, fill_holes=True).sum() == 125


def test_a_part_of_the_working_grid_holds_what_the_whole_holds_there():
    noise = np.random.default_rng(0).normal(0, 100, (30, 60, 64)).astype(np.float32)
    geometry = VolumeGeometry(noise.shape, (-20.0, 6.0, 7.0), (2.0, 1.0, 1.0), "2.25.1")
    volume = Volume(noise, geometry)
    whole = tissue_on_working_grid(volume, (3.0, 2.5, 4.0))
    box = (slice(5, 13), slice(3, 19), slice(7, 14))
    part = tissue_in(volume, whole.geometry.cut(box))
    assert part.geometry == whole.geometry.cut(box)
    np.testing.assert_allclose(part.values, whole.values[box], atol=1e-3)


def test_nothing_predicted_is_an_empty_mask(sphere):
    volume, _ = sphere
    low = Volume(np.full(volume.geometry.shape, 0.2, np.float32), volume.geometry)
    assert not mask_on_ct(low, volume.geometry).any()


def _uneven_ball() -> tuple[Volume, np.ndarray]:
    """A ball on slices of two zones, 5 mm and 2 mm apart."""
    offsets = (*np.arange(0.0, 80.0, 5.0), *np.arange(80.0, 170.0, 2.0))
    geometry = VolumeGeometry(
        shape=(len(offsets), 90, 90),
        origin_mm=(-83.0, -151.5, -412.25),
        spacing_mm=(offsets[-1] / (len(offsets) - 1), 1.5, 1.5),
        frame_of_reference_uid="2.25.1",
        slice_offsets_mm=offsets,
    )
    points_mm = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    centre_mm = (-83.0 + 67.0, -151.5 + 66.0, -412.25 + 82.0)
    ball = np.linalg.norm(points_mm - centre_mm, axis=-1) < 40.0
    return Volume(np.where(ball, 40, -100).astype(np.int16), geometry), ball


def test_the_network_sees_even_slices_and_its_mask_comes_back_on_the_true_ones():
    volume, ball = _uneven_ball()
    spacing_mm = (4.0, 4.0, 4.0)
    seen = network_input(volume, spacing_mm=spacing_mm, window_hu=(-160.0, 240.0))
    assert seen.geometry.slice_offsets_mm is None
    assert seen.geometry.spacing_mm == spacing_mm
    inside = seen.values > -0.35
    extent = [int(n) for n in np.ptp(np.argwhere(inside), axis=0) + 1]
    assert extent == pytest.approx([20, 20, 20], abs=1)
    probability = on_working_grid(
        Volume(ball.astype(np.float32), volume.geometry), spacing_mm, outside=0.0
    )
    back = mask_on_ct(probability, volume.geometry)
    assert dice(back, ball) > 0.97
    volumes_cc = [volume.geometry.volume_cc(m) for m in (back, ball)]
    assert volumes_cc[0] == pytest.approx(volumes_cc[1], rel=0.03)


def test_padding_at_the_rim_of_the_field_of_view_does_not_thin_the_tissue_beside_it():
    values = np.full((8, 16, 16), 40, np.int16)
    # Tissue is cut off within a working voxel: one or three of its four columns are padding.
    values[:4, :, 11:] = -1024
    values[4:, :, 9:] = -1024
    geometry = VolumeGeometry(values.shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "2.25.1")
    seen = network_input(
        Volume(values, geometry), spacing_mm=(4.0, 4.0, 4.0), window_hu=(-160.0, 240.0)
    )
    tissue, outside = np.float32(0.0), np.float32(-1.0)
    np.testing.assert_allclose(seen.values[0, 2], [tissue, tissue, tissue, outside], atol=1e-6)
    np.testing.assert_allclose(seen.values[1, 2], [tissue, tissue, outside, outside], atol=1e-6)


def test_air_that_was_measured_still_counts():
    values = np.full((4, 4, 8), 40, np.int16)
    values[..., 2:] = -200
    geometry = VolumeGeometry(values.shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "2.25.1")
    seen = network_input(
        Volume(values, geometry), spacing_mm=(4.0, 4.0, 4.0), window_hu=(-160.0, 240.0)
    )
    np.testing.assert_allclose(seen.values.ravel(), [-0.6, -1.0], atol=1e-6)
