from __future__ import annotations

import random
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.errors import UnreadableObjectError
from core.records import InstanceHeader
from dicom_node.network import header
from dicom_node.network.header import read_header
from dicom_node.network.header_scan import scan, source_ae_title
from tests.support.shared_data import shared_data
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


# --- the scanner beside the parser


def parsed_alone(part10: bytes, monkeypatch: pytest.MonkeyPatch) -> InstanceHeader | None:
    """What pydicom finds, without the scanner; None where it refuses."""
    with monkeypatch.context() as without:
        without.setattr(header, "scan", lambda _part10, _wanted: None)
        return header_or_none(part10)


def header_or_none(part10: bytes) -> InstanceHeader | None:
    try:
        return read_header(part10)
    except UnreadableObjectError:
        return None


def plain_ct(**values: str) -> Dataset:
    ds = ct_series()[0]
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.StudyDescription, ds.SeriesNumber, ds.InstanceNumber = "Planning  ", "007", " 12"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_usual_ct_is_scanned_and_the_parser_finds_the_same(
    syntax: UID, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = plain_ct()
    ds.file_meta.TransferSyntaxUID = syntax
    part10 = encoded(ds)
    assert scan(part10, header._WANTED) is not None
    assert read_header(part10) == parsed_alone(part10, monkeypatch)
    assert read_header(part10).instance_number == "12"


@pytest.mark.parametrize(
    "values",
    [
        {"PatientName": "Müller^Jürgen"},
        {"PatientName": "A^B=C^D=E^F"},
        {"PatientID": "one\\two"},
        {"StudyDescription": "tab\there"},
        {"BodyPartExamined": ""},
        {"SpecificCharacterSet": "ISO_IR 144"},
        {"SpecificCharacterSet": "GB18030"},
    ],
)
def test_what_is_not_plain_is_the_same_as_the_parser_finds(
    values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part10 = encoded(plain_ct(**values))
    assert read_header(part10) == parsed_alone(part10, monkeypatch)


@pytest.mark.filterwarnings("ignore")
def test_every_real_file_is_the_same_for_scanner_and_parser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0
    for path in sorted(shared_data("").rglob("*.dcm")):
        part10 = path.read_bytes()
        found = header_or_none(part10)
        if found is not None:
            assert found == parsed_alone(part10, monkeypatch), path.name
            compared += 1
    assert compared > 100


@pytest.mark.filterwarnings("ignore")
def test_broken_bytes_are_never_read_as_something_else_than_the_parser_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two thousand instances with a few bytes changed, seeded."""
    rng = random.Random(20260105)
    original = encoded(plain_ct())
    end = original.index(b"\xe0\x7f\x10\x00")
    scanned = 0
    for _ in range(2_000):
        part10 = bytearray(original)
        for _ in range(rng.randint(1, 3)):
            part10[rng.randrange(132, end)] = rng.randrange(256)
        try:
            plain = scan(bytes(part10), header._WANTED) is not None
        except UnreadableObjectError:
            continue  # more claimed than there is: refused, whatever the parser makes of it
        scanned += plain
        found = header_or_none(bytes(part10))
        assert not plain or found == parsed_alone(bytes(part10), monkeypatch)
    assert scanned > 200


def test_an_element_that_claims_more_than_there_is_is_refused_by_its_tag() -> None:
    part10 = encoded(plain_ct())
    with pytest.raises(UnreadableObjectError, match=r"\(7FE0,0010\) claims"):
        read_header(part10[:-10])


def test_who_sent_an_instance_stands_in_its_file_meta_information() -> None:
    ds = plain_ct()
    assert source_ae_title(encoded(ds)) == ""
    ds.file_meta.SourceApplicationEntityTitle = "TPS"
    assert source_ae_title(encoded(ds)) == "TPS"
    assert source_ae_title(b"") == ""
