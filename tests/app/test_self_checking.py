"""Our dose figures beside the TPS's own: whichever comes first, what differs is a flag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from app.room import Room
from core.dose_records import SelfCheck
from core.worklist_store import CaseSummary
from tests.dicom_node.beam_doses import beam_dose, plan_with_beams
from tests.support.room import bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct, uid, written
from tests.support.tps_dvhs import dvh, with_dvhs

SERIES = ct_series(shape=(6, 20, 20), spacing_mm=(3.0, 1.0, 1.0))
SQUARE = [(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]
HEIGHTS_MM = (-4.5, -1.5, 1.5, 4.5)
STRUCTURES = rtstruct(
    SERIES,
    {"Heart": [(np.array([[x, y, z] for x, y in SQUARE]), None) for z in HEIGHTS_MM], "Empty": []},
)
DOSE_GY, WHOLE_CC, HALF_CC = 10.0, 4 * 8 * 8 * 3 / 1000, 3 * 8 * 8 * 3 / 1000


def dose_saying(*dvhs: Dataset, structure_set_uid: str = "") -> Dataset:
    """10 Gy everywhere, with these DVHs beside it."""
    dose = rtdose(
        lambda x, y, z: DOSE_GY + 0.0 * (x + y + z),
        ct=SERIES[0],
        shape=(14, 14, 14),
        spacing_mm=(3.0, 2.5, 2.5),
    )
    return with_dvhs(dose, dvhs, structure_set_uid or str(STRUCTURES.SOPInstanceUID))


def come(room: Room, folder: Path, *objects: Dataset) -> CaseSummary:
    receive(room, written(objects, folder / "sent"))
    bring_up_to_date(room)
    return room.store.worklist.all("Heart", now=room.now())[0]


def judged(room: Room) -> list[SelfCheck]:
    return room.store.self_checks.newest(room.store.cases.all()[0].id)


@pytest.mark.parametrize(
    "order", ["ct dose structures", "structures dose ct", "dose structures ct"]
)
def test_what_differs_is_told_whatever_comes_first(order: str, tmp_path: Path) -> None:
    """12 Gy said, 10 Gy computed."""
    room, dose = open_room(tmp_path), dose_saying(dvh(1, 12.0, WHOLE_CC))
    parts = {"ct": SERIES, "dose": [dose], "structures": [STRUCTURES]}
    for part in order.split():
        receive(room, written(parts[part], tmp_path / part))
        bring_up_to_date(room)
    (summary,) = room.store.worklist.all("Heart", now=room.now())
    (words,) = summary.deviations
    assert words.startswith("Heart 10.00 Gy, the TPS says 12.00. Before a figure is used: export ")
    assert room.store.self_checks.deviations(summary.case.id) == [words]


@pytest.mark.parametrize("volume_cc", [WHOLE_CC, HALF_CC])
@pytest.mark.parametrize("stated", [None, (DOSE_GY, DOSE_GY), (50.0, 50.0)])
def test_what_agrees_is_no_flag(
    volume_cc: float, stated: tuple[float, float] | None, tmp_path: Path
) -> None:
    """End slices whole or half; the mean stated in gray, in percent of 20 Gy, or not at all."""
    room = open_room(tmp_path)
    said = dose_saying(dvh(1, DOSE_GY, volume_cc, stated=stated))
    assert come(room, tmp_path, *SERIES, said, STRUCTURES).deviations == ()
    ((figures,),) = [check.figures for check in judged(room)]
    assert figures["roi_name"] == "Heart"
    assert figures["mean_gy"] == pytest.approx(DOSE_GY, rel=1e-4)
    assert figures["volume_cc"] == pytest.approx(volume_cc, rel=1e-6)


def test_what_cannot_be_compared_says_why_and_is_no_flag(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    relative = dvh(1, DOSE_GY, WHOLE_CC)
    relative.DoseUnits = "RELATIVE"
    said = dose_saying(relative, dvh(2, DOSE_GY, 1.0), dvh(9, DOSE_GY, 1.0))
    assert come(room, tmp_path, *SERIES, said, STRUCTURES).deviations == ()
    (check,) = judged(room)
    assert [one["obstacle"] for one in check.figures] == [
        "DoseUnits of the DVH is RELATIVE; expected GY.",
        "Not all of its contours can be painted on this CT.",
        "The structure set has no such ROI here.",
    ]


def test_dvhs_of_another_structure_set_are_not_held_against_this_one(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    said = dose_saying(dvh(1, 12.0, WHOLE_CC), structure_set_uid="1.2.3")
    assert come(room, tmp_path, *SERIES, said, STRUCTURES).deviations == ()
    assert judged(room) == []


def test_another_tolerance_judges_anew_and_keeps_what_was_said(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    said = dose_saying(dvh(1, 10.5, WHOLE_CC, stated=(10.5, 10.5)))
    summary = come(room, tmp_path, *SERIES, said, STRUCTURES)
    assert len(summary.deviations) == 1
    (before,) = judged(room)
    loose = room.settings.self_check.model_copy(update={"mean_percent": 10.0})
    later = Room(room.settings.model_copy(update={"self_check": loose}), room.store)
    bring_up_to_date(later)
    bring_up_to_date(later)
    (after,) = judged(later)
    assert (after.words, after.basis != before.basis) == ("", True)
    assert room.store.self_checks.due(before.basis) == []  # the row of before is still there


def test_a_sum_of_beams_is_not_held_against_the_dvh_of_its_last_beam(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    beams = [beam_dose(dose_saying(dvh(1, 5.0, WHOLE_CC)), beams=(n,)) for n in (1, 2)]
    plan_uid = str(beams[0].ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID)
    for number, beam in enumerate(beams):
        beam.SOPInstanceUID = UID(uid("beam", str(number)))
        beam.file_meta.MediaStorageSOPInstanceUID = beam.SOPInstanceUID
    structure_set_uid = str(STRUCTURES.SOPInstanceUID)
    plan = plan_with_beams(
        SERIES[0], (1, 2), plan_uid=plan_uid, label="B1", structure_set_uid=structure_set_uid
    )
    summary = come(room, tmp_path, *SERIES, *beams, plan, STRUCTURES)
    assert summary.dose_instance_id is not None
    assert summary.deviations == ()
    assert judged(room) == []
