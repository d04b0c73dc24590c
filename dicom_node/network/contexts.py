"""Presentation contexts this node accepts and offers."""

from __future__ import annotations

from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

# Service classes have no names of their own in pydicom.uid.
VERIFICATION = UID("1.2.840.10008.1.1")
STORAGE_COMMITMENT = UID("1.2.840.10008.1.20.1")
STORAGE_COMMITMENT_INSTANCE = UID("1.2.840.10008.1.20.1.1")
STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_ROOT_MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
STUDY_ROOT_GET = UID("1.2.840.10008.5.1.4.1.2.2.3")

# What the node answers besides C-ECHO and C-STORE.
SERVICES: tuple[UID, ...] = (
    STORAGE_COMMITMENT,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    STUDY_ROOT_GET,
)

# What is kept. Of SEG and SR nothing is read: what the node sends can also be kept and asked for.
STORED: tuple[UID, ...] = (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    RTDoseStorage,
    RTStructureSetStorage,
    RTPlanStorage,
    SegmentationStorage,
    Comprehensive3DSRStorage,
)

# Deflated is left out on purpose: 400 kB of it can become 400 MB. So is big endian: programs differ
# in how it orders pixels of 32 bits, and who speaks it speaks Implicit VR Little Endian too.
TRANSFER_SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    RLELossless,
)

# Of everything else: it carries no pixels, and every peer speaks one of these.
PLAIN_SYNTAXES: tuple[UID, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
