"""Covered parts of pixels from the edges of polygons alone: exact where none overlaps another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.geometry import Points

_ROUNDING = 1e-6
Numbers = npt.NDArray[np.intp]


def edge_areas(
    slices: Sequence[Sequence[Points]], shape: tuple[int, int]
) -> tuple[Points, npt.NDArray[np.bool_]]:
    """(covered parts (slice, row, column), which slices they hold for).

    Each polygon (n, 2) counts once, whichever way it runs round: in a slice where polygons overlap
    or cross themselves some pixel has more than itself, or less than nothing, and the slice does
    not hold. Indices are of pixel centres, as in `polygons_by_slice`.
    """
    rows, columns = shape
    width = columns + 2
    row, down, first, last = _pieces(slices, shape)
    place, share, beyond = _within_pixels(row * width, down, first, last, columns)
    # Right of an edge all is covered; of its own pixel what lies right of its middle.
    change = np.bincount(place, share - beyond, len(slices) * rows * width)
    change[1:] += np.bincount(place, beyond, len(change))[:-1]
    by_slice = change.reshape(len(slices), rows, width)[:, :, :columns]
    covered: Points = np.cumsum(by_slice, axis=2)
    flat = covered.reshape(len(slices), -1)
    holds = (flat.min(axis=1) >= -_ROUNDING) & (flat.max(axis=1) <= 1.0 + _ROUNDING)
    return covered, np.asarray(holds, np.bool_)


def _pieces(
    slices: Sequence[Sequence[Points]], shape: tuple[int, int]
) -> tuple[Numbers, Points, Points, Points]:
    """Edges cut where rows end: row of the tall picture, height downwards, columns of both ends."""
    polygons = [polygon for of_slice in slices for polygon in of_slice]
    sizes = np.array([len(polygon) for polygon in polygons])
    start = np.concatenate(polygons)
    follows = np.arange(1, len(start) + 1)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    follows[begins + sizes - 1] = begins
    r0, c0 = (start + 0.5).T
    r1, c1 = r0[follows], c0[follows]
    area = np.add.reduceat((r1 - r0) * (c0 + c1), begins)
    turn = np.repeat(np.where(area > 0.0, -1.0, 1.0), sizes)
    of_slice = np.repeat(np.arange(len(slices)), [sum(map(len, some)) for some in slices])
    low, high = np.minimum(r0, r1), np.maximum(r0, r1)
    top = np.clip(np.floor(low), 0, shape[0]).astype(np.intp)
    count = np.clip(np.ceil(high), 0, shape[0]).astype(np.intp) - top
    edge, step = _repeated(np.where(high > low, count, 0))
    row = top[edge] + step
    rise = (r1 - r0)[edge]
    upper, lower = np.maximum(low[edge], row), np.minimum(high[edge], row + 1)
    slope = (c1 - c0)[edge] / rise
    from_start = c0[edge] - slope * r0[edge]
    down = (lower - upper) * turn[edge] * np.sign(rise)
    tall = row + shape[0] * of_slice[edge]
    return tall, down, from_start + slope * upper, from_start + slope * lower


def _within_pixels(
    place: Numbers, down: Points, first: Points, last: Points, columns: int
) -> tuple[Numbers, Points, Points]:
    """Pieces cut where columns end: pixel, height, and how much of it lies left of the middle."""
    left, right = np.minimum(first, last), np.maximum(first, last)
    start = np.clip(np.floor(left), -1, columns).astype(np.intp)
    count = np.clip(np.ceil(right), 0, columns + 1).astype(np.intp) - start
    piece, step = _repeated(np.maximum(count, 1))
    column = start[piece] + step
    long = (right - left)[piece]
    a = np.where(step > 0, column, left[piece])
    b = np.where(step < count[piece] - 1, column + 1, right[piece])
    share = down[piece] * np.divide(b - a, long, out=np.ones_like(long), where=long > 0.0)
    within = np.clip(column, 0, columns)
    beyond = share * np.clip(0.5 * (a + b) - within, 0.0, 1.0)
    return place[piece] + within, share, beyond


def _repeated(counts: Numbers) -> tuple[Numbers, Numbers]:
    """Each number so often as `counts` says, and how manieth of its kind each is."""
    number = np.repeat(np.arange(len(counts)), counts)
    return number, np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
