"""The report of a cohort: one page that needs nothing else, and its figures as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from core.files import write_whole
from core.records import ASSISTED, MANUAL
from core.store import Store
from review_ui.cohort import paper
from review_ui.cohort.figures import ENDS, Figure, figures_of
from review_ui.cohort.pictures import outliers_of, picture_of
from review_ui.cohort.rows import CohortRow, rows_of
from review_ui.cohort.statistics import break_even

PAGE, CASES, SUMMARY = "report.html", "cases.csv", "summary.csv"
Value = tuple[str, str, str]
"""What is measured, here, and in the paper."""


@dataclass(frozen=True, slots=True)
class Outlier:
    """A case of low Dice with its picture as a data address."""

    case_id: str
    number: int
    dice: float
    picture: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that stands on the page; `about` says whose contours these are."""

    roi_name: str
    about: str
    rows: Sequence[CohortRow]
    figures: Sequence[Figure]
    outliers: Sequence[Outlier]


def report_of(store: Store, roi_name: str, about: str) -> Report:
    """What the store knows of the reviews of a structure; `about` says whose contours these are.

    Raises `UnreadableObjectError` where masks that were approved are damaged or gone.
    """
    rows = rows_of(store, roi_name)
    outliers = [
        Outlier(row.case_id, row.number, row.change.dice, picture_of(store, row, roi_name))
        for row in outliers_of(rows)
        if row.change is not None
    ]
    figures = figures_of(rows, roi_name, about) if rows else []
    return Report(roi_name, about, rows, figures, outliers)


