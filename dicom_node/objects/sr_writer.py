"""Volume and mean dose of a structure as a Comprehensive 3D SR (TID 1500), by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, SegmentationStorage

from core.records import InstanceHeader
from core.volume import CtVolume, SliceReference
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, MANUFACTURER
from dicom_node.objects.derived import PRIVATE_SCHEME, encoded, person_name, source_image, told
from dicom_node.objects.seg_writer import structure_code
from dicom_node.objects.uids import derived_uid

_LONG = 64
_CT = Code("77477000", "SCT", "Computed tomography")
# No standard has a code for these two.
DIFFERENCE = Code("MEAN_DOSE_DIFF", PRIVATE_SCHEME, "Mean dose, corrected minus predicted")
COVERAGE = Code("DOSE_COVERAGE", PRIVATE_SCHEME, "Part of the volume that the dose grid covers")


@dataclass(frozen=True, slots=True)
class MeasuredDose:
    """Mean dose of a contour on one dose, in Gy; None where the grid does not reach it.

    `sources` are the RT Dose instances of the dose: several where beams were summed. `coverage` is
    the part of the volume that the figure is about, 0..1; `difference_gy` is corrected minus
    predicted. `effective` doses are RBE-weighted.
    """

    sources: tuple[InstanceHeader, ...]
    mean_gy: float | None
    coverage: float
    difference_gy: float | None = None
    effective: bool = False


@dataclass(frozen=True, slots=True)
class MeasuredContour:
    """A contour with its figures. It is segment 1 of the SEG `seg_sop_instance_uid`.

    `slices` are the images it was drawn on, `algorithm_version` is the model behind a prediction.
    """

    label: str
    seg_sop_instance_uid: str
    seg_series_instance_uid: str
    slices: tuple[SliceReference, ...]
    volume_cc: float
    doses: tuple[MeasuredDose, ...]
    algorithm_version: str | None = None


def write_sr(  # noqa: PLR0913 (one argument an attribute)
    ct: CtVolume,
    roi_name: str,
    contours: Sequence[MeasuredContour],
    *,
    sop_instance_uid: str,
    series_instance_uid: str,
    observer: str,
    device_name: str,
    made_at: datetime,
    software_versions: Sequence[str],
) -> bytes:
    """The SR of `contours` as a part 10 file, a measurement group each; equal input, equal bytes.

    `observer` approved the contour and `device_name` made the measurements. What is measured is
    complete, and not verified: a physician approved the contour, not these figures. Raises
    `ConversionMismatchError` for values that an SR cannot hold.
    """
    texts = (roi_name, observer, device_name, *(contour.label for contour in contours))
    source = source_image(ct, *texts)
    series_uid = ct.identity.series_instance_uid
    with told("SR"):
        groups = [_group(contour, roi_name, sop_instance_uid, series_uid) for contour in contours]
        report = sr.MeasurementReport(
            observation_context=_context(observer, device_name),
            procedure_reported=_CT,
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        ds = sr.Comprehensive3DSR(
            evidence=_evidence(source, contours),
            content=report,
            series_instance_uid=series_instance_uid,
            series_number=1,
            sop_instance_uid=sop_instance_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            is_complete=True,
            is_final=True,
            series_description="Volume and mean dose",
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
    ds.add_new("SoftwareVersions", "LO", [version[:_LONG] for version in software_versions])
    ds.CodingSchemeIdentificationSequence = [_our_scheme()]
    return encoded(ds, made_at)


def _context(observer: str, device_name: str) -> sr.ObservationContext:
    return sr.ObservationContext(
        observer_person_context=sr.ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
                name=person_name(observer)
            ),
        ),
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                uid=derived_uid("device", str(IMPLEMENTATION_CLASS_UID), device_name),
                name=device_name,
                manufacturer_name=MANUFACTURER,
                model_name=MANUFACTURER,
            ),
        ),
    )


def _group(
    contour: MeasuredContour, roi_name: str, sop_instance_uid: str, ct_series_uid: str
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    algorithm = None
    if contour.algorithm_version is not None:
        algorithm = sr.AlgorithmIdentification(MANUFACTURER, contour.algorithm_version)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=derived_uid("measurement group", sop_instance_uid, contour.label),
            identifier=contour.label,
        ),
        # Not ReferencedSegment.from_segmentation: it fails on a SEG with one segment, which says
        # its segment in the shared functional groups (highdicom 0.28.2).
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=SegmentationStorage,
            sop_instance_uid=contour.seg_sop_instance_uid,
            segment_number=1,
            source_images=[_image(reference) for reference in contour.slices] or None,
            # An empty contour lies on no image.
            source_series=sr.SourceSeriesForSegmentation(ct_series_uid),
        ),
        finding_type=structure_code(roi_name),
        finding_sites=[sr.FindingSite(structure_code(roi_name))],
        algorithm_id=algorithm,
        measurements=[
            sr.Measurement(codes.SCT.Volume, contour.volume_cc, codes.UCUM.CubicCentimeter),
            *(measurement for dose in contour.doses for measurement in _dose(dose)),
        ],
    )


def _image(reference: SliceReference) -> sr.SourceImageForSegmentation:
    number = reference.frame_number
    return sr.SourceImageForSegmentation(
        reference.sop_class_uid, reference.sop_instance_uid, None if number is None else [number]
    )


def _dose(dose: MeasuredDose) -> list[sr.Measurement]:
    """Mean, difference and coverage, as far as known; each refers to the RT Dose behind it."""
    mean = codes.DCM.MeanAbsorbedRadiationDose
    if dose.effective:
        mean = codes.DCM.MeanEquivalentRadiationDose
    figures = [
        (mean, dose.mean_gy, codes.UCUM.Gy),
        (DIFFERENCE, dose.difference_gy, codes.UCUM.Gy),
        (COVERAGE, 100 * dose.coverage, codes.UCUM.Percent),
    ]
    return [
        _inferred_from(dose.sources, sr.Measurement(name, value, unit))
        for name, value, unit in figures
        if value is not None
    ]


def _inferred_from(
    sources: Sequence[InstanceHeader], measurement: sr.Measurement
) -> sr.Measurement:
    """The measurement with the RT Doses it was made on.

    As composite objects: readers differ on whether an RT Dose is an image, and one that says no
    refuses the whole report (DCMTK 3.6.7).
    """
    measurement[0].ContentSequence = sr.ContentSequence(
        [
            sr.CompositeContentItem(
                name=codes.DCM.SourceOfMeasurement,
                referenced_sop_class_uid=RTDoseStorage,
                referenced_sop_instance_uid=source.sop_instance_uid,
                relationship_type=sr.RelationshipTypeValues.INFERRED_FROM,
            )
            for source in sources
        ]
    )
    return measurement


def _evidence(source: Dataset, contours: Sequence[MeasuredContour]) -> list[Dataset]:
    """What the report refers to. The first carries patient and study."""
    study, series = str(source.StudyInstanceUID), str(source.SeriesInstanceUID)
    references: dict[str, tuple[str, str, str]] = {}
    for contour in contours:
        for slice_ in contour.slices:
            references[slice_.sop_instance_uid] = (slice_.sop_class_uid, study, series)
        seg = (SegmentationStorage, study, contour.seg_series_instance_uid)
        references[contour.seg_sop_instance_uid] = seg
        for dose in contour.doses:
            for found in dose.sources:
                where = (found.study_instance_uid, found.series_instance_uid)
                references[found.sop_instance_uid] = (RTDoseStorage, *where)
    evidence = []
    for uid, (sop_class_uid, study_uid, series_uid) in references.items():
        ds = deepcopy(source)
        ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, uid
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_uid
        evidence.append(ds)
    return evidence


def _our_scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = "Recontour private codes"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
