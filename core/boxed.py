"""One byte a voxel within a box of a grid, 0 everywhere else; what is small stays small on disk."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import UnreadableObjectError
from core.files import sha256_of, write_whole
from core.geometry import Box, Mask
from core.mask_files import box_around

Bytes = npt.NDArray[np.uint8]


def _entropy_table() -> Bytes:
    p = np.arange(1, 255) / 255.0
    bits = -(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p))
    return np.concatenate([[0], np.rint(255.0 * bits), [0]]).astype(np.uint8)


ENTROPY_OF = _entropy_table()
"""Entropy in 1/255 bit by probability in 1/255: 0 where it is 0 or 1, 255 at a half."""


@dataclass(frozen=True, slots=True)
class Boxed:
    """`values` (slice, row, column) from `start` on, on a grid of `shape`."""

    values: Bytes
    start: tuple[int, int, int]
    shape: tuple[int, int, int]

    @property
    def box(self) -> Box:
        """Where the values lie on the whole grid."""
        slices, rows, columns = (
            slice(a, a + n) for a, n in zip(self.start, self.values.shape, strict=True)
        )
        return slices, rows, columns


def boxed_mask(mask: Mask) -> Boxed:
    """A mask as 0 and 1 within the smallest box around it; nothing at all of an empty one."""
    box = box_around(mask) or (slice(0, 0), slice(0, 0), slice(0, 0))
    slices, rows, columns = mask.shape
    start = (box[0].start, box[1].start, box[2].start)
    return Boxed(np.ascontiguousarray(mask[box]).view(np.uint8), start, (slices, rows, columns))


def write_boxed(path: Path, boxed: Boxed) -> None:
    """Write the values compressed, whole or not at all."""
    content = np.ascontiguousarray(boxed.values).tobytes()
    header = {
        "shape": boxed.shape,
        "start": boxed.start,
        "size": boxed.values.shape,
        "digest": sha256_of(content),
    }
    told = json.dumps(header).encode()
    write_whole(path, len(told).to_bytes(4, "little") + told + zlib.compress(content, level=1))


def read_boxed(path: Path) -> Boxed:
    """What `write_boxed` wrote; raises `UnreadableObjectError` where it is absent or damaged."""
    try:
        content = path.read_bytes()
        length = int.from_bytes(content[:4], "little")
        header = json.loads(content[4 : 4 + length])
        voxels = zlib.decompress(content[4 + length :])
        values = np.frombuffer(voxels, np.uint8).reshape(header["size"])
        start, shape = (tuple(int(n) for n in header[name]) for name in ("start", "shape"))
        digest = str(header["digest"])
    except FileNotFoundError as error:
        raise UnreadableObjectError(
            f"{path.name} is not on disk; restore it from the backup."
        ) from error
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise UnreadableObjectError(
            f"{path.name} is damaged: {error}. Restore it from the backup."
        ) from error
    if sha256_of(voxels) != digest:
        raise UnreadableObjectError(
            f"{path.name} does not match its digest; restore it from the backup."
        )
    return Boxed(values, (start[0], start[1], start[2]), (shape[0], shape[1], shape[2]))