def write_report(out: Path, report: Report) -> None:
    """Write report.html, cases.csv and summary.csv to the folder `out`; same data, same bytes."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / CASES, as_csv([flat(row) for row in report.rows]).encode())
    summary = [dict(zip(("figure", "here", "paper"), v, strict=True)) for v in values_of(report)]
    write_whole(out / SUMMARY, as_csv(summary).encode())
    write_whole(out / PAGE, as_page(report).encode())


def flat(row: CohortRow) -> dict[str, Any]:
    """A row of cases.csv; what is not known is None."""
    change, dose, manual = row.change, row.dose, row.manual
    return {
        "number": row.number,
        "case": row.case_id,
        "reviewer": row.reviewer,
        "arm": row.arm,
        "approvals": row.approvals,
        "approved_at": row.approved_at.isoformat(),
        "seconds": row.seconds,
        "strokes": row.strokes,
        "slices_seen": row.slices_seen,
        "model_version": row.model_version,
        "predicted_cc": change and change.predicted_cc,
        "corrected_cc": row.corrected_cc,
        "added_cc": change and change.added_cc,
        "removed_cc": change and change.removed_cc,
        "dice": change and change.dice,
        "surface_dice_2mm": change and change.surface_dice_2mm,
        "surface_dice_3mm": change and change.surface_dice_3mm,
        "hausdorff_95_mm": change and change.hausdorff_95_mm,
        "mean_surface_mm": change and change.mean_surface_mm,
        "added_path_length_mm": change and change.added_path_length_mm,
        "predicted_mean_gy": dose and dose.predicted_gy,
        "corrected_mean_gy": dose and dose.corrected_gy,
        "mean_difference_gy": dose and dose.difference_gy,
        "dose_coverage": dose and dose.coverage,
        "dice_by_hand_predicted": manual and manual.predicted,
        "dice_by_hand_corrected": manual and manual.corrected,
    }


def values_of(report: Report) -> list[Value]:
    """The figures beside those of the paper; a dash: there is nothing to make it from."""
    rows = report.rows
    assisted = [row for row in rows if row.arm == ASSISTED]
    seconds = [row.seconds for row in assisted if row.seconds is not None]
    by_hand = [row.seconds for row in rows if row.arm == MANUAL and row.seconds is not None]
    even = break_even(seconds, float(np.mean(by_hand))) if by_hand else None
    differences = [
        abs(row.dose.difference_gy)
        for row in assisted
        if row.dose is not None and row.dose.difference_gy is not None
    ]
    manual = [row.manual for row in rows if row.manual is not None]
    pairs = [
        (
            "by hand and predicted",
            paper.MANUAL_PREDICTED,
            [m.predicted for m in manual if m.predicted is not None],
        ),
        (
            "by hand and corrected",
            paper.MANUAL_CORRECTED,
            [m.corrected for m in manual if m.corrected is not None],
        ),
        (
            "predicted and corrected",
            paper.PREDICTED_CORRECTED,
            [row.change.dice for row in rows if row.change is not None],
        ),
    ]
    return [
        ("cases", str(len(rows)), str(paper.CASES)),
        ("minutes by hand, mean", _minutes(by_hand), _minutes([paper.MANUAL_S])),
        (f"minutes, first {ENDS}", _minutes(seconds[:ENDS]), "—"),
        (f"minutes, last {ENDS}", _minutes(seconds[-ENDS:]), _minutes([paper.LAST_TEN_S])),
        (
            "faster than by hand from case",
            "—" if even is None else str(even),
            f"about {paper.BREAK_EVEN_CASE}",
        ),
        *(
            (f"Dice, {name}", _mean_sd(known), f"{mean} ± {sd}")
            for name, (mean, sd), known in pairs
        ),
        (
            f"|mean dose difference|, first {ENDS}, Gy",
            _mean(differences[:ENDS]),
            str(paper.FIRST_DIFFERENCE_GY),
        ),
        (
            f"|mean dose difference|, last {ENDS}, Gy",
            _mean(differences[-ENDS:]),
            str(paper.LAST_DIFFERENCE_GY),
        ),
    ]


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """A header and a line a row; what is not known is empty."""
    rows = list(rows)
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]) if rows else ())
    table.writeheader()
    table.writerows(
        {name: round(v, 6) if isinstance(v, float) else v for name, v in row.items()}
        for row in rows
    )
    return text.getvalue()


def as_page(report: Report) -> str:
    """The page."""
    title = f"{report.roi_name}: corrections in the order of their approval"
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(report.about)}</p>"]
    if not report.rows:
        body.append("<p>Nothing was approved yet. Approve a case on the review page.</p>")
    else:
        newest = report.rows[-1].approved_at.date().isoformat()
        said = (
            f"{len(report.rows)} cases, the newest approved on {newest}. Durations are of those "
            "who painted or approved, until the last approval, without pauses of 20 s and more. "
            "Doses are those of the plan that came last for a case."
        )
        body += [
            f"<p>{said}</p>",
            _table(values_of(report)),
            *(
                f"<figure>{f.svg}<figcaption>{escape(f.caption)}</figcaption></figure>"
                for f in report.figures
            ),
            *_outliers(report.outliers),
        ]
    return _PAGE.format(title=escape(title), body="\n".join(body))


def _outliers(outliers: Sequence[Outlier]) -> list[str]:
    return [
        f'<figure><img alt="Case {o.number}, axial slice with outlines" src="{o.picture}">'
        f"<figcaption>Figure 6 of the paper. Case {o.number}, Dice {o.dice:.3f}: left prediction "
        "(green) and correction (yellow), right the correction alone.</figcaption></figure>"
        for o in outliers
    ]


def _table(values: Sequence[Value]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(here)}</td>'
        f"<td>{escape(there)}</td></tr>"
        for name, here, there in values
    )
    return (
        '<table><thead><tr><th scope="col">figure</th><th scope="col">here</th>'
        f'<th scope="col">in the paper (hearts)</th></tr></thead><tbody>{lines}</tbody></table>'
    )


def _minutes(seconds: Sequence[float]) -> str:
    return f"{float(np.mean(seconds)) / 60:.1f}" if seconds else "—"


def _mean(values: Sequence[float]) -> str:
    return f"{float(np.mean(values)):.3f}" if values else "—"


def _mean_sd(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else "—"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:system-ui,sans-serif;margin:2rem auto;max-width:44rem;color:#1d242b}}
td,th{{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e3e7eb;font-weight:400}}
th[scope=row],th:first-child{{text-align:left}}thead th{{color:#5b6670}}
figure{{margin:1.8rem 0;break-inside:avoid}}figcaption{{color:#5b6670;font-size:.85rem}}
img,svg{{max-width:100%;display:block}}</style>
</head><body>
{body}
</body></html>
"""
