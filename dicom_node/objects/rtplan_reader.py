"""RT Plan to what a dose figure must say of its plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage

from core.errors import UnreadableObjectError
from core.plans import FractionGroup, Plan, PlannedBeam
from dicom_node.objects.attributes import (
    items,
    number,
    optional_number,
    read_object,
    required_text,
    text,
)


def read_plan(path: Path) -> Plan:
    """Label, prescription and fraction groups of the plan in `path` (PS3.3 A.20).

    Raises `UnreadableObjectError` where the object is no RT Plan, was cut short, or its fraction
    groups name beams that it does not have.
    """
    ds = read_object(path, pixels=False)
    if text(ds, "SOPClassUID") != RTPlanStorage:
        raise UnreadableObjectError(
            f"The object is of SOP Class {text(ds, 'SOPClassUID') or 'unknown'}; expected RT Plan "
            f"({RTPlanStorage}). Export the plan."
        )
    structure_sets = _referenced(ds, "ReferencedStructureSetSequence")
    if required_text(ds, "RTPlanGeometry") == "PATIENT" and not structure_sets:
        raise UnreadableObjectError(
            "The plan refers to no structure set, although it was made on a patient (PS3.3 "
            "C.8.8.9); it may have been cut short. Export it again."
        )
    beams = {int(number(beam, "BeamNumber")): beam for beam in items(ds, "BeamSequence")}
    return Plan(
        sop_instance_uid=required_text(ds, "SOPInstanceUID"),
        label=required_text(ds, "RTPlanLabel"),
        name=text(ds, "RTPlanName"),
        approval_status=text(ds, "ApprovalStatus"),
        prescriptions_gy=_prescriptions_gy(items(ds, "DoseReferenceSequence")),
        fraction_groups=tuple(
            _fraction_group(group, beams) for group in items(ds, "FractionGroupSequence")
        ),
        structure_set_uid=structure_sets[0] if structure_sets else None,
        dose_uids=_referenced(ds, "ReferencedDoseSequence"),
    )


def _referenced(ds: Dataset, keyword: str) -> tuple[str, ...]:
    found = (text(item, "ReferencedSOPInstanceUID") for item in items(ds, keyword))
    return tuple(uid for uid in found if uid)


def _prescriptions_gy(references: Sequence[Dataset]) -> tuple[float, ...]:
    """Target Prescription Dose (300A,0026) of the targets, highest first, each figure once.

    Where a volume or site has one, points are left out: systems list calculation points as targets
    too, with the dose that happens to be there.
    """
    targets = [
        (text(r, "DoseReferenceStructureType"), optional_number(r, "TargetPrescriptionDose"))
        for r in references
        if text(r, "DoseReferenceType") == "TARGET"
    ]
    doses = {dose for kind, dose in targets if dose and kind in {"SITE", "VOLUME"}}
    return tuple(sorted(doses or {dose for _, dose in targets if dose}, reverse=True))


def _fraction_group(group: Dataset, beams: dict[int, Dataset]) -> FractionGroup:
    fractions = optional_number(group, "NumberOfFractionsPlanned")
    named, counted = items(group, "ReferencedBeamSequence"), optional_number(group, "NumberOfBeams")
    if counted is not None and counted != len(named):
        raise UnreadableObjectError(
            f"A fraction group counts {counted:g} beams and names {len(named)}; expected the same. "
            "The plan may have been cut short; export it again."
        )
    return FractionGroup(
        number=int(number(group, "FractionGroupNumber")),
        fractions=None if fractions is None else int(fractions),
        beams=tuple(_beam(item, beams) for item in named),
        brachy_setups=len(items(group, "ReferencedBrachyApplicationSetupSequence")),
    )


def _beam(item: Dataset, beams: dict[int, Dataset]) -> PlannedBeam:
    beam_number = int(number(item, "ReferencedBeamNumber"))
    if beam_number not in beams:
        raise UnreadableObjectError(
            f"A fraction group names beam {beam_number}, which the plan does not have; it may have "
            "been cut short. Export it again."
        )
    beam = beams[beam_number]
    return PlannedBeam(
        number=beam_number,
        name=text(beam, "BeamName"),
        dose_gy=optional_number(item, "BeamDose"),
        meterset=optional_number(item, "BeamMeterset"),
        # SETUP, VERIFICATION and OPEN_PORTFILM beams are imaging; the attribute is type 2.
        treats=text(beam, "TreatmentDeliveryType") in {"", "TREATMENT", "CONTINUATION"},
    )
