"""The paper's figures 3, 4, 5, 7 and 8, and control charts, from the rows of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.records import ASSISTED, MANUAL
from review_ui.cohort import paper
from review_ui.cohort.rows import CohortRow
from review_ui.cohort.statistics import (
    LARGE_GY,
    RUNNING_CASES,
    SMALL_GY,
    control_limits,
    dose_shares,
    running,
    smoothed,
    thirds,
)
from review_ui.marks import SECOND, Band, Bar, Curve, Dot, Line
from review_ui.plots import Axis, Mark, Words, plot

SIGMA_CASES = 30.0
ENDS = 10  # first and last cases of figure 4
SMALL_DOT = 2.5
FEW = 9  # cases, each of which is marked by its number


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot and the sentence below it."""

    svg: str
    caption: str


def figures_of(rows: Sequence[CohortRow], roi_name: str, about: str) -> list[Figure]:
    """Every figure there is something to draw for; `about` says whose contours these are."""
    assisted = [row for row in rows if row.arm == ASSISTED]
    drawn = [
        _duration(rows, Words(f"{roi_name}: duration of each case", about)),
        _first_and_last(assisted, Words(f"{roi_name}: first and last cases", about)),
        _dice(assisted, Words(f"{roi_name}: Dice of prediction and correction", about), 0.0),
        _dice(assisted, Words(f"{roi_name}: the same from 0.9", about), 0.9),
        _dose(assisted, Words(f"{roi_name}: what corrections changed of the mean dose", about)),
        _dose_thirds(assisted, Words(f"{roi_name}: changes of the mean dose, by third", about)),
        *_control_charts(assisted, roi_name, about),
    ]
    return [figure for figure in drawn if figure is not None]


def _duration(rows: Sequence[CohortRow], words: Words) -> Figure | None:
    timed = [(row, row.seconds / 60) for row in rows if row.seconds is not None]
    if not timed:
        return None
    manual = [minutes for row, minutes in timed if row.arm == MANUAL]
    assisted = [(row, minutes) for row, minutes in timed if row.arm == ASSISTED]
    x, y = _order(rows), Axis("minutes", 0.0, 1.08 * max(minutes for _, minutes in timed) + 0.1)
    marks: list[Mark] = [
        Dot(row.number, minutes, f"case {row.number}", hollow=row.arm != ASSISTED, radius=SMALL_DOT)
        for row, minutes in timed
    ]
    means = running([minutes for _, minutes in assisted], ENDS)
    marks.append(Curve([(row.number, m.mean) for (row, _), m in zip(assisted, means, strict=True)]))
    caption = f"Figure 3 of the paper. Curve: mean of the last {ENDS} cases with a prediction."
    if manual:
        level = float(np.mean(manual))
        marks.append(Line((x.low, level), (x.high, level), f"by hand {level:.1f} min"))
        caption += " Dashed: mean of the cases contoured by hand."
    if len(assisted) < len(timed):
        caption += " Hollow: contoured without a prediction."
    return Figure(plot(words, x, y, marks), caption)


def _first_and_last(rows: Sequence[CohortRow], words: Words) -> Figure | None:
    minutes = [row.seconds / 60 for row in rows if row.seconds is not None]
    if len(minutes) < 2 * ENDS:
        return None
    groups = [(f"first {ENDS}", minutes[:ENDS]), (f"last {ENDS}", minutes[-ENDS:])]
    means = [float(np.mean(group)) for _, group in groups]
    named = [
        (float(place), f"{name}: {mean:.1f} min")
        for place, ((name, _), mean) in enumerate(zip(groups, means, strict=True), start=1)
    ]
    x = Axis("", 0.0, 3.0, tuple(named))
    y = Axis("minutes", 0.0, 1.08 * max(max(group) for _, group in groups))
    marks: list[Mark] = []
    for place, (name, group) in enumerate(groups, start=1):
        marks.append(Bar(place, 0.6, means[place - 1]))
        marks += [
            Dot(place - 0.2 + 0.4 * n / (ENDS - 1), m, name, colour=SECOND, radius=SMALL_DOT)
            for n, m in enumerate(group)
        ]
    caption = (
        f"Figure 4 of the paper, where the last ten took {paper.LAST_TEN_S / 60:.1f} min "
        f"and Eclipse {paper.MANUAL_S / 60:.1f} min."
    )
    return Figure(plot(words, x, y, marks), caption)


