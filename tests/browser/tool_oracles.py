"""What contouring tools must come to, by another way, and ways of the mouse to try them on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from core.geometry import Mask
from tests.browser.reference_case import CT, GEOMETRY
from tests.browser.review_page import PLANES, Point, ReviewPage

SPACING_MM = np.array(GEOMETRY.spacing_mm)


def on_slice(plane: str, index: int) -> Mask:
    """All voxels of one slice."""
    mask = np.zeros(GEOMETRY.shape, bool)
    np.moveaxis(mask, PLANES[plane][0], 0)[index] = True
    return mask


def spot(review: ReviewPage, plane: str, point: Point) -> npt.NDArray[np.float64]:
    """Where a pixel of the window is, mm along (across, down) from the volume's first edge."""
    _, _, down, flipped = PLANES[plane]
    across_mm, down_mm = review.to_mm(plane, point)
    height_mm = GEOMETRY.shape[down] * SPACING_MM[down]
    return np.array([across_mm, height_mm - down_mm if flipped else down_mm])


def pixel_of(review: ReviewPage, plane: str, voxel: tuple[int, ...]) -> Point:
    """The pixel of the window nearest to a voxel's centre, by search around the middle."""
    _, across, down, _ = PLANES[plane]
    wanted = np.array([(voxel[axis] + 0.5) * SPACING_MM[axis] for axis in (across, down)])
    x, y = review.middle(plane)
    here, right, below = (spot(review, plane, at) for at in ((x, y), (x + 100, y), (x, y + 100)))
    steps = np.stack([right - here, below - here], 1) / 100
    offset = np.linalg.solve(steps, wanted - here)
    return round(x + offset[0]), round(y + offset[1])


