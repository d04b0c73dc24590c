"""Doses of single beams, made from a dose of the whole plan."""

from __future__ import annotations

from pydicom.dataset import Dataset


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
