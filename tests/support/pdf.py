"""What a PDF of Chromium's holds, read without a PDF library."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)endobj", re.DOTALL)


def pages_with_text(pdf: bytes) -> list[bool]:
    """For each page whether text is drawn on it."""
    objects = {int(m[1]): m[2] for m in _OBJECT.finditer(pdf)}
    found = []
    for body in objects.values():
        if not re.search(rb"/Type\s*/Page\b", body):
            continue
        reference = re.search(rb"/Contents (\d+) 0 R", body)
        assert reference is not None
        stream = objects[int(reference[1])].split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0]
        drawn = zlib.decompress(stream)
        found.append(re.search(rb"T[jJ]\b", drawn) is not None)
    return found
