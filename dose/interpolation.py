"""What the dose is between the nodes of its grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter

from core.geometry import Mask, Points

Doses = npt.NDArray[np.float64]
# linear  as planning systems do: never below or above the nodes around
# cubic   the cubic B-spline through the nodes: nearer to a smooth dose, may overshoot at an edge
Between = Literal["linear", "cubic"]
# (dose in Gy, whether covered) of the whole slice of this number
Sampler = Callable[[int], tuple[Doses, Mask]]

# What a node says of the spline fades by 0.27 a node: beyond so many it is below 1e-7.
_SPLINE_REACH = 12
CENTRES: Points = np.zeros((1, 2))


@dataclass(frozen=True, slots=True)
class Places:
    """Positions (slice, row, column) to be sampled, in indices of the dose grid.

    `start` is the first one; `steps` (3, 3) what one step along each axis is, `along` how many
    steps each slice, row and column is from the first; `rims` how far beyond its outermost nodes
    the grid still covers. `aside` (n, 2) says by how much of a row and of a column all positions of
    a slice are moved, one slice after another; whether they are covered is told of where they were.
    """

    start: Points
    steps: Points
    along: tuple[Points, Points, Points]
    rims: Points
    aside: Points = field(default_factory=CENTRES.copy)


def parallel_sampler(values: npt.NDArray[np.floating], places: Places, between: Between) -> Sampler:
    """One axis after the other, where the axes of both grids are parallel."""
    centres = [places.start[i] + places.steps[i, i] * places.along[i] for i in range(3)]
    covered = [_covered(centres[i], values.shape[i], places.rims[i]) for i in range(3)]
    at = [
        centres[i] + places.steps[i, i] * moved[:, None]
        for i, moved in enumerate((np.zeros(1), *places.aside.T))
    ]
    corner, nodes = _around(values, [(a.min(), a.max()) for a in at], between)
    slices, rows, columns = (
        [
            _weights(np.clip(moved, 0, values.shape[i] - 1) - corner[i], nodes.shape[i], between)
            for moved in at[i]
        ]
        for i in range(3)
    )
    in_plane = covered[1][:, None] & covered[2]

    def one_slice(number: int) -> tuple[Doses, Mask]:
        of_slice, way = slices[0][number], number % len(rows)
        used = np.flatnonzero(of_slice)
        plane = np.tensordot(of_slice[used], nodes[used], axes=1)
        inside = in_plane & bool(covered[0][number])
        return rows[way] @ plane @ columns[way].T, inside

    return one_slice


def general_sampler(values: npt.NDArray[np.floating], places: Places, between: Between) -> Sampler:
    """At arbitrary positions, for a dose grid that is turned against the CT."""
    rows = places.along[1][:, None, None] * places.steps[1]
    columns = places.along[2][None, :, None] * places.steps[2]
    in_plane = places.start + rows + columns
    last = np.asarray(values.shape) - 1.0
    aside = places.aside @ places.steps[1:]
    ends = in_plane + places.along[0][[0, -1], None, None, None] * places.steps[0]
    ends = ends + aside[:, None, None, None, :]
    reach = [(float(ends[..., i].min()), float(ends[..., i].max())) for i in range(3)]
    corner, nodes = _around(values, reach, between)
    order: Literal[1, 3] = 3 if between == "cubic" else 1

    def one_slice(number: int) -> tuple[Doses, Mask]:
        centres = in_plane + places.along[0][number] * places.steps[0]
        covered = ((centres >= -places.rims) & (centres <= last + places.rims)).all(axis=-1)
        at = centres + aside[number % len(aside)]
        clipped = np.moveaxis(np.clip(at, 0.0, last) - corner, -1, 0)
        doses = map_coordinates(
            nodes, clipped, output=np.float64, order=order, mode="mirror", prefilter=False
        )
        return doses, covered

    return one_slice


def _covered(at: Points, length: int, rim: float) -> Mask:
    return np.asarray((at >= -rim) & (at <= length - 1 + rim), np.bool_)


def _around(
    values: npt.NDArray[np.floating], reach: list[tuple[float, float]], between: Between
) -> tuple[Points, Doses]:
    """(corner, nodes): the part of the grid that positions within `reach` need.

    Of a spline the nodes are its coefficients.
    """
    margin = _SPLINE_REACH if between == "cubic" else 1
    box = []
    for (low, high), length in zip(reach, values.shape, strict=True):
        start = min(max(int(np.floor(low)) - margin, 0), length - 1)
        stop = max(min(int(np.ceil(high)) + margin + 1, length), start + 1)
        box.append(slice(start, stop))
    nodes = values[tuple(box)].astype(np.float64)
    if between == "cubic":
        nodes = spline_filter(nodes, order=3, output=np.float64, mode="mirror")
    return np.array([side.start for side in box], np.float64), nodes


def _weights(at: Points, length: int, between: Between) -> Doses:
    """What each of `length` nodes contributes to each position (n, length)."""
    low = np.minimum(np.floor(at), max(length - 2, 0))
    t = at - low
    shares = {0: 1.0 - t, 1: t}
    if between == "cubic":
        shares = {
            -1: (1.0 - t) ** 3 / 6.0,
            0: 2.0 / 3.0 - t**2 + t**3 / 2.0,
            1: 2.0 / 3.0 - (1.0 - t) ** 2 + (1.0 - t) ** 3 / 2.0,
            2: t**3 / 6.0,
        }
    weights = np.zeros((len(at), length))
    for step, share in shares.items():
        node = np.abs(low.astype(np.intp) + step)  # mirrored at both ends
        node = np.clip(np.minimum(node, 2 * (length - 1) - node), 0, length - 1)
        np.add.at(weights, (np.arange(len(at)), node), share)
    return weights
