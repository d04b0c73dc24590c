"""Planar contours in VTK's XML files, as SlicerRT keeps them."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt


def planar_contours(path: Path) -> list[npt.NDArray[np.float64]]:
    """The closed lines (n, 3) of a .vtp file, LPS mm; SlicerRT writes right-anterior-superior."""
    root = ElementTree.parse(path).getroot()
    points = _array(root, "Points").reshape(-1, 3) * [-1.0, -1.0, 1.0]
    lines = root.find(".//Lines")
    assert lines is not None
    connectivity, ends = (_array(lines, name) for name in ("connectivity", "offsets"))
    starts = [0, *ends[:-1]]
    return [points[connectivity[a:b]] for a, b in zip(starts, ends, strict=True)]


def _array(element: ElementTree.Element, name: str) -> npt.NDArray[Any]:
    (found,) = element.findall(f".//DataArray[@Name='{name}']")
    kind = {"Float32": "<f4", "Float64": "<f8", "Int32": "<i4", "Int64": "<i8"}[
        found.attrib["type"]
    ]
    text = (found.text or "").strip()
    # Header: blocks, size of a block, of the last, then the compressed size of each, all uint32.
    count = int(np.frombuffer(base64.b64decode(text[:8])[:4], "<u4")[0])
    length = 4 * -(-4 * (3 + count) // 3)
    sizes = np.frombuffer(base64.b64decode(text[:length]), "<u4")[3 : 3 + count]
    packed, content, start = base64.b64decode(text[length:]), b"", 0
    for size in sizes.tolist():
        content += zlib.decompress(packed[start : start + size])
        start += size
    return np.frombuffer(content, kind)
