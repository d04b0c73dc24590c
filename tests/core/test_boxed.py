"""A box of bytes on a large grid comes back as it was, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.boxed import Boxed, read_boxed, write_boxed
from core.errors import UnreadableObjectError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
BOXED = Boxed(VALUES, (5, 6, 7), (100, 200, 300))


@pytest.mark.parametrize("boxed", [BOXED, Boxed(VALUES[:0], (0, 0, 0), (9, 9, 9))])
def test_a_box_comes_back_in_its_place(tmp_path: Path, boxed: Boxed) -> None:
    write_boxed(tmp_path / "a.box", boxed)
    found = read_boxed(tmp_path / "a.box")
    np.testing.assert_array_equal(found.values, boxed.values)
    assert (found.start, found.shape) == (boxed.start, boxed.shape)


def test_the_box_lies_where_it_says() -> None:
    assert BOXED.box == (slice(5, 7), slice(6, 9), slice(7, 11))


@pytest.mark.parametrize("at", [10, -3], ids=["header", "voxels"])
def test_a_damaged_box_is_refused(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.box"
    write_boxed(path, BOXED)
    content = bytearray(path.read_bytes())
    content[at] ^= 0x55
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableObjectError, match=r"a\.box"):
        read_boxed(path)


def test_an_absent_box_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableObjectError, match="not on disk"):
        read_boxed(tmp_path / "a.box")
