"""The page of a case's figures shows what a correction meant for the dose."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from app.comparing import EDITION, compare_dose
from app.room import Room
from core.config import Settings
from core.store import Store
from core.volume import Volume
from dose.contour_change import DoseChange, dose_change
from review_ui.difference_plots import dvh_plot, slices_plot
from tests.support.review_case import Reviewer, box_mask, put_case, small_geometry
from tests.support.room import approve_mask

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
PREDICTED = box_mask(GEOMETRY, (slice(2, 6), slice(3, 9), slice(3, 6)))
CORRECTED = box_mask(GEOMETRY, (slice(2, 6), slice(3, 9), slice(4, 9)))
COLUMNS = np.arange(GEOMETRY.shape[2], dtype=np.float32)
DOSE = Volume(np.broadcast_to(COLUMNS, GEOMETRY.shape).copy(), GEOMETRY)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def change() -> DoseChange:
    found = dose_change(DOSE, PREDICTED, CORRECTED, GEOMETRY)
    assert found is not None
    return found


def test_the_approved_contour_stands_beside_what_was_proposed(
    anna: Reviewer, store: Store, settings: Settings
) -> None:
    room, case_id = Room(settings, store), put_case(store, CT, prediction=PREDICTED, dose=DOSE)
    page = f"/cases/{case_id}/figures"
    approve_mask(room, case_id, CORRECTED)
    assert "data-against" not in anna.get(page).text  # the worker has not measured it yet
    for due in store.differences.due(EDITION):
        compare_dose(room, due)
    shown = anna.get(page).text
    assert shown.count('data-against="prediction"') == 1
    rows = dict(re.findall(r'<th scope="row">([^<]*)</th><td class="number">([^<]*)</td>', shown))
    assert rows["Dice"] == f"{2 * 48 / (72 + 120):.3f}"
    assert (rows["Mean dose before"], rows["Mean dose approved"]) == ("4.000 Gy", "6.000 Gy")
    assert rows["Change of the mean dose"] == "+2.000 Gy"
    drawn = re.findall(r"<svg.*?</svg>", shown, re.DOTALL)
    titles = [ElementTree.fromstring(svg).findtext(f"{SVG}title") for svg in drawn[-2:]]
    assert titles == ["Dose-volume histogram", "Which slices moved the mean dose"]
    assert "style=" not in shown  # the page allows none


def test_each_touched_slice_has_its_bar_and_the_curves_their_bins(change: DoseChange) -> None:
    positions_mm = [3.0 * number for number in range(GEOMETRY.shape[0])]
    slices = ElementTree.fromstring(slices_plot(change, positions_mm))
    assert len(slices.findall(f"{SVG}polyline")) == 4
    assert "together +2.000 Gy" in [text.text for text in slices.iter(f"{SVG}text")]
    dvh = ElementTree.fromstring(dvh_plot(change, first="what was proposed", approved="approved"))
    assert [len(line.get("points", "").split()) for line in dvh.findall(f"{SVG}polyline")] == [
        101
    ] * 2
    assert len(dvh.findall(f"{SVG}polygon")) == 1
