"""What may be laid over the CT, as the server tells it."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from core.case_files import reference_name
from core.geometry import Mask, VolumeGeometry
from core.plans import DoseOrigin
from core.store import Store
from core.volume import Volume
from dose.grid import dose_on
from tests.support.review_case import NOW, Reviewer, another_object, box_mask, put_case, put_dose

CT = VolumeGeometry(
    shape=(6, 10, 12),
    origin_mm=(0.0, 0.0, 0.0),
    spacing_mm=(3.0, 1.0, 1.0),
    frame_of_reference_uid="1.2.3.4",
)
HEART = box_mask(CT, (slice(2, 4), slice(3, 6), slice(4, 9)))
DOSE = Volume(
    np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6) / 4,
    VolumeGeometry((4, 5, 6), (1.0, 1.0, 2.0), (3.0, 2.0, 2.0), "1.2.3.4"),
)


@pytest.fixture
def case_id(store: Store) -> str:
    return put_case(store, Volume(np.zeros(CT.shape, np.int16), CT), prediction=HEART)


def put_reference(store: Store, case_id: str, mask: Mask, roi_name: str = "Heart") -> None:
    """A structure set of the TPS that joined the case."""
    current = store.cases.get(case_id)
    instance_id = another_object(store, case_id, modality="RTSTRUCT", series="2.25.7")
    store.files.write_mask(case_id, reference_name(instance_id, current.assembly), mask)
    store.instances.attach(current, instance_id, kind="structure_set", note=roi_name, now=NOW)


def test_a_case_without_anything_has_no_layers(anna: Reviewer, case_id: str) -> None:
    said = anna.get(f"/api/cases/{case_id}/layers").json
    assert said == {"dose": None, "uncertainty": False, "reference": False}
    for layer in ("dose", "reference", "uncertainty"):
        assert anna.get(f"/api/cases/{case_id}/{layer}").status_code == 404


def test_the_dose_comes_as_a_grid_that_gives_the_dose_of_every_voxel(
    store: Store, anna: Reviewer, case_id: str
) -> None:
    put_dose(store, case_id, DOSE)
    body = gzip.decompress(anna.get(f"/api/cases/{case_id}/dose").data)
    length = int.from_bytes(body[:4], "little")
    header = json.loads(body[4 : 4 + length])
    gray = np.frombuffer(body[4 + length :], "<f4").reshape(header["shape"][::-1])
    np.testing.assert_array_equal(gray, DOSE.values)
    told = anna.get(f"/api/cases/{case_id}/figures").json
    assert told is not None
    assert (header["id"], header["exact"]) == (told["dose_id"], True)
    assert header["rims"] == pytest.approx([0.005, 0.005, 0.01 / 3])
    expected = dose_on(DOSE, CT)
    # CT slice 1 is the second of the dose's, row 3 its second, column 5 its third.
    assert (header["z"][1], header["y"][3], header["x"][5]) == pytest.approx((1 / 3, 1, 2))
    assert expected[1, 3, 5] == pytest.approx((2 * DOSE.values[0, 1, 2] + DOSE.values[1, 1, 2]) / 3)


def test_what_the_sender_calls_a_dose_is_told_with_it(
    store: Store, anna: Reviewer, case_id: str
) -> None:
    made_up = DoseOrigin("PLAN", "PHYSICAL", (), description="Synthetic dose, not a plan")
    put_dose(store, case_id, DOSE, origin=made_up)
    words = "Plan not received · Synthetic dose, not a plan"
    assert anna.get(f"/api/cases/{case_id}/layers").json["dose"] == words  # type: ignore[index]
    assert anna.get(f"/api/cases/{case_id}/figures").json["dose"] == words  # type: ignore[index]


def test_the_contour_of_the_tps_comes_as_the_box_around_it(
    store: Store, anna: Reviewer, case_id: str
) -> None:
    drawn = box_mask(CT, (slice(1, 5), slice(3, 6), slice(4, 9)))
    drawn[2, 4, 6] = False
    put_reference(store, case_id, box_mask(CT, (slice(0, 1), slice(0, 1), slice(0, 1))))
    put_reference(store, case_id, drawn)
    put_reference(store, case_id, HEART, roi_name="Lung left")
    assert anna.get(f"/api/cases/{case_id}/layers").json["reference"]  # type: ignore[index]
    body = gzip.decompress(anna.get(f"/api/cases/{case_id}/reference").data)
    first_slice, first_row, first_column, *size = np.frombuffer(body[:24], "<i4")
    found = np.zeros(CT.shape, bool)
    box = np.frombuffer(body[24:], np.uint8).reshape(size)
    found[
        first_slice : first_slice + size[0],
        first_row : first_row + size[1],
        first_column : first_column + size[2],
    ] = box
    np.testing.assert_array_equal(found, drawn)
    assert size == [4, 3, 5]
