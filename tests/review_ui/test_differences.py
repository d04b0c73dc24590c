"""The page of a case's figures shows what a correction meant for the dose."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np

from app.comparing import EDITION, compare_dose
from app.room import Room
from core.case_files import reference_name
from core.case_store import PREDICTION, REFERENCE
from core.config import Settings
from core.dose_records import Difference
from core.geometry import Mask
from core.store import Store
from core.volume import Volume
from dose.contour_change import DoseChange, dose_change
from review_ui.difference_plots import dvh_plot, histograms_of, slices_plot
from review_ui.plots import Axis, place
from tests.support.review_case import NOW, Reviewer, box_mask, put_case, put_dose, small_geometry
from tests.support.room import approve_mask

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
PREDICTED = box_mask(GEOMETRY, (slice(2, 6), slice(3, 9), slice(3, 6)))
CORRECTED = box_mask(GEOMETRY, (slice(2, 6), slice(3, 9), slice(4, 9)))
OF_THE_TPS = box_mask(GEOMETRY, (slice(2, 6), slice(3, 9), slice(5, 7)))
COLUMNS = np.arange(GEOMETRY.shape[2], dtype=np.float32)
DOSE = Volume(np.broadcast_to(COLUMNS, GEOMETRY.shape).copy(), GEOMETRY)
SVG = "{http://www.w3.org/2000/svg}"
CONTOURS = (
    "dice",
    "surface_dice_2mm",
    "surface_dice_3mm",
    "hausdorff_95_mm",
    "mean_surface_mm",
    "added_path_length_mm",
    "predicted_cc",
    "added_cc",
    "removed_cc",
)


def changed(first: Mask) -> DoseChange:
    found = dose_change(DOSE, first, CORRECTED, GEOMETRY)
    assert found is not None
    return found


def cells_of(page: str) -> dict[str, list[str]]:
    """The cells of the table of differences, by the name of their row."""
    table = page.split('id="differences"')[1].split("</table>", maxsplit=1)[0]
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', table)
    return {name: re.findall(r"<td[^>]*>([^<]*)</td>", cells) for name, cells in rows}


def titles_of(page: str) -> list[str | None]:
    drawn = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    return [ElementTree.fromstring(svg).findtext(f"{SVG}title") for svg in drawn]


def test_the_approved_contour_stands_beside_what_was_proposed_and_the_tps_s_own(
    anna: Reviewer, store: Store, settings: Settings
) -> None:
    room, case_id = Room(settings, store), put_case(store, CT, prediction=PREDICTED, dose=DOSE)
    page = f"/cases/{case_id}/figures"
    made = approve_mask(room, case_id, CORRECTED)
    assert "data-against" not in anna.get(page).text  # the worker has not measured it yet
    for due in store.differences.due(EDITION):
        compare_dose(room, due)
    shown = anna.get(page).text
    assert re.findall('data-against="([a-z]*)"', shown) == ["prediction"]
    assert titles_of(shown)[-2:] == ["Dose-volume histogram", "Which slices moved the mean dose"]
    before = cells_of(shown)
    assert before["Dice"] == [f"{2 * 48 / (72 + 120):.3f}"]

    # The TPS's own contour comes after the approval.
    drawn = put_dose(store, case_id, DOSE, kind="structure_set", note="Heart")
    store.files.write_mask(case_id, reference_name(drawn, made.assembly), OF_THE_TPS)
    for due in store.differences.due(EDITION):
        compare_dose(room, due)
    shown = anna.get(page).text
    assert re.findall('data-against="([a-z]*)"', shown) == ["prediction", "reference"]
    cells = cells_of(shown)
    assert {name: both[0] for name, both in cells.items()} == {
        name: one[0] for name, one in before.items()
    }
    assert cells["Dice"][1] == f"{2 * 48 / (48 + 120):.3f}"
    assert cells["Its mean dose"] == ["4.000 Gy", "5.500 Gy"]
    assert cells["Mean dose approved"] == ["6.000 Gy", "6.000 Gy"]
    assert cells["Approved less it"] == ["+2.000 Gy", "+0.500 Gy"]
    assert titles_of(shown).count("Dose-volume histogram") == 1
    assert titles_of(shown).count("Which slices moved the mean dose") == 2
    for name, mean_gy in (("proposed", "4.00"), ("approved", "6.00"), ("of the TPS", "5.50")):
        assert re.search(rf">{name}</text><text[^>]*>{mean_gy} Gy<", shown)
    assert "style=" not in shown  # the page allows none


def test_each_of_three_curves_is_what_counting_voxels_gives() -> None:
    of_the_prediction = histograms_of(changed(PREDICTED), PREDICTION, "what was proposed")
    (own, _) = histograms_of(changed(OF_THE_TPS), REFERENCE, "the TPS's own contour")
    found = ElementTree.fromstring(dvh_plot([*of_the_prediction, own]))
    curves = found.findall(f"{SVG}polyline")
    x, y = Axis("", 0.0, 8.0), Axis("", 0.0, 100.0)
    for curve, mask in zip(curves, (PREDICTED, CORRECTED, OF_THE_TPS), strict=True):
        drawn = [tuple(map(float, at.split(","))) for at in curve.get("points", "").split()]
        steps = 0.08 * np.arange(101) - 1e-6  # a voxel that is just reached counts
        counted = [100.0 * float((DOSE.values[mask] >= gray).mean()) for gray in steps]
        expected = [place(x, y, (n * 0.08, volume)) for n, volume in enumerate(counted)]
        assert np.allclose(drawn, expected, atol=0.06)
    # On paper without colour: each with dashes of its own, as the legend has them.
    dashes = [curve.get("stroke-dasharray") for curve in curves]
    assert len(set(dashes)) == 3
    lines = [line.get("stroke-dasharray") for line in found.findall(f"{SVG}line")[-3:]]
    assert lines == dashes
    assert len(found.findall(f"{SVG}polygon")) == 1


def test_two_contours_of_the_tps_are_told_apart_by_number_and_dashes() -> None:
    of_the_prediction = histograms_of(changed(PREDICTED), PREDICTION, "what was proposed")
    own = [histograms_of(changed(OF_THE_TPS), REFERENCE, "", number)[0] for number in (1, 2, 3)]
    found = ElementTree.fromstring(dvh_plot([*of_the_prediction, *own]))
    dashes = [curve.get("stroke-dasharray") for curve in found.findall(f"{SVG}polyline")]
    assert len(set(dashes)) == len(dashes) == 5
    assert [line.get("stroke-dasharray") for line in found.findall(f"{SVG}line")[-5:]] == dashes
    words = [text.text for text in found.iter(f"{SVG}text")]
    assert [word for word in words if str(word).startswith("of the TPS")] == [
        "of the TPS 1",
        "of the TPS 2",
        "of the TPS 3",
    ]


def test_where_the_dose_misses_a_contour_its_column_says_so_and_has_no_curve(
    anna: Reviewer, store: Store, settings: Settings
) -> None:
    room, case_id = Room(settings, store), put_case(store, CT, dose=DOSE)
    made = approve_mask(room, case_id, CORRECTED)
    (dose,) = store.instances.attached(case_id, kind="dose")
    measured: dict[str, float | None] = dict.fromkeys(CONTOURS)
    store.differences.add(
        Difference(made.id, "reference", "1", dose.id, EDITION, measured, None, NOW)
    )
    shown = anna.get(f"/cases/{case_id}/figures").text
    cells = cells_of(shown)
    assert cells["Dice"] == ["not known"]
    assert cells["Its mean dose"] == ["not reached"]
    assert "Dose-volume histogram" not in shown


def test_each_touched_slice_has_its_bar() -> None:
    positions_mm = [3.0 * number for number in range(GEOMETRY.shape[0])]
    drawn = slices_plot(changed(PREDICTED), positions_mm, "what was proposed")
    slices = ElementTree.fromstring(drawn)
    assert len(slices.findall(f"{SVG}polyline")) == 4
    words = [text.text for text in slices.iter(f"{SVG}text")]
    assert "against what was proposed: together +2.000 Gy" in words
