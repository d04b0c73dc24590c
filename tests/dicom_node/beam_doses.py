"""Doses of single beams, and the plan they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from tests.support.synthetic_dicom import rtplan


def beam_dose(dose: Dataset, *, beams: tuple[int, ...], fraction_group: int = 1) -> Dataset:
    """`dose` as the BEAM dose of these beams of its plan; the object is changed."""
    dose.DoseSummationType = "BEAM"
    group = Dataset()
    group.ReferencedFractionGroupNumber = fraction_group
    group.ReferencedBeamSequence = []
    for number in beams:
        beam = Dataset()
        beam.ReferencedBeamNumber = number
        group.ReferencedBeamSequence.append(beam)
    dose.ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence = [group]
    return dose


def plan_with_beams(
    ct: Dataset, beams: Sequence[int], *, plan_uid: str, label: str, structure_set_uid: str
) -> Dataset:
    """An approved plan of 6 Gy in 3 fractions with these beams."""
    plan = rtplan(ct, structure_set_uid=structure_set_uid, plan_uid=plan_uid)
    plan.RTPlanLabel, plan.ApprovalStatus = label, "APPROVED"
    target = Dataset()
    target.DoseReferenceNumber, target.DoseReferenceStructureType = 1, "SITE"
    target.DoseReferenceType, target.TargetPrescriptionDose = "TARGET", 6
    plan.DoseReferenceSequence = [target]
    group = Dataset()
    group.FractionGroupNumber, group.NumberOfFractionsPlanned = 1, 3
    group.NumberOfBeams, group.NumberOfBrachyApplicationSetups = len(beams), 0
    group.ReferencedBeamSequence, plan.BeamSequence = [], []
    for number in beams:
        planned, referenced = Dataset(), Dataset()
        planned.BeamNumber, planned.BeamName = number, f"Field {number}"
        planned.TreatmentDeliveryType = "TREATMENT"
        referenced.ReferencedBeamNumber, referenced.BeamMeterset = number, 100
        plan.BeamSequence.append(planned)
        group.ReferencedBeamSequence.append(referenced)
    plan.FractionGroupSequence = [group]
    return plan
