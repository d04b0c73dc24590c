"""What the pages and the data behind them say."""

from __future__ import annotations

import gzip
from datetime import timedelta

import numpy as np
import pytest

from core.records import InstanceHeader, ModelVersion, Round
from core.store import Store
from core.volume import Volume
from review_ui.volumes import centre_out
from review_ui.words import readable_date, readable_name
from tests.support.review_case import NOW, Reviewer, box_mask, put_case, small_geometry

GEOMETRY = small_geometry()
VALUES = np.arange(int(np.prod(GEOMETRY.shape)), dtype=np.int16).reshape(GEOMETRY.shape)
CT = Volume(VALUES, GEOMETRY)
BOX = box_mask(GEOMETRY, (slice(3, 6), slice(4, 9), slice(6, 9)))


def worklist(who: Reviewer) -> list[dict[str, object]]:
    answer = who.get("/api/worklist").json
    assert answer is not None
    return list(answer["cases"])


def receiving(store: Store, count: int) -> str:
    for number in range(count):
        store.instances.add(
            InstanceHeader(f"1.2.9.{number}", "1.2", "1.2.8", "1.2.7", "CT", patient_name="A^B"),
            path=f"instances/{number}.dcm",
            sha256=f"{number:064d}",
            size_bytes=1,
            calling_ae_title="TPS",
            kept_aside=False,
            received_at=NOW,
        )
    (case_id,) = (c.id for c in store.cases.all())
    return case_id


def test_an_empty_worklist_says_where_to_send(anna: Reviewer) -> None:
    page = anna.get("/").text
    assert "No cases yet" in page
    assert "RECONTOUR" in page
    assert "11112" in page
    assert worklist(anna) == []


def test_the_worklist_says_in_words_what_each_case_waits_for(anna: Reviewer, store: Store) -> None:
    put_case(store, CT, patient_id="P-1")
    put_case(
        store, CT, patient_id="P-2", prediction=BOX, dose=Volume(VALUES.astype("f4"), GEOMETRY)
    )
    by_patient = {row["patient"]["id"]: row for row in worklist(anna)}  # type: ignore[index]
    assert by_patient["P-1"]["words"] == "no model yet, contour from scratch"
    assert by_patient["P-1"]["dose"] is False
    assert by_patient["P-2"]["words"] == "ready for review"
    assert by_patient["P-2"]["dose"] is True
    assert str(by_patient["P-2"]["model_version"]).startswith("c0ffee")
    assert all(row["reviewable"] for row in by_patient.values())


def test_a_case_still_arriving_counts_its_instances_and_cannot_be_opened(
    anna: Reviewer, store: Store
) -> None:
    case_id = receiving(store, 3)
    (row,) = worklist(anna)
    assert row["words"] == "receiving, 3 instances so far"
    assert row["reviewable"] is False
    assert "cannot be opened yet" in anna.get(f"/cases/{case_id}").text
    assert anna.open(case_id).status_code == 409


def test_a_case_that_failed_says_why(anna: Reviewer, store: Store) -> None:
    case_id = receiving(store, 1)
    reason = "The series has one slice; at least three are needed."
    store.cases.failed(case_id, reason=reason, instance_count=1, now=NOW)
    (row,) = worklist(anna)
    assert row["reason"] == reason
    assert reason in anna.get(f"/cases/{case_id}").text


def test_the_worklist_names_who_holds_a_case(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT)
    anna.open(case_id)
    (row,) = worklist(anna)
    assert (row["lock_holder"], row["words"]) == ("anna", "in review")


def test_case_facts_tell_the_grid_in_the_browsers_order(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=BOX)
    facts = anna.get(f"/api/cases/{case_id}").json
    assert facts is not None
    slices, rows, columns = GEOMETRY.shape
    assert facts["dims"] == [columns, rows, slices]
    assert facts["spacing_mm"] == [1.0, 1.5, 3.0]
    assert facts["slice_mm"][:2] == [-40.0, -37.0]
    assert facts["start"] == [7, 6, 4]
    assert facts["patient"] == {
        "name": "Synthetic, Alma",
        "id": "P-001",
        "birth_date": "1961-04-02",
    }
    assert facts["destinations"] == ["TPS"]


