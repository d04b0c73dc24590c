"""What happens to each attribute when an object is de-identified (PS3.15 Annex E).

The Basic Application Level Confidentiality Profile (Table E.1-1 of edition 2024b) for the IODs CT
Image, RT Structure Set, RT Dose and RT Plan. Where the table leaves a choice (X/Z, X/D ...) the
attribute's type in these IODs has decided. Nothing is retained by an option of the profile.
"""

from __future__ import annotations

from enum import StrEnum

from pydicom.datadict import dictionary_is_retired, dictionary_VR, keyword_for_tag
from pydicom.tag import BaseTag

PROFILE_NAME = "PS3.15 E Basic Application Level Confidentiality Profile"
PROFILE_CODE = ("113100", "DCM", "Basic Application Confidentiality Profile")


class Action(StrEnum):
    """What is done with an attribute; the letters are those of Table E.1-1a."""

    KEEP = "kept"  # K; a value is still searched for the patient's identity
    CLEAN = "cleaned"  # a sequence: its items are gone through
    REMOVE = "removed"  # X
    EMPTY = "emptied"  # Z
    REPLACE = "replaced"  # D
    REMAP = "remapped"  # U
    SWEEP = "swept"  # kept by the table, but its value told who it is: removed


def _keywords(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Groups an image or an RT object needs. All others go whole: of visits and results (0038, 4008),
# overlays (60xx), curves (50xx), signatures, and every private one (odd).
_GROUPS = frozenset(
    {0x0008, 0x0018, 0x0020, 0x0028, 0x3004, 0x3006, 0x300A, 0x300C, 0x300E, 0x7FE0}
)

# Of groups that go otherwise: these stay, as they are.
_KEPT_OF_OTHER_GROUPS = _keywords("""
    PurposeOfReferenceCodeSequence MeasurementUnitsCodeSequence RealWorldValueMappingSequence
    RealWorldValueIntercept RealWorldValueSlope RealWorldValueFirstValueMapped
    RealWorldValueLastValueMapped LUTLabel PrimaryFluenceModeSequence FluenceMode FluenceModeID
""")

_REMOVED = _keywords("""
    AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription InstitutionAddress
    InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence IdentifyingComments
    NameOfPhysiciansReadingStudy NetworkID ConsultingPhysicianIdentificationSequence
    DerivationDescription PerformingPhysicianIdentificationSequence PerformingPhysicianName
    PhysiciansReadingStudyIdentificationSequence PhysiciansOfRecord
    PhysiciansOfRecordIdentificationSequence ReferencedPatientSequence
    ReferringPhysicianIdentificationSequence ReferringPhysicianAddress
    ReferringPhysicianTelephoneNumbers RetrieveAETitle SeriesDescription StationAETitle
    StudyDescription TimezoneOffsetFromUTC PyramidDescription ReferencedStudySequence
    OperatorIdentificationSequence InstitutionCodeSequence InstitutionName
    ReferencedPerformedProcedureStepSequence StationName AcquisitionComments
    AcquisitionProtocolDescription CassetteID ContributionDescription DecompositionDescription
    GantryID GeneratorID MultienergyAcquisitionDescription PlateID RequestedSeriesDescription
    RespiratoryMotionCompensationTechniqueDescription TransducerIdentificationSequence UDISequence
    UniqueDeviceIdentifier XRayDetectorLabel AcquisitionDeviceProcessingDescription DetectorID
    ProtocolName DeviceSerialNumber FrameComments ImageComments ModifiedImageDescription
    ModifyingDeviceID PyramidLabel ImagePresentationComments ROICreatorSequence ROIDescription
    ROIGenerationDescription ROIInterpreterSequence ROIObservationDescription ROIObservationLabel
    StructureSetDescription StructureSetName BeamDescription BolusDescription
    CompensatorDescription DisplacementReferenceLabel DoseReferenceDescription
    EquipmentFrameOfReferenceDescription FixationDeviceDescription FractionGroupDescription
    PatientSetupPhotoDescription PatientTreatmentPreparationMethodDescription
    PatientTreatmentPreparationProcedureParameterDescription PrescriptionDescription
    RTPlanDescription RTPlanName SetupTechniqueDescription ShieldingDeviceDescription
    SourceManufacturer TreatmentSites ReasonForOmissionDescription
""")

# Not in the table, and yet a place where people type what they like.
_REMOVED_BEYOND_THE_TABLE = _keywords("""
    BeamName DoseComment ProcedureCodeSequence SeriesDescriptionCodeSequence
    ReasonForPerformedProcedureCodeSequence OriginalAttributesSequence
""")

_EMPTIED = _keywords("""
    AccessionNumber ConsultingPhysicianName ReferringPhysicianName StudyDate StudyTime ContentDate
    ContentTime OperatorsName PatientBirthDate PatientSex CalibrationDateTime ContrastBolusAgent
    InstructionPerformedDateTime StudyID ROIInterpreter StructureSetDate StructureSetTime
    RTAccessoryDeviceSlotID RTAccessoryHolderSlotID RadiationGenerationModeDescription
    TreatmentMachineName RTPlanDate RTPlanTime ReviewDate ReviewTime ReviewerName
""")

_REPLACED = _keywords("""
    ContextGroupLocalVersion ContextGroupVersion PatientName PatientID AcquisitionFieldOfViewLabel
    DecayCorrectionDateTime ExclusionStartDateTime FrameAcquisitionDateTime FrameReferenceDateTime
    FunctionalSyncPulse SourceEndDateTime SourceStartDateTime XRayDetectorID XRaySourceID
    StructureSetLabel ROIName InterlockDateTime InterlockDescription InterlockOriginDescription
    OverrideDateTime RTPlanLabel RTToleranceSetLabel RadiationDoseIdentificationLabel
    RadiationDoseInVivoMeasurementLabel RadiationGenerationModeLabel RecordedRTControlPointDateTime
    SourceStrengthReferenceDate SourceStrengthReferenceTime TreatmentPositionGroupLabel
    TreatmentToleranceViolationDateTime TreatmentToleranceViolationDescription
    BeamHoldTransitionDateTime
""")

# UIDs that say what kind of thing something is, or which book a code stands in.
_KEPT_UIDS = _keywords("""
    SOPClassUID ReferencedSOPClassUID RelatedGeneralSOPClassUID OriginalSpecializedSOPClassUID
    CodingSchemeUID ContextUID MappingResourceUID
""")

# Dates, names and long texts, also where the table does not know the attribute.
REMOVED_VRS = frozenset({"DA", "DT", "TM", "PN", "LT", "ST", "UT", "UC", "UR", "UN"})


def action_for(tag: BaseTag) -> Action:
    """What is done with the attribute `tag` of a data set (file meta information is made anew)."""
    if tag.element == 0 or _is_unknown_or_retired(tag):
        return Action.REMOVE  # private ones are in no dictionary
    keyword = keyword_for_tag(tag)
    if keyword in _EMPTIED:
        return Action.EMPTY
    if keyword in _REPLACED:
        return Action.REPLACE
    if keyword in _REMOVED or keyword in _REMOVED_BEYOND_THE_TABLE:
        return Action.REMOVE
    if tag.group not in _GROUPS and keyword not in _KEPT_OF_OTHER_GROUPS:
        return Action.REMOVE
    return _by_vr(keyword, dictionary_VR(tag))


def _by_vr(keyword: str, vr: str) -> Action:
    if vr in REMOVED_VRS:
        return Action.REMOVE
    if vr == "UI":
        return Action.KEEP if keyword in _KEPT_UIDS else Action.REMAP
    return Action.CLEAN if vr == "SQ" else Action.KEEP


def _is_unknown_or_retired(tag: BaseTag) -> bool:
    try:
        return dictionary_is_retired(tag)
    except KeyError:
        return True
