"""Another transfer syntax where a peer does not take the one an instance is kept in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.presentation import PresentationContext, build_context

from core.errors import DeliveryError

_LITTLE_ENDIAN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def contexts_for(kinds: Iterable[tuple[str, str]]) -> list[PresentationContext]:
    """Contexts to propose for (SOP Class UID, Transfer Syntax UID) of what is to be sent.

    Each kind as it is, and each SOP class uncompressed: what every peer must take (PS3.5 10.1).
    """
    wanted = dict.fromkeys(kinds)
    own = [build_context(sop_class, [syntax]) for sop_class, syntax in wanted]
    classes = dict.fromkeys(sop_class for sop_class, _ in wanted)
    return own + [build_context(sop_class, list(_LITTLE_ENDIAN)) for sop_class in classes]


def as_accepted(ds: Dataset, accepted: Sequence[PresentationContext]) -> Dataset:
    """`ds` in a syntax that the peer accepted for its SOP class; itself where it is one.

    The SOP Instance UID stays: every conversion here is lossless. Raises `DeliveryError` where
    none will do.
    """
    own = UID(ds.file_meta.TransferSyntaxUID)
    taken = [
        context.transfer_syntax[0]
        for context in accepted
        if context.as_scu and context.abstract_syntax == ds.SOPClassUID
    ]
    if own in taken:
        return ds
    if not any(syntax in _LITTLE_ENDIAN for syntax in taken):
        raise DeliveryError(
            f"The peer accepts no {UID(ds.SOPClassUID).name} in {own.name} or uncompressed; "
            "configure it to take Implicit VR Little Endian."
        )
    if own in _LITTLE_ENDIAN:  # pynetdicom turns one into the other
        return ds
    try:
        return _decompressed(ds)
    except Exception as error:  # noqa: BLE001 (each decoder raises kinds of its own)
        raise DeliveryError(
            f"The peer does not accept {own.name}, and it could not be decompressed here "
            f"({type(error).__name__}). Install a decoder for it, or let the peer accept it."
        ) from None


def _decompressed(ds: Dataset) -> Dataset:
    # A new UID would make it another object than the one that was asked for.
    ds.decompress(generate_instance_uid=False)
    return ds
