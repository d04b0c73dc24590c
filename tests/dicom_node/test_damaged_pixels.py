"""Pixel Data that is there and is none: told, and never taken for an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import DamagedObjectError
from dicom_node.objects.ct_reader import read_ct
from tests.support.synthetic_dicom import ct_series, encoded, written

PIXEL_DATA = b"\xe0\x7f\x10\x00OW\0\0"


def _with_pixel_data(folder: Path, element: bytes) -> list[Path]:
    series = ct_series(shape=(2, 16, 16))
    paths = written(series, folder)
    whole = encoded(series[0])
    paths[0].write_bytes(whole[: whole.index(PIXEL_DATA)] + element)
    return paths


@pytest.mark.parametrize(
    "element",
    [
        b"\xe0\x7f\x10\x00O\xab\0\0\0\2\0\0" + bytes(512),
        b"\xe0\x7f\x10\x00SV\0\0\x03\0\0\0" + bytes(3),
    ],
    ids=["unknown VR", "three bytes of 64-bit numbers"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pixel_data_that_cannot_even_be_parsed_is_told(tmp_path: Path, element: bytes) -> None:
    with pytest.raises(DamagedObjectError, match=r"Pixel Data \(7FE0,0010\) cannot be read"):
        read_ct(_with_pixel_data(tmp_path, element))


def test_one_number_for_pixel_data_is_not_an_image_of_zeros(tmp_path: Path) -> None:
    """As bytes the number 512 is 512 times 0, which would be a slice of air."""
    element = b"\xe0\x7f\x10\x00US\2\0" + (512).to_bytes(2, "little")
    with pytest.raises(DamagedObjectError, match="is US; expected OB or OW"):
        read_ct(_with_pixel_data(tmp_path, element))