def test_the_ct_streams_from_the_centre_outwards_bit_for_bit(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT)
    answer = anna.get(f"/api/cases/{case_id}/ct?centre=4")
    slices, rows, columns = GEOMETRY.shape
    record = 4 + rows * columns * 2
    assert int(answer.headers["Content-Length"]) == slices * record == len(answer.data)
    received = np.zeros_like(VALUES)
    order = []
    for start in range(0, len(answer.data), record):
        index = int.from_bytes(answer.data[start : start + 4], "little", signed=True)
        voxels = np.frombuffer(answer.data[start + 4 : start + record], "<i2")
        received[index] = voxels.reshape(rows, columns)
        order.append(index)
    np.testing.assert_array_equal(received, VALUES)
    assert order[:3] == [4, 5, 3]


@pytest.mark.parametrize("centre", [-5, 0, 3, 9, 99])
def test_every_slice_is_streamed_once_whatever_the_centre(centre: int) -> None:
    assert sorted(centre_out(10, centre)) == list(range(10))


def test_the_prediction_comes_as_the_box_around_it(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=BOX)
    answer = anna.get(f"/api/cases/{case_id}/prediction")
    assert answer.headers["Content-Encoding"] == "gzip"
    body = gzip.decompress(answer.data)
    start, size = np.frombuffer(body[:24], "<i4").reshape(2, 3)
    mask = np.zeros(GEOMETRY.shape, bool)
    within = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    mask[within] = np.frombuffer(body[24:], np.uint8).reshape(size)
    np.testing.assert_array_equal(mask, BOX)
    assert mask[within].any(axis=(0, 1)).all()


def test_a_case_without_prediction_or_structure_set_answers_not_found(
    anna: Reviewer, store: Store
) -> None:
    case_id = put_case(store, CT)
    assert anna.get(f"/api/cases/{case_id}/prediction").status_code == 404
    assert anna.get(f"/cases/{case_id}/rtstruct").status_code == 404


def test_the_offered_structure_set_can_be_downloaded(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=BOX)
    assert anna.get(f"/cases/{case_id}/rtstruct").status_code == 404
    offered = store.cases.latest_prediction(store.cases.get(case_id), "Heart")
    assert offered is not None
    store.files.write_structure_set(case_id, offered.id, b"an RTSTRUCT")
    answer = anna.get(f"/cases/{case_id}/rtstruct")
    assert answer.data == b"an RTSTRUCT"
    assert answer.mimetype == "application/dicom"
    assert "attachment" in answer.headers["Content-Disposition"]


def test_the_status_page_shows_versions_and_the_round_under_way(
    anna: Reviewer, store: Store
) -> None:
    done = Round("1" * 32, "Heart", ("c",), "RUNNING", 0, 100, None, None, "", NOW, None)
    store.learning.start_round(done)
    model = ModelVersion("d" * 64, "Heart", None, 0.812, {}, ("c",), NOW)
    store.learning.finish_round(done.id, verdict="released", now=NOW, released=model)
    running = Round(
        "2" * 32, "Heart", ("c", "d"), "RUNNING", 0, 200, None, None, "", NOW + timedelta(1), None
    )
    store.learning.start_round(running)
    store.learning.progress(running.id, step=50, loss=0.4, validation_dice=None)
    status = anna.get("/api/status").json
    assert status is not None
    assert status["released"]["validation_dice"] == 0.812
    assert [v["version"] for v in status["versions"]] == ["d" * 64]
    assert (status["round"]["step"], status["round"]["steps"]) == (50, 200)
    assert "dddd" in anna.get("/status").text


def test_person_names_and_dates_are_readable() -> None:
    assert readable_name("Doe^John^^Dr.") == "Doe, John Dr."
    assert readable_name("Yamada^Tarou=山田^太郎") == "Yamada, Tarou"
    assert readable_name("") == ""
    assert readable_date("20261120") == "2026-11-20"
    assert readable_date("?") == "?"
