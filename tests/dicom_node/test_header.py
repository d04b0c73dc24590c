from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from core.errors import UnreadableObjectError
from dicom_node.network.header import read_header
from tests.support.synthetic_dicom import ct_series, encoded, rtdose, rtplan, rtstruct


def _any_dose(x: Any, y: Any, z: Any) -> Any:
    return 1.0 + 0 * x * y * z


def test_a_ct_is_known_by_its_uids_and_frame_of_reference() -> None:
    ds = ct_series()[0]
    header = read_header(encoded(ds))
    assert header.sop_instance_uid == ds.SOPInstanceUID
    assert header.series_instance_uid == ds.SeriesInstanceUID
    assert header.frame_of_reference_uid == ds.FrameOfReferenceUID
    assert (header.modality, header.patient_id, header.study_date) == ("CT", "P1", "20260105")
    assert header.referenced_uids == ()


def test_a_structure_set_refers_to_its_series_on_the_frame_of_reference_it_lists() -> None:
    ct = ct_series(shape=(60, 2, 2), hu=lambda x, _y, _z: x)
    header = read_header(encoded(rtstruct(ct, {"Heart": []})))
    assert header.frame_of_reference_uid == ct[0].FrameOfReferenceUID
    assert header.referenced_uids == (ct[0].SeriesInstanceUID,)


def test_a_structure_set_of_two_frames_belongs_where_most_of_its_rois_lie() -> None:
    ct = ct_series(shape=(2, 2, 2))
    ds = rtstruct(ct, {"Heart": [], "Lung": [], "MR_GTV": []})
    other = rtstruct(ct, {}).ReferencedFrameOfReferenceSequence[0]
    other.FrameOfReferenceUID = "1.2.3"
    ds.ReferencedFrameOfReferenceSequence.insert(0, other)
    ds.StructureSetROISequence[2].ReferencedFrameOfReferenceUID = "1.2.3"
    assert read_header(encoded(ds)).frame_of_reference_uid == ct[0].FrameOfReferenceUID
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    assert read_header(encoded(ds)).frame_of_reference_uid == "1.2.3"


def test_a_dose_refers_to_its_plan_and_a_plan_to_its_structure_set() -> None:
    ct = ct_series()[0]
    assert read_header(encoded(rtdose(_any_dose, plan_uid="1.2.3"))).referenced_uids == ("1.2.3",)
    plan = read_header(encoded(rtplan(ct, structure_set_uid="1.2.4")))
    assert plan.referenced_uids == ("1.2.4",)
    assert plan.frame_of_reference_uid == ct.FrameOfReferenceUID


def test_a_name_in_another_character_set_is_read() -> None:
    ds = ct_series()[0]
    ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 144", "Лук^Иван"
    assert read_header(encoded(ds)).patient_name == "Лук^Иван"


def test_no_text_is_longer_than_its_column_or_holds_a_nul() -> None:
    ds = ct_series()[0]
    ds.PatientName, ds.SeriesDescription = "A" * 4000, "x\0y" * 500
    header = read_header(encoded(ds))
    assert len(header.patient_name) == 400
    assert len(header.series_description) == 200
    assert "\0" not in header.series_description


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
def test_a_missing_uid_is_refused_by_name(keyword: str) -> None:
    ds = ct_series()[0]
    setattr(ds, keyword, "")
    with pytest.raises(UnreadableObjectError, match=keyword):
        read_header(encoded(ds))


@pytest.mark.parametrize("content", [b"", b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 200])
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableObjectError):
        read_header(content)


def test_sequences_nested_beyond_reason_are_refused() -> None:
    """Six kilobytes that exhaust a parser's stack."""
    ds = ct_series()[0]
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    del ds.PixelData
    nested = b""
    for _ in range(1000):
        nested = _SEQUENCE_BEGINS + nested + _SEQUENCE_ENDS
    with pytest.raises(UnreadableObjectError, match="RecursionError"):
        read_header(encoded(ds) + nested)


# Referenced Frame of Reference Sequence (3006,0010) and one item, both of undefined length.
_SEQUENCE_BEGINS = bytes.fromhex("06301000 ffffffff feff00e0 ffffffff")
_SEQUENCE_ENDS = bytes.fromhex("feff0de0 00000000 feffdde0 00000000")
