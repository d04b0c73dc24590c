"""Dose-volume histograms as a tidy CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from core.files import write_whole
from dose.dvh import Dvh

BIN_GY = 0.05
COLUMNS = (
    "roi_name",
    "dose_gy",
    "cumulative_cc",
    "cumulative_percent",
    "differential_cc",
    "differential_percent",
)


class DvhTable:
    """Gathers the curves of structures; a line for each bin of `BIN_GY`.

    `dose_gy` is the lower end of the bin; cumulative is what receives at least that, differential
    what receives a dose within the bin; percent of what the dose grid covers.
    """

    def __init__(self) -> None:
        self._lines: list[tuple[str, ...]] = []

    def add(self, roi_name: str, dvh: Dvh) -> None:
        """Take the curves of one structure; none where nothing is covered."""
        if not dvh.volume_cc:
            return
        # A spreadsheet would compute what looks like a formula.
        name = f"'{roi_name}" if roi_name[:1] in {"=", "+", "-", "@", "\t", "\r"} else roi_name
        doses, at_least = dvh.curve(bin_width_gy=BIN_GY)
        _, within = dvh.differential(bin_width_gy=BIN_GY)
        for dose_gy, cumulative, differential in zip(doses, at_least, [*within, 0.0], strict=True):
            figures = [
                part * unit
                for part in (float(cumulative), float(differential))
                for unit in (1.0, 100.0 / dvh.volume_cc)
            ]
            line = (f"{dose_gy:.2f}", *(f"{figure:.6g}" for figure in figures))
            self._lines.append((name, *line))

    def write(self, path: Path) -> None:
        """Write everything gathered to `path`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self._lines)
        write_whole(path, text.getvalue().encode())
