"""What a report says, read from its content tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage

from core.records import InstanceHeader
from core.volume import CtVolume
from dicom_node.objects.sr_writer import MeasuredContour, MeasuredDose, write_sr
from tests.dicom_node.structure_sets import MADE_AT, ct_on_disk


def dose_header(ct: CtVolume, uid: str, *, study: str | None = None) -> InstanceHeader:
    study_uid = study or ct.identity.study_instance_uid
    return InstanceHeader(uid, RTDoseStorage, study_uid, "1.2.3.9", "RTDOSE")


def contours(ct: CtVolume) -> list[MeasuredContour]:
    """A prediction and its correction on one dose."""
    dose = (dose_header(ct, "1.2.3.4"),)
    return [
        MeasuredContour(
            "Heart, predicted",
            "2.25.5",
            "2.25.6",
            ct.slices[2:4],
            512.25,
            (MeasuredDose(dose, 3.25, 1.0),),
            "c0ffee",
        ),
        MeasuredContour(
            "Heart, corrected",
            "2.25.7",
            "2.25.8",
            ct.slices[2:5],
            1000 / 3,
            (MeasuredDose(dose, 10 / 3, 0.875, 10 / 3 - 3.25),),
        ),
    ]


def sr_bytes(ct: CtVolume, measured: list[MeasuredContour], **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "sop_instance_uid": "2.25.31",
        "series_instance_uid": "2.25.32",
        "observer": "Berg^Anna",
        "device_name": "RECONTOUR",
        "made_at": MADE_AT,
        "software_versions": ("0.1.0", "c0ffee"),
    }
    return write_sr(ct, "Heart", measured, **(arguments | changes))


@pytest.fixture
def ct(tmp_path: Path) -> CtVolume:
    return ct_on_disk(tmp_path / "ct")[0]


def _read(content: bytes) -> Dataset:
    return dcmread(BytesIO(content))


def _meaning(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def _below(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or []:
        yield child
        yield from _below(child)


def _groups(report: Dataset) -> list[Dataset]:
    return [item for item in _below(report) if _meaning(item) == "Measurement Group"]


def _figures(group: Dataset) -> dict[str, tuple[float, str]]:
    found = {}
    for item in group.ContentSequence:
        if item.ValueType == "NUM":
            (value,) = item.MeasuredValueSequence
            unit = value.MeasurementUnitsCodeSequence[0]
            assert unit.CodingSchemeDesignator == "UCUM"
            found[_meaning(item)] = (float(value.NumericValue), str(unit.CodeValue))
    return found


def test_prediction_and_correction_have_their_volume_and_mean_dose(ct: CtVolume) -> None:
    predicted, corrected = _groups(_read(sr_bytes(ct, contours(ct))))
    covered = "Part of the volume that the dose grid covers"
    assert _figures(predicted) == {
        "Volume": (512.25, "cm3"),
        "Mean Absorbed Radiation Dose": (3.25, "Gy"),
        covered: (100.0, "%"),
    }
    assert _figures(corrected) == {
        "Volume": (pytest.approx(1000 / 3), "cm3"),
        "Mean Absorbed Radiation Dose": (pytest.approx(10 / 3), "Gy"),
        "Mean dose, corrected minus predicted": (pytest.approx(10 / 3 - 3.25), "Gy"),
        covered: (87.5, "%"),
    }


def test_each_group_refers_to_its_segment_its_images_and_the_dose(ct: CtVolume) -> None:
    report = _read(sr_bytes(ct, contours(ct)))
    for group, seg_uid, count in zip(_groups(report), ("2.25.5", "2.25.7"), (2, 3), strict=True):
        items = list(_below(group))
        (segment,) = [i for i in items if _meaning(i) == "Referenced Segment"]
        reference = segment.ReferencedSOPSequence[0]
        assert (reference.ReferencedSOPInstanceUID, reference.ReferencedSegmentNumber) == (
            seg_uid,
            1,
        )
        images = [i for i in items if _meaning(i) == "Source Image for Segmentation"]
        uids = [i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in images]
        assert uids == [s.sop_instance_uid for s in ct.slices[2 : 2 + count]]
        doses = [i for i in items if _meaning(i) == "Source of Measurement"]
        assert {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in doses} == {"1.2.3.4"}
        assert len(doses) == len(_figures(group)) - 1  # of each figure but the volume


def test_all_that_is_referred_to_is_listed_with_its_study_and_series(ct: CtVolume) -> None:
    measured = contours(ct)
    other = MeasuredDose((dose_header(ct, "1.2.3.5", study="1.2.99"),), 1.0, 1.0)
    measured[1] = replace(measured[1], doses=(*measured[1].doses, other))
    report = _read(sr_bytes(ct, measured))
    same, elsewhere = (
        {
            str(instance.ReferencedSOPInstanceUID)
            for study in report[keyword].value
            for series in study.ReferencedSeriesSequence
            for instance in series.ReferencedSOPSequence
        }
        for keyword in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        )
    )
    assert same == {"2.25.5", "2.25.7", "1.2.3.4", *(s.sop_instance_uid for s in ct.slices[2:5])}
    assert elsewhere == {"1.2.3.5"}


def test_who_approved_and_which_device_measured_stand_in_the_context(ct: CtVolume) -> None:
    report = _read(sr_bytes(ct, contours(ct), observer="anna"))
    context = {_meaning(i): i for i in report.ContentSequence if "OBS" in i.RelationshipType}
    assert str(context["Person Observer Name"].PersonName) == "anna^"
    assert context["Device Observer Name"].TextValue == "RECONTOUR"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_a_mean_that_is_not_known_is_left_out_but_the_coverage_says_why(ct: CtVolume) -> None:
    predicted, _ = contours(ct)
    beside = MeasuredDose((dose_header(ct, "1.2.3.4"),), None, 0.0)
    (group,) = _groups(_read(sr_bytes(ct, [replace(predicted, doses=(beside,))])))
    assert set(_figures(group)) == {"Volume", "Part of the volume that the dose grid covers"}
    (alone,) = _groups(_read(sr_bytes(ct, [replace(predicted, doses=())])))
    assert set(_figures(alone)) == {"Volume"}


def test_an_empty_contour_refers_to_the_series(ct: CtVolume) -> None:
    empty = replace(contours(ct)[0], slices=(), volume_cc=0.0, doses=())
    (group,) = _groups(_read(sr_bytes(ct, [empty])))
    (series,) = [
        i for i in group.ContentSequence if i.ValueType == "UIDREF" and "Series" in _meaning(i)
    ]
    assert ct.identity.series_instance_uid == series.UID
    assert _figures(group) == {"Volume": (0.0, "cm3")}


def test_an_effective_dose_is_not_called_absorbed(ct: CtVolume) -> None:
    predicted, _ = contours(ct)
    effective = replace(predicted.doses[0], effective=True)
    (group,) = _groups(_read(sr_bytes(ct, [replace(predicted, doses=(effective,))])))
    assert "Mean Equivalent Radiation Dose" in _figures(group)
    assert "Mean Absorbed Radiation Dose" not in _figures(group)


def test_a_sum_of_beams_refers_to_every_beam_dose(ct: CtVolume) -> None:
    predicted, _ = contours(ct)
    beams = tuple(dose_header(ct, f"1.2.3.{n}") for n in (4, 5, 6))
    summed = replace(predicted.doses[0], sources=beams)
    (group,) = _groups(_read(sr_bytes(ct, [replace(predicted, doses=(summed,))])))
    (mean,) = [i for i in group.ContentSequence if _meaning(i) == "Mean Absorbed Radiation Dose"]
    uids = [c.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for c in mean.ContentSequence]
    assert uids == ["1.2.3.4", "1.2.3.5", "1.2.3.6"]


def test_writing_twice_gives_the_same_bytes(ct: CtVolume) -> None:
    assert sr_bytes(ct, contours(ct)) == sr_bytes(ct, contours(ct))
