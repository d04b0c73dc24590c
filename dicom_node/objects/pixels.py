"""Stored pixel values, read only after their size was found plausible."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian

from core.errors import DamagedObjectError, UnreadableObjectError
from dicom_node.objects.attributes import is_of_the_disk, number, optional_number

_LARGEST_SIDE = 4096
LARGEST_VOXEL_COUNT = 250_000_000


def image_size(ds: Dataset) -> tuple[int, int, int]:
    """(frames, rows, columns); raises `UnreadableObjectError` for a size no CT or dose has.

    To be asked before anything is decoded: a few bytes may claim to be terabytes.
    """
    rows, columns = int(number(ds, "Rows")), int(number(ds, "Columns"))
    frames = int(optional_number(ds, "NumberOfFrames") or 1)
    plausible = (
        1 <= rows <= _LARGEST_SIDE
        and 1 <= columns <= _LARGEST_SIDE
        and frames >= 1
        and frames * rows * columns <= LARGEST_VOXEL_COUNT
    )
    if not plausible:
        raise UnreadableObjectError(
            f"The image claims {frames} frames of {rows} x {columns} pixels; expected 1 to "
            f"{_LARGEST_SIDE} rows and columns and {LARGEST_VOXEL_COUNT} voxels at most. "
            "Export it again."
        )
    return frames, rows, columns


def stored_values(ds: Dataset) -> npt.NDArray[Any]:
    """Stored values (frame, row, column) as integers, before any rescaling.

    Raises `UnreadableObjectError` where they are missing, short, in colour, or compressed in a
    way that cannot be decoded here.
    """
    shape = image_size(ds)
    raw = _pixel_data(ds)
    if number(ds, "SamplesPerPixel") != 1:
        raise UnreadableObjectError("The image is in colour; expected one sample for each pixel.")
    transfer_syntax = UID(ds.file_meta.TransferSyntaxUID)
    if transfer_syntax.is_compressed:
        return _decoded(ds, transfer_syntax).reshape(shape)
    return _uncompressed(ds, raw, shape, big_endian=transfer_syntax == ExplicitVRBigEndian)


def _pixel_data(ds: Dataset) -> bytes:
    try:
        found = ds.get("PixelData")
    except Exception as error:
        # An element whose Value Representation was damaged fails when it is first looked at.
        raise DamagedObjectError(
            f"The Pixel Data (7FE0,0010) cannot be read ({type(error).__name__}). Send it again."
        ) from error
    if found is None or found == b"":
        raise UnreadableObjectError("The image has no Pixel Data (7FE0,0010). Send it again.")
    if not isinstance(found, bytes):
        raise DamagedObjectError(
            f"The Pixel Data (7FE0,0010) is {ds['PixelData'].VR}; expected OB or OW. Send it again."
        )
    return found


def _uncompressed(
    ds: Dataset, raw: bytes, shape: tuple[int, int, int], *, big_endian: bool
) -> npt.NDArray[Any]:
    allocated, stored, high = (
        int(number(ds, keyword)) for keyword in ("BitsAllocated", "BitsStored", "HighBit")
    )
    if allocated not in {8, 16, 32} or not 1 <= stored <= high + 1 <= allocated:
        raise UnreadableObjectError(
            f"The image stores {stored} of {allocated} bits, highest bit {high}; expected 8, 16 or "
            "32 allocated bits that hold them."
        )
    if big_endian and allocated != 16:
        raise UnreadableObjectError(
            f"The image stores {allocated} bits a pixel in Explicit VR Big Endian, which programs "
            "order differently; expected 16. Export it in Explicit VR Little Endian."
        )
    signed = number(ds, "PixelRepresentation") == 1
    kind = f"{'>' if big_endian else '<'}{'i' if signed else 'u'}{allocated // 8}"
    count = int(np.prod(shape))
    if len(raw) < count * (allocated // 8):
        raise UnreadableObjectError(
            f"The image has {len(raw)} bytes of pixels; {count * (allocated // 8)} are needed. "
            "It was cut short; send it again."
        )
    values = np.frombuffer(raw, kind, count).astype(kind[1:]).reshape(shape)
    if stored == allocated:
        return values
    # Bits above the highest may hold anything (PS3.5 8.1.1); shifting up and down again drops
    # them and carries the sign.
    return (values << (allocated - high - 1)) >> (allocated - stored)


def _decoded(ds: Dataset, transfer_syntax: UID) -> npt.NDArray[Any]:
    try:
        return np.asarray(ds.pixel_array)
    except MemoryError:
        raise  # says nothing about the image: whoever asked may try again
    except Exception as error:
        if is_of_the_disk(error):
            raise
        # The decoders are foreign code and raise what they like.
        raise DamagedObjectError(
            f"The image is compressed as {transfer_syntax.name} and cannot be decoded "
            f"({type(error).__name__}). Let the sender use Explicit VR Little Endian."
        ) from error
