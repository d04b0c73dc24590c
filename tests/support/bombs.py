"""Files that are small, or look harmless, and ask for far too much of whoever reads them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.encodings import in_syntax
from tests.support.synthetic_dicom import ct_series, encoded, rtdose, rtstruct

ITEM, ITEM_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
ROI_CONTOURS, CONTOUR_DATA = b"\x06\x30\x39\x00", b"\x06\x30\x50\x00"
UNDEFINED = b"\xff\xff\xff\xff"


def nested_sequences(levels: int) -> bytes:
    """A structure set in which an item lies in an item, `levels` deep."""
    ds = rtstruct(ct_series(), {"Heart": []})
    # After everything else: a private sequence as unknown as the standard lets it be.
    opened = b"\x07\x30\x11\x00SQ\0\0" + UNDEFINED + ITEM + UNDEFINED
    closed = ITEM_END + b"\0\0\0\0" + SEQUENCE_END
    return encoded(ds) + opened * levels + closed * levels


def claims_frames(rows: int, columns: int, frames: int, *, jpeg: bool) -> bytes:
    """A dose of a few bytes of compressed pixels that claims to be enormous."""
    ds = rtdose(lambda x, _y, _z: 1.0 + 0 * x, shape=(2, 16, 16), bits=16)
    one = ct_series(shape=(2, 16, 16))[0]
    compressed = in_syntax(one, JPEG2000Lossless if jpeg else RLELossless)
    ds.PixelData = encapsulate([bytes(_fragment(compressed))] * 2)
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
    ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, frames
    ds.GridFrameOffsetVector = list(range(frames))
    return encoded(ds)


def jpeg_larger_than_its_header(side: int) -> bytes:
    """A CT slice of 16 x 16 by its attributes whose code stream says `side` x `side`."""
    ds = in_syntax(ct_series(shape=(2, 16, 16))[0], JPEG2000Lossless)
    stream = bytearray(_fragment(ds))
    # SIZ: marker, length, capabilities, then Xsiz and Ysiz; XTsiz and YTsiz after the offsets.
    at = stream.index(b"\xff\x51") + 6
    stream[at : at + 8] = struct.pack(">II", side, side)
    stream[at + 16 : at + 24] = struct.pack(">II", side, side)
    ds.PixelData = encapsulate([bytes(stream)])
    return encoded(ds)


def jpeg_ls_that_ends_its_decoder() -> bytes:
    """A CT slice whose code stream claims 151 bits a sample; GDCM ends its process over it."""
    ds = in_syntax(ct_series(shape=(2, 16, 16))[0], JPEGLSLossless)
    stream = bytearray(_fragment(ds))
    stream[stream.index(b"\xff\xf7") + 4] = 151
    ds.PixelData = encapsulate([bytes(stream)])
    return encoded(ds)


def rle_that_grows(megabytes: int) -> bytes:
    """A CT slice of 16 x 16 whose run lengths unpack to `megabytes` for each byte of a pixel."""
    ds = in_syntax(ct_series(shape=(2, 16, 16))[0], RLELossless)
    run = b"\x81\x00"  # 128 times the next byte
    segment = run * (megabytes * 1_000_000 // 128)
    header = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13)
    ds.PixelData = encapsulate([header + segment + segment])
    return encoded(ds)


def deflated(megabytes: int) -> bytes:
    """A structure set that is a thousandth of what it becomes."""
    ds = rtstruct(ct_series(), {"Heart": []})
    ds.add_new(0x30070010, "LO", "BOMB")
    ds.add_new(0x30071001, "OB", bytes(megabytes * 1_000_000))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return encoded(ds)


def element_length_lie() -> bytes:
    """A dose whose Pixel Data says it has almost 4 GB."""
    ds = rtdose(lambda x, _y, _z: 1.0 + 0 * x, bits=16)
    whole = encoded(ds)
    at = whole.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    return whole[:at] + b"\xf0\xff\xff\xff" + whole[at + 4 :]


def many_points(points: int) -> bytes:
    """A structure set with one contour of `points` points."""
    ds = rtstruct(ct_series(), {"Heart": [(np.zeros((3, 3)), None)]})
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian  # explicit VR ends at 64 kB of DS
    item = ds.ROIContourSequence[0].ContourSequence[0]
    item["ContourData"].value = "0"
    del ds.ROIContourSequence
    return encoded(ds) + _contour_of(points)


def many_contours(count: int) -> bytes:
    """A structure set with `count` contours of three points, no two of them equal."""
    ds = rtstruct(ct_series(), {"Heart": []})
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    del ds.ROIContourSequence
    items = b"".join(_contour(b"0\\0\\0\\1\\0\\0\\1\\%07d\\0 " % n) for n in range(count))
    return encoded(ds) + _roi_contours(items)


def _contour_of(points: int) -> bytes:
    return _roi_contours(_contour(b"1.5\\2.5\\3.5\\" * points + b"0\\0\\0 "))


def _contour(data: bytes) -> bytes:
    kind = b"\x06\x30\x42\x00" + struct.pack("<I", 14) + b"CLOSED_PLANAR "
    value = kind + CONTOUR_DATA + struct.pack("<I", len(data)) + data
    return ITEM + struct.pack("<I", len(value)) + value


def _roi_contours(items: bytes) -> bytes:
    contours = b"\x06\x30\x40\x00" + struct.pack("<I", len(items)) + items
    number = b"\x06\x30\x84\x00" + struct.pack("<I", 2) + b"1 "
    item = ITEM + struct.pack("<I", len(contours + number)) + contours + number
    return ROI_CONTOURS + struct.pack("<I", len(item)) + item


def _fragment(ds: Dataset) -> bytes:
    """The one fragment of encapsulated Pixel Data, after the empty or short offset table."""
    data = bytes(ds.PixelData)
    at = 8 + int.from_bytes(data[4:8], "little")
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    return data[at + 8 : at + 8 + size]


def put(content: bytes, path: Path) -> Path:
    """Write `content` to `path`."""
    path.write_bytes(content)
    return path