def voxel_at(review: ReviewPage, plane: str, point: Point) -> tuple[int, ...]:
    """The voxel under a pixel of the window."""
    normal, across, down, _ = PLANES[plane]
    voxel = [0, 0, 0]
    voxel[normal] = review.slice_of(plane)
    for axis, mm in zip((across, down), spot(review, plane, point), strict=True):
        voxel[axis] = int(mm // SPACING_MM[axis])
    return tuple(voxel)


def edge_of(review: ReviewPage, plane: str, mask: Mask) -> tuple[Point, Point]:
    """A way from 12 mm within a structure on the shown slice to beyond its right edge."""
    _, across, down, _ = PLANES[plane]
    voxels = np.argwhere(mask)
    middle, deep = np.median(voxels[:, down]), round(12 / SPACING_MM[across])
    for height in sorted(set(voxels[:, down]), key=lambda at: abs(at - middle)):
        row = voxels[voxels[:, down] == height]
        row = row[row[:, across].argsort()]
        if len(row) <= deep or row[-1, across] - row[-1 - deep, across] != deep:
            continue  # something was taken out within
        end = row[-1].copy()
        end[across] += round(6 / SPACING_MM[across])
        return pixel_of(review, plane, tuple(row[-1 - deep])), pixel_of(review, plane, tuple(end))
    pytest.fail("there is no whole edge")


def outer_edge(review: ReviewPage, plane: str, bulge: Mask) -> tuple[Point, Point]:
    """A way through the middle of a bulge on the shown slice, from top to bottom."""
    _, across, down, _ = PLANES[plane]
    voxels = np.argwhere(bulge)
    column = round(float(np.median(voxels[:, across])))
    there = voxels[voxels[:, across] == column]
    top, bottom = (there[there[:, down].argsort()][end] for end in (0, -1))
    return pixel_of(review, plane, tuple(top)), pixel_of(review, plane, tuple(bottom))


def followed(mask: Mask, removed: Mask, plane: str, first: int) -> Mask:
    """What is taken away of the neighbouring slices when fat is taken away on one, by the book."""
    normal, across, down, _ = PLANES[plane]
    order = (normal, across, down)
    sampling, step_mm = SPACING_MM[[across, down]], SPACING_MM[normal]
    inside, fat = (np.transpose(each, order) for each in (mask, removed))
    smooth = ndimage.generate_binary_structure(2, 1).astype(float)
    found = np.zeros_like(inside)
    for way in (-1, 1):
        before = fat[first]
        for away in range(1, int(20 / step_mm + 1e-9) + 1):
            here = first + way * away
            hu = np.transpose(CT.values, order)[here].astype(float)
            counted = ndimage.convolve(np.ones_like(hu), smooth, mode="constant")
            mean_hu = ndimage.convolve(hu, smooth, mode="constant") / counted
            near = ndimage.distance_transform_edt(~before, sampling=sampling) <= 3.0
            wrong = inside[here] & near & (np.abs(mean_hu + 80) < np.abs(mean_hu - 45))
            pieces, _ = ndimage.label(wrong)
            before = wrong & np.isin(pieces, np.unique(pieces[before & wrong]))
            found[here] = before
            if not before.any():
                break
    return np.transpose(found, np.argsort(order))


def ball_along(review: ReviewPage, plane: str, start: Point, end: Point, radius_mm: float) -> Mask:
    """Voxels within `radius_mm` of the way of the mouse, in space."""
    normal, across, down, _ = PLANES[plane]
    ends = []
    for point in (start, end):
        mm = np.zeros(3)
        mm[normal] = (review.slice_of(plane) + 0.5) * SPACING_MM[normal]
        mm[[across, down]] = spot(review, plane, point)
        ends.append(mm)
    way = ends[1] - ends[0]
    centres = (np.moveaxis(np.indices(GEOMETRY.shape), 0, -1) + 0.5) * SPACING_MM - ends[0]
    along = np.clip(centres @ way / (way @ way), 0, 1)
    return np.asarray(np.linalg.norm(centres - along[..., None] * way, axis=-1) <= radius_mm)


def fitted_mm(review: ReviewPage, plane: str, point: Point, mask: Mask, here: Mask) -> float:
    """The radius up to 8 mm at which a disc pressed down inside just stays inside."""
    _, across, down, _ = PLANES[plane]
    outside = (np.argwhere(here & ~mask)[:, [across, down]] + 0.5) * SPACING_MM[[across, down]]
    nearest = float(np.linalg.norm(outside - spot(review, plane, point), axis=1).min())
    return min(8.0, nearest - 1e-6)


def inside_polygon(review: ReviewPage, plane: str, corners: list[Point]) -> Mask:
    """Voxels of the shown slice whose centre lies inside, by crossings of a ray."""
    normal, across, down, _ = PLANES[plane]
    points = [spot(review, plane, corner) for corner in corners]
    indices = np.indices(GEOMETRY.shape)
    a = (indices[across] + 0.5) * SPACING_MM[across]
    d = (indices[down] + 0.5) * SPACING_MM[down]
    inside = np.zeros(GEOMETRY.shape, bool)
    for (a0, d0), (a1, d1) in zip(points, points[1:] + points[:1], strict=True):
        crosses = (a0 > a) != (a1 > a)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (d < d0 + (a - a0) / (a1 - a0) * (d1 - d0))
    return np.asarray(inside & (indices[normal] == review.slice_of(plane)), np.bool_)


def draw(review: ReviewPage, corners: list[Point], *, button: str) -> None:
    """Drag along corners; the tool closes the line."""
    mouse = review.page.mouse
    mouse.move(*corners[0])
    mouse.down(button=button)  # type: ignore[arg-type]  # a Literal there
    for corner in corners[1:]:
        mouse.move(*corner)
    mouse.up(button=button)  # type: ignore[arg-type]  # a Literal there


def interpolated(mask: Mask, plane: str, low: int, high: int) -> Mask:
    """The slices between two, where the weighted signed distances of both are above zero."""
    normal, across, down, _ = PLANES[plane]
    order = (normal, across, down)
    slices = np.transpose(mask, order)
    sampling = SPACING_MM[[across, down]]

    def signed_mm(index: int) -> npt.NDArray[np.float64]:
        inside = ndimage.distance_transform_edt(slices[index], sampling=sampling)
        outside = ndimage.distance_transform_edt(~slices[index], sampling=sampling)
        return np.asarray(inside - outside)

    found = np.zeros_like(slices)
    for index in range(low + 1, high):
        share = (index - low) / (high - low)
        found[index] = (1 - share) * signed_mm(low) + share * signed_mm(high) > 1e-9
    return np.transpose(found, np.argsort(order))
