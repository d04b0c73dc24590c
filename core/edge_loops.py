"""Polygons along the edges of the true pixels of one slice."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.geometry import Mask, Points

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Corners:
    """Corners of the boundary on the lattice of pixel corners, ordered by (row, column).

    Two pixels that touch only at a corner have one corner each there, so that diagonal
    neighbours stay separate. `across` and `along` are the corners at the other end of the
    horizontal and of the vertical edge; `verticals` are the upper ends of the vertical edges,
    ordered by (column, row).
    """

    row: Indices
    column: Indices
    opens: npt.NDArray[np.bool_]
    across: Indices
    along: Indices
    verticals: Indices


@dataclass(slots=True)
class _Loop:
    """One closed boundary, as corner numbers; `is_hole` where it runs around a hole."""

    corners: list[int]
    is_hole: bool
    holes: dict[int, list[_Loop]] = field(default_factory=dict)


def edge_polygons(pixels: Mask) -> list[Points]:
    """Polygons (n, 2) in (row, column) indices around the true pixels; pixel centres are whole.

    One for each part that is connected by pixel edges; its holes are joined to it by keyholes.
    """
    box_rows = np.flatnonzero(pixels.any(axis=1))
    box_columns = np.flatnonzero(pixels.any(axis=0))
    if len(box_rows) == 0:
        return []
    top, left = int(box_rows[0]), int(box_columns[0])
    boxed = pixels[top : box_rows[-1] + 1, left : box_columns[-1] + 1]
    padded = np.pad(boxed, 1)
    corners = _corners_of(padded)
    loops, loop_of = _loops_of(corners, padded)
    _hang_holes(loops, loop_of, corners, padded)
    at = list(zip(corners.row.tolist(), corners.column.tolist(), strict=True))
    shift = np.array([top - 0.5, left - 0.5])
    return [_outline(loop, corners, at) + shift for loop in loops if not loop.is_hole]


def _outline(outer: _Loop, corners: _Corners, at: list[tuple[int, int]]) -> Points:
    if outer.holes:
        return _without_straight_points(np.array(_walk(outer, at), np.float64))
    # Every corner of a loop is a turn: none repeats and none lies straight between two others.
    ring = np.array(outer.corners)
    return np.column_stack([corners.row[ring], corners.column[ring]]).astype(np.float64)


def _corners_of(padded: Mask) -> _Corners:
    quarters = {
        (0, 0): padded[:-1, :-1],
        (0, 1): padded[:-1, 1:],
        (1, 0): padded[1:, :-1],
        (1, 1): padded[1:, 1:],
    }
    found = []
    for (down, right), quarter in quarters.items():
        beside, opposite = quarters[down, 1 - right], quarters[1 - down, 1 - right]
        above = quarters[1 - down, right]
        # The pixel that differs from both neighbours has a corner here; of two diagonal pairs
        # only the true pixels have one.
        here = (quarter != beside) & (beside == above) & ((opposite == beside) | quarter)
        row, column = np.divmod(np.flatnonzero(here), here.shape[1])
        found.append(np.stack([row, column, np.full_like(row, down), np.full_like(row, right)]))
    row, column, down, right = np.concatenate(found, axis=1)
    order = np.lexsort((column, row))
    row, column, down, right = row[order], column[order], down[order], right[order]
    # On each line edges open and close in turn; where two meet, one closes before one opens.
    horizontal = np.lexsort((right, column, row))
    vertical = np.lexsort((down, row, column))
    return _Corners(
        row=row,
        column=column,
        opens=(down == 1) & (right == 1),
        across=_partners(horizontal),
        along=_partners(vertical),
        verticals=vertical[0::2],
    )


def _partners(order: Indices) -> Indices:
    partners = np.empty_like(order)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    return partners


def _loops_of(corners: _Corners, padded: Mask) -> tuple[list[_Loop], Indices]:
    """Loops by their first corner (row, column), and for each corner the number of its loop.

    True pixels lie on the right hand, seen with rows downwards, in outer loops and around holes.
    """
    across, along = corners.across.tolist(), corners.along.tolist()
    loop_of = np.full(len(across), -1, np.int64)
    seen = [False] * len(across)
    loops: list[_Loop] = []
    # The first corner of a loop in (row, column) order opens right and down.
    for first in np.flatnonzero(corners.opens).tolist():
        if seen[first]:
            continue
        is_hole = not padded[corners.row[first] + 1, corners.column[first] + 1]
        here, ring = first, []
        one, other = (along, across) if is_hole else (across, along)
        while not seen[here]:
            turn = one[here]
            seen[here] = seen[turn] = True
            ring += [here, turn]
            here = other[turn]
        loop_of[ring] = len(loops)
        loops.append(_Loop(ring, is_hole))
    return loops, loop_of


def _hang_holes(loops: list[_Loop], loop_of: Indices, corners: _Corners, padded: Mask) -> None:
    """Hang each hole on the vertical edge that a keyhole to the left first meets.

    The keyhole starts at the hole's first corner and stays between true pixels, so it meets a
    loop of the same part: the outer one, or a hole that comes earlier in (row, column) order.
    """
    inside = padded[:-1, :-1] & padded[:-1, 1:] & padded[1:, :-1] & padded[1:, 1:]
    width = padded.shape[0]
    keys = corners.column[corners.verticals] * width + corners.row[corners.verticals]
    for hole in loops:
        if not hole.is_hole:
            continue
        row, column = int(corners.row[hole.corners[0]]), int(corners.column[hole.corners[0]])
        meets = int(np.flatnonzero(~inside[row, :column])[-1])
        edge = int(corners.verticals[np.searchsorted(keys, meets * width + row, "right") - 1])
        loops[loop_of[edge]].holes.setdefault(edge, []).append(hole)


def _walk(outer: _Loop, at: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Lattice points of `outer` with its holes, each reached and left by its keyhole.

    `at` is the (row, column) of each corner.
    """
    points: list[tuple[int, int]] = []
    # A stack and not recursion: a sieve of a mask hangs one hole on the next, hundreds deep.
    tasks: list[_Loop | tuple[int, int]] = [outer]
    while tasks:
        task = tasks.pop()
        if isinstance(task, tuple):
            points.append(task)
        else:
            tasks.extend(reversed(_steps(task, at)))
    return points


def _steps(loop: _Loop, at: list[tuple[int, int]]) -> list[_Loop | tuple[int, int]]:
    steps: list[_Loop | tuple[int, int]] = []
    ring = loop.corners
    for here, following in zip(ring, [*ring[1:], ring[0]], strict=True):
        steps.append(at[here])
        if at[here][1] != at[following][1] or not loop.holes:
            continue
        downwards = at[following][0] > at[here][0]
        hung = loop.holes.get(here if downwards else following, [])
        hung = sorted(hung, key=lambda hole: at[hole.corners[0]][0], reverse=not downwards)
        for hole in hung:
            gate = (at[hole.corners[0]][0], at[here][1])
            steps += [gate, hole, at[hole.corners[0]], gate]
    return steps


def _without_straight_points(points: Points) -> Points:
    before = points - np.roll(points, 1, axis=0)
    after = np.roll(points, -1, axis=0) - points
    moved = after.any(axis=1)
    if not moved.all():
        return _without_straight_points(points[moved])
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    # A keyhole turns back on itself: same line, other direction; that point stays.
    straight = (turn == 0) & ((before * after).sum(axis=1) > 0)
    return np.asarray(points[~straight], np.float64)
