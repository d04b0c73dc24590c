"""What `recontour evaluate` leaves behind: a table for spreadsheets and a page with plots."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluating import FIGURES, FOLDER_ORIGIN, Row
from core.files import write_whole
from core.records import IMPORTED, RETURNED, REVIEWED
from review_ui.marks import Dot, Line
from review_ui.plots import Axis, Words, plot

TABLE, PAGE = "cases.csv", "evaluation.html"
COLUMNS = ("case", "origin", "split", "learned_from", *FIGURES, "flags", "note")
LIMITS_FROM = 3  # cases; two differences have no spread worth a line

KINDS = {
    "silver": "Silver masks, not drawn by physicians: no figure is a clinical accuracy.",
    "phantom": "Synthetic patients: no figure says anything about a patient.",
    "bent": "Synthetic patients, and bends of a few real CTs with contours of unknown accuracy: no "
    "figure says anything about a patient.",
    "imported": "Contours made elsewhere; who drew them is not known here.",
    "approved": "Contours that physicians approved.",
}
_ORIGINS = {REVIEWED: "approved here", RETURNED: "edited in the TPS", IMPORTED: "imported"}


@dataclass(frozen=True, slots=True)
class Heading:
    """What was held against what: structure, model version, and what the contours are."""

    roi_name: str
    model_version: str
    contours: str

    def of(self, figure: str) -> Words:
        """What stands over a plot of `figure`."""
        named = f"{self.roi_name}, {figure}: model {self.model_version[:12]}"
        return Words(named, self.contours)


def heading_of(roi_name: str, version: str, kind: str | None, rows: Sequence[Row]) -> Heading:
    """The heading; without a `kind` the origins of the rows say what the contours are."""
    if kind is not None:
        return Heading(roi_name, version, KINDS[kind])
    if all(row["origin"] == FOLDER_ORIGIN for row in rows):
        return Heading(roi_name, version, KINDS["imported"])
    counts = Counter(_ORIGINS[row["origin"]] for row in rows)
    said = ", ".join(f"{count} {words}" for words, count in counts.items())
    return Heading(roi_name, version, f"Contours: {said}.")


def write_report(out: Path, heading: Heading, rows: Sequence[Row]) -> None:
    """Write cases.csv and evaluation.html to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / TABLE, as_csv(rows).encode())
    write_whole(out / PAGE, as_page(heading, rows).encode())


def as_csv(rows: Sequence[Row]) -> str:
    """One line a case; what is not known is empty."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    table.writerows(
        {n: round(v, 5) if isinstance(v, float) else v for n, v in row.items()} for row in rows
    )
    return text.getvalue()


def summary(rows: Sequence[Row]) -> list[Row]:
    """Figures over the cases the model did not learn from, and over those it did."""
    parts = (("not learned from", False), ("learned from", True))
    return [
        _summary(name, chosen)
        for name, learned in parts
        if (chosen := [r for r in rows if r["learned_from"] is learned])
    ]


def as_page(heading: Heading, rows: Sequence[Row]) -> str:
    """The page: summary and three plots, self-contained."""
    measured = [r for r in rows if r["dice"] is not None]
    plots = [_dice_in_order, _volumes, _expected] if measured else []
    left_out = [r for r in rows if r["dice"] is None]
    title = f"{heading.roi_name}: model against contours"
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(heading.contours)} Model version {escape(heading.model_version)}.</p>",
        "<p>Hollow dots are cases that the model learned from: it has seen their contours.</p>",
        _table(summary(rows)),
        *(plot(heading, measured) for plot in plots),
        *(f"<p>Left out: {escape(r['case'])}: {escape(r['note'])}</p>" for r in left_out),
    ]
    return _PAGE.format(title=escape(title), body="\n".join(body))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:system-ui,sans-serif;margin:2rem;max-width:44rem;color:#1d242b}}
td,th{{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e3e7eb}}
td:first-child,th:first-child{{text-align:left}}svg{{display:block;margin:1.5rem 0}}</style>
</head><body>
{body}
</body></html>
"""


def _dice_in_order(heading: Heading, rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda row: float(row["dice"]))
    dots = [_dot(rank, row["dice"], row) for rank, row in enumerate(ordered, start=1)]
    median = float(np.median([row["dice"] for row in rows]))
    x = Axis("case, worst first", 0.0, len(rows) + 1.0)
    line = Line((0.0, median), (x.high, median), f"median {median:.3f}")
    return plot(heading.of("Dice"), x, Axis("Dice", 0.0, 1.0), [line, *dots])


def _volumes(heading: Heading, rows: Sequence[Row]) -> str:
    """Bland and Altman: difference against mean, with bias and 1.96 standard deviations."""
    pairs = np.array([(r["predicted_cc"], r["reference_cc"]) for r in rows], float)
    means, differences = pairs.mean(1), pairs[:, 0] - pairs[:, 1]
    dots = [_dot(m, d, row) for m, d, row in zip(means, differences, rows, strict=True)]
    bias, levels = float(differences.mean()), []
    if len(rows) >= LIMITS_FROM:
        spread = 1.96 * float(differences.std(ddof=1))
        levels = [(bias + spread, "+1.96 SD"), (bias - spread, "-1.96 SD")]
    x = Axis.around("mean of both volumes, cc", means)
    levels = [(bias, "bias"), *levels]
    y = Axis.around("predicted minus reference, cc", [*differences, *(v for v, _ in levels)])
    lines = [Line((x.low, v), (x.high, v), f"{word} {v:.1f} cc") for v, word in levels]
    return plot(heading.of("volume"), x, y, [*lines, *dots])


def _expected(heading: Heading, rows: Sequence[Row]) -> str:
    dots = [_dot(row["expected_dice"], row["dice"], row) for row in rows]
    x, y = Axis("Dice expected by the model", 0.0, 1.0), Axis("Dice", 0.0, 1.0)
    line = Line((0.0, 0.0), (1.0, 1.0), "as expected")
    return plot(heading.of("expected Dice"), x, y, [line, *dots])


def _dot(x: float, y: float, row: Row) -> Dot:
    told = f"{row['case']}: Dice {row['dice']:.3f}, {row['reference_cc']:.1f} cc"
    return Dot(float(x), float(y), told, hollow=bool(row["learned_from"]))


def _summary(name: str, rows: Sequence[Row]) -> Row:
    def known(column: str) -> list[float]:
        return [float(r[column]) for r in rows if r[column] is not None]

    dice, expected = known("dice"), known("expected_dice")
    doses = [abs(gy) for gy in known("mean_difference_gy")]
    return {
        "cases": name,
        "number": len(rows),
        "median_dice": float(np.median(dice)),
        "lowest_dice": min(dice),
        "median_surface_dice_3mm": float(np.median(known("surface_dice_3mm"))),
        "median_expected_minus_real_dice": float(np.median(np.subtract(expected, dice))),
        "mean_absolute_mean_dose_difference_gy": float(np.mean(doses)) if doses else None,
    }


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = [name for name in rows[0] if name != "cases"]
    head = "".join(f"<th>{escape(str(row['cases']))}</th>" for row in rows)
    lines = [
        f"<tr><td>{escape(_named(n))}</td>"
        + "".join(f"<td>{_figure(row[n])}</td>" for row in rows)
        + "</tr>"
        for n in names
    ]
    return f"<table><tr><th></th>{head}</tr>{''.join(lines)}</table>"


def _named(column: str) -> str:
    words = column.replace("_gy", ", Gy").replace("_3mm", " within 3 mm").replace("_", " ")
    return words.capitalize().replace("dice", "Dice").replace("gy", "Gy")


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
