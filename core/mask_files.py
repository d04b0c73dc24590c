"""Masks on disk: bits, compressed, with a digest of the voxels and the box around them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UnreadableObjectError
from core.files import mask_digest, write_whole
from core.geometry import Box, Mask


def write_mask(path: Path, mask: Mask) -> str:
    """Write `mask` and return its digest (see `mask_digest`)."""
    digest = mask_digest(mask)
    header = {"shape": mask.shape, "digest": digest, "box": _sides(mask)}
    packed = zlib.compress(np.packbits(mask).tobytes(), level=1)
    told = json.dumps(header).encode()
    write_whole(path, len(told).to_bytes(4, "little") + told + packed)
    return digest


def read_mask(path: Path, *, digest: str | None = None) -> Mask:
    """The mask that `write_mask` wrote; raises `UnreadableObjectError` if it is damaged.

    With `digest` also if it is another mask, undamaged, than the one with this digest.
    """
    content = _content(path)
    try:
        header, packed = _parted(content)
        shape = tuple(header["shape"])
        bits = np.frombuffer(zlib.decompress(packed), np.uint8)
        mask: Mask = np.unpackbits(bits, count=int(np.prod(shape))).view(np.bool_).reshape(shape)
        recorded = str(header["digest"])
    except (ValueError, KeyError, zlib.error) as error:
        raise UnreadableObjectError(f"{path.name} is not a mask file: {error}") from error
    if mask_digest(mask) != recorded:
        raise UnreadableObjectError(
            f"{path.name} does not match its digest; restore it from the backup."
        )
    if digest is not None and digest != recorded:
        raise UnreadableObjectError(
            f"{path.name} is not the mask that was recorded; restore it from the backup."
        )
    return mask


def box_of_mask_file(path: Path) -> Box | None:
    """The smallest box around the mask; None around an empty one. The voxels are not read."""
    try:
        sides = _parted(_content(path))[0].get("box", ())
    except ValueError as error:
        raise UnreadableObjectError(f"{path.name} is not a mask file: {error}") from error
    if sides == ():  # written before boxes were noted
        sides = _sides(read_mask(path))
    return None if sides is None else (slice(*sides[0]), slice(*sides[1]), slice(*sides[2]))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableObjectError(
            f"{path.name} is not on disk; restore it from the backup."
        ) from error


def _parted(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + size]), content[4 + size :]


def box_around(mask: Mask) -> Box | None:
    """The smallest box around the voxels inside; None where there are none."""
    if not mask.any():
        return None
    slices = _used(mask, (1, 2))
    within = mask[slices]
    return slices, _used(within, (0, 2)), _used(within, (0, 1))


def _used(mask: Mask, others: tuple[int, int]) -> slice:
    """From the first to the last index inside, along the axis that is not among `others`."""
    indices = np.flatnonzero(mask.any(axis=others))
    return slice(int(indices[0]), int(indices[-1]) + 1)


def _sides(mask: Mask) -> list[tuple[int, int]] | None:
    """First index and the one after the last, along each axis; None for an empty mask."""
    box = box_around(mask)
    return None if box is None else [(one.start, one.stop) for one in box]