def _dice(rows: Sequence[CohortRow], words: Words, low: float) -> Figure | None:
    known = [(row.number, row.change.dice) for row in rows if row.change is not None]
    if not known:
        return None
    spread = running([value for _, value in known])
    places = [number for number, _ in known]
    lower = [(n, s.mean - s.sd) for n, s in zip(places, spread, strict=True)]
    upper = [(n, min(1.0, s.mean + s.sd)) for n, s in zip(places, spread, strict=True)]
    marks: list[Mark] = [
        Band(lower, upper),
        Curve([(n, s.mean) for n, s in zip(places, spread, strict=True)]),
        *(Dot(n, v, f"case {n}: Dice {v:.3f}", radius=SMALL_DOT, hollow=v < low) for n, v in known),
    ]
    number = 7 if low else 5
    caption = (
        f"Figure {number} of the paper. Curve and band: mean and standard deviation of the last "
        f"{RUNNING_CASES} cases."
    )
    if low:
        caption += f" {sum(v < low for _, v in known)} cases lie below and are drawn on the edge."
    return Figure(plot(words, _order(rows), Axis("Dice", low, 1.0), marks), caption)


def _dose(rows: Sequence[CohortRow], words: Words) -> Figure | None:
    known = _differences(rows)
    if not known:
        return None
    places, sizes = [n for n, _ in known], [abs(gy) for _, gy in known]
    sigma = max(1.0, min(SIGMA_CASES, len(known) / 10))
    curve = list(zip(places, smoothed(sizes, sigma), strict=True))
    marks: list[Mark] = [
        *(
            Dot(n, size, f"case {n}", radius=SMALL_DOT)
            for n, size in zip(places, sizes, strict=True)
        ),
        Curve(curve, f"{curve[-1][1]:.2f} Gy"),
    ]
    caption = (
        f"Figure 8a of the paper, where it falls from {paper.FIRST_DIFFERENCE_GY} to "
        f"{paper.LAST_DIFFERENCE_GY} Gy. Curve: mean weighted by a Gaussian of {sigma:.0f} cases."
    )
    y = Axis("|difference of mean dose|, Gy", 0.0, 1.08 * max(sizes) + 0.01)
    return Figure(plot(words, _order(rows), y, marks), caption)


def _dose_thirds(rows: Sequence[CohortRow], words: Words) -> Figure | None:
    known = [gy for _, gy in _differences(rows)]
    if len(known) < 3:
        return None
    named = ((1.0, "first third"), (2.0, "middle third"), (3.0, "last third"))
    x, y = Axis("", 0.0, 4.0, named), Axis("cases, %", 0.0, 108.0)
    marks: list[Mark] = []
    for place, part in enumerate(thirds(known), start=1):
        small, large = dose_shares(part)
        marks += [
            Bar(place - 0.2, 0.35, 100 * small, f"{100 * small:.0f} %"),
            Bar(place + 0.2, 0.35, 100 * large, f"{100 * large:.0f} %", colour=SECOND),
        ]
    caption = (
        f"Figure 8b of the paper: cases whose mean dose changed by {SMALL_GY} to {LARGE_GY:.0f} Gy "
        f"(left) and by more (right), in the first, middle and last third of {len(known)} cases."
    )
    return Figure(plot(words, x, y, marks), caption)


def _control_charts(rows: Sequence[CohortRow], roi_name: str, about: str) -> list[Figure]:
    """Edited volume of each reviewer: somebody who stops correcting shows here."""
    charts = []
    for reviewer in sorted({row.reviewer for row in rows}):
        edited = [
            (row.number, row.change.added_cc + row.change.removed_cc)
            for row in rows
            if row.reviewer == reviewer and row.change is not None
        ]
        if len(edited) < 2:
            continue
        low, mean, high = control_limits([cc for _, cc in edited])
        x = _order(rows)
        y = Axis("edited volume, cc", 0.0, 1.08 * max(high, *(cc for _, cc in edited)) + 0.1)
        levels = [(low, "lower limit"), (mean, "mean"), (high, "upper limit")]
        marks: list[Mark] = [
            *(Line((x.low, cc), (x.high, cc), f"{word} {cc:.1f}") for cc, word in levels),
            Curve(edited),
            *(Dot(n, cc, f"case {n}: {cc:.1f} cc", radius=SMALL_DOT) for n, cc in edited),
        ]
        untouched = sum(cc == 0 for _, cc in edited)
        words = Words(f"{roi_name}: volume that reviewer {reviewer} edited", about)
        caption = (
            f"Control chart of single values. {untouched} of {len(edited)} predictions were "
            "approved as they were. Edits that shrink while Dice with the TPS or a second observer "
            "does not rise may mean that predictions are trusted too much."
        )
        charts.append(Figure(plot(words, x, y, marks), caption))
    return charts


def _differences(rows: Sequence[CohortRow]) -> list[tuple[int, float]]:
    return [
        (row.number, row.dose.difference_gy)
        for row in rows
        if row.dose is not None and row.dose.difference_gy is not None
    ]


def _order(rows: Sequence[CohortRow]) -> Axis:
    last = max(row.number for row in rows)
    # Of a few cases halves would be marked too.
    few = tuple((float(n), str(n)) for n in range(1, last + 1)) if last < FEW else ()
    return Axis("case, in order of approval", 0.0, last + 1.0, few)
