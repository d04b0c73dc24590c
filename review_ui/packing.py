"""Answers in bytes for the page: compressed as little as is quick, which is much of a mask."""

from __future__ import annotations

import gzip

import numpy as np
from flask import Response

from core.boxed import Boxed


def boxed_response(boxed: Boxed) -> Response:
    """Little-endian int32 first slice, row, column, counts of them; then a byte a voxel."""
    header = np.array([*boxed.start, *boxed.values.shape], "<i4").tobytes()
    return packed_response(header + boxed.values.tobytes())


def packed_response(body: bytes) -> Response:
    """`body`, gzip at its lowest level."""
    response = Response(gzip.compress(body, 1), mimetype="application/octet-stream")
    response.headers["Content-Encoding"] = "gzip"
    return response
