"""The correction layer: what the journal of a review amounts to.

Browser and server replay the same entries to the same voxels; an approval counts only where both
come to the same mask.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from core.errors import JournalConflictError
from core.geometry import Mask
from core.records import JournalEntry

VALUE_OF_TOOL: Final = {"erase": 0, "add": 1, "remove": 2}

_Step = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]


class CorrectionLayer:
    """Voxels a physician painted: 0 untouched, 1 added, 2 removed; flat order of the volume."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.values = np.zeros(int(np.prod(shape)), np.uint8)
        self.last_seq = 0
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to bring back."""
        return bool(self._redo)

    def apply(self, entry: JournalEntry) -> None:
        """Take the next entry; raises `JournalConflictError` when it is not the next or valid."""
        if entry.seq != self.last_seq + 1:
            raise JournalConflictError(
                f"Journal entry {entry.seq} does not follow {self.last_seq}. Reload the page; "
                "every stroke up to there is kept."
            )
        match entry.kind:
            case "stroke":
                self._stroke(entry)
            case "undo":
                self._swap(self._undo, self._redo)
            case "redo":
                self._swap(self._redo, self._undo)
            case other:
                raise JournalConflictError(
                    f"Journal entries are stroke, undo or redo; found {other!r}. Reload the page."
                )
        self.last_seq = entry.seq

    def apply_all(self, entries: Iterable[JournalEntry]) -> CorrectionLayer:
        """Replay `entries` in order; returns the layer itself."""
        for entry in entries:
            self.apply(entry)
        return self

    def corrected(self, prediction: Mask | None) -> Mask:
        """The corrected mask: prediction or added, and not removed."""
        base = np.zeros(self.shape, bool) if prediction is None else prediction
        added, removed = self.painted_as("add"), self.painted_as("remove")
        return np.asarray((base | added) & ~removed, np.bool_)

    def painted(self) -> Mask:
        """Voxels the physician touched."""
        return np.asarray(self.values.reshape(self.shape) != 0)

    def painted_as(self, tool: str) -> Mask:
        """Voxels that were last painted with `tool`: add or remove."""
        return np.asarray(self.values.reshape(self.shape) == VALUE_OF_TOOL[tool])

    def _stroke(self, entry: JournalEntry) -> None:
        value = VALUE_OF_TOOL.get(str(entry.payload.get("tool")))
        if value is None:
            raise JournalConflictError(
                f"A stroke's tool is add, remove or erase; found {entry.payload.get('tool')!r}."
            )
        runs, removes = str(entry.payload.get("runs", "")), str(entry.payload.get("removes", ""))
        voxels, removed = decode_parts(runs, removes, size=self.values.size)
        both = np.concatenate([voxels, removed])
        self._undo.append((both, self.values[both].copy()))
        self._redo.clear()
        self.values[voxels] = value
        self.values[removed] = VALUE_OF_TOOL["remove"]

    def _swap(self, source: list[_Step], target: list[_Step]) -> None:
        if not source:
            raise JournalConflictError("There is nothing to undo or redo. Reload the page.")
        voxels, values = source.pop()
        target.append((voxels, self.values[voxels].copy()))
        self.values[voxels] = values


def decode_parts(
    runs: str, removes: str, *, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The voxels a stroke gives its tool's value, and those it removes beside that.

    Raises `JournalConflictError` as `decode_runs` does, and when a voxel is in both.
    """
    voxels, removed = decode_runs(runs, size=size), decode_runs(removes, size=size)
    if removed.size and np.intersect1d(voxels, removed).size:
        raise JournalConflictError(
            "A step adds and removes the same voxel; it was not kept. Reload the page."
        )
    return voxels, removed


def decode_runs(encoded: str, *, size: int) -> npt.NDArray[np.int64]:
    """Flat voxel indices of base64 little-endian uint32 pairs (start, length).

    Raises `JournalConflictError` when the text is damaged or leaves a volume of `size` voxels.
    """
    try:
        raw = base64.b64decode(encoded, validate=True)
        pairs = np.frombuffer(raw, "<u4").reshape(-1, 2).astype(np.int64)
    except (binascii.Error, ValueError) as error:
        raise JournalConflictError("A stroke's runs cannot be read; it was not kept.") from error
    starts, lengths = pairs[:, 0], pairs[:, 1]
    if np.any(lengths < 1) or np.any(starts + lengths > size):
        raise JournalConflictError("A stroke leaves the volume; it was not kept. Reload the page.")
    before = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + np.arange(int(lengths.sum())) - before


def encode_runs(voxels: npt.ArrayLike) -> str:
    """The opposite of `decode_runs`, for flat indices in any order, each once."""
    ordered = np.unique(np.asarray(voxels, np.int64))
    if ordered.size == 0:
        return ""
    first = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 2) != 1)
    starts = ordered[first]
    lengths = np.diff(np.append(first, ordered.size))
    return base64.b64encode(np.stack([starts, lengths], 1).astype("<u4").tobytes()).decode()


def mask_crc32(mask: Mask) -> int:
    """CRC-32 of the mask as bytes 0 and 1 in flat order: what the browser can compute anywhere."""
    return zlib.crc32(np.ascontiguousarray(mask).view(np.uint8).data)
