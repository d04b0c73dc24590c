"""One instance in each transfer syntax, encoded without a foreign program."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)


def in_syntax(ds: Dataset, syntax: UID) -> Dataset:
    """`ds` (explicit little endian, 16 bits a pixel) with its pixels encoded as `syntax` says."""
    if syntax in {RLELossless, JPEGLSLossless}:
        ds.compress(syntax, generate_instance_uid=False)
    elif syntax == JPEG2000Lossless:
        buffer = BytesIO()
        unsigned = ds.pixel_array.astype(np.uint16)
        Image.fromarray(unsigned).save(buffer, format="JPEG2000", irreversible=False, no_jp2=True)
        ds.PixelData = encapsulate([buffer.getvalue()])
        ds["PixelData"].VR = "OB"
        ds.PixelRepresentation = 0
    ds.file_meta.TransferSyntaxUID = syntax
    return ds
