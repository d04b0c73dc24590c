"""Presentation contexts this node accepts and offers."""

from __future__ import annotations

from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
)

VERIFICATION = UID("1.2.840.10008.1.1")

STORED: tuple[UID, ...] = (CTImageStorage, RTDoseStorage, RTStructureSetStorage, RTPlanStorage)

# Deflated is left out on purpose: 400 kB of it can become 400 MB.
TRANSFER_SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    RLELossless,
)
