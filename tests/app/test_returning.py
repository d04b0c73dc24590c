"""A structure set that was edited in the TPS comes back: compared, and learned from if allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from app import intake
from app.judging import readable_cases
from app.returning import take_back
from core.case import CaseState
from core.database import writing
from core.records import Returned
from core.returned_store import SUPERSEDED
from dose.metrics import roi_dose
from tests.support.returned_files import SENT, WIDER, Delivered, deliver_a_case
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, rtstruct, written


@pytest.fixture
def learning(tmp_path: Path) -> Delivered:
    """A delivered case under a rule that lets the node learn from what comes back."""
    return deliver_a_case(tmp_path, returning="learn")


@pytest.fixture
def comparing(tmp_path: Path) -> Delivered:
    """A delivered case under a rule that only compares."""
    return deliver_a_case(tmp_path, returning="compare")


def rows(delivered: Delivered) -> list[Returned]:
    return delivered.room.store.returned.all(case_id=delivered.case_id)


def learned_mask(delivered: Delivered) -> np.ndarray:
    """What the case teaches now."""
    known = delivered.room.store.learning.learning_set("Heart")
    (correction,) = (*known.train, *known.validation)
    return delivered.room.store.files.read_mask(
        delivered.case_id, f"correction-{correction.id}", digest=correction.mask_digest
    )


def test_an_edited_structure_set_is_compared_with_what_was_sent(comparing: Delivered) -> None:
    comparing.comes_back(comparing.edited(WIDER))
    (row,) = rows(comparing)
    sent, more = int(SENT.sum()), int((WIDER & ~SENT).sum())
    assert row.dice == pytest.approx(2 * sent / (2 * sent + more))
    assert row.sent_cc == pytest.approx(sent * 0.012)
    assert row.returned_cc == pytest.approx((sent + more) * 0.012)
    # The right side anew over 10 rows, and two columns above and below, 2 mm each.
    assert row.added_path_length_mm == pytest.approx(10 * 2.0 + 2 * 2 * 2.0)
    assert (row.matched_by, row.note, row.became) == ("series_and_roi", "", None)


def test_where_the_rule_says_compare_nothing_is_learned_and_the_dose_is_a_reference(
    comparing: Delivered,
) -> None:
    comparing.comes_back(comparing.edited(WIDER))
    np.testing.assert_array_equal(learned_mask(comparing), SENT)
    figures = comparing.room.store.cases.dose_figures(comparing.case_id)
    assert [figure.source for figure in figures] == ["correction", "reference"]


def test_where_the_rule_says_learn_it_becomes_the_correction_of_the_case(
    learning: Delivered,
) -> None:
    split = learning.case.split
    learning.comes_back(learning.edited(WIDER))
    (row,) = rows(learning)
    assert row.became is not None
    np.testing.assert_array_equal(learned_mask(learning), WIDER)
    made = learning.room.store.reviews.correction(row.became)
    assert (made.origin, made.approved_by) == ("returned", "TPS")
    assert learning.case.split is split
    # What was approved and sent stays what it was.
    approved = learning.room.store.reviews.correction_of(learning.case_id, "Heart")
    assert approved == learning.approved


def test_it_is_learned_from_while_another_structure_of_the_case_is_reviewed(
    learning: Delivered,
) -> None:
    store, routing = learning.room.store, learning.case.routing
    assert routing is not None
    both = replace(routing, structures=("Heart", "Esophagus"))
    store.cases.routed(learning.case_id, both)
    store.turns.turn(learning.case_id, "Esophagus", who="anna", now=learning.room.now())
    assert learning.case.state is CaseState.ASSEMBLED
    learning.comes_back(learning.edited(WIDER))
    np.testing.assert_array_equal(learned_mask(learning), WIDER)


def test_it_is_never_sent_back(learning: Delivered) -> None:
    before = learning.room.store.deliveries.all()
    learning.comes_back(learning.edited(WIDER))
    assert learning.room.store.deliveries.all() == before
    assert learning.case.state is CaseState.DELIVERED


def test_its_dose_is_measured_once_as_a_correction(learning: Delivered) -> None:
    learning.comes_back(learning.edited(WIDER))
    store, geometry = learning.room.store, learning.case.geometry
    assert geometry is not None
    first, second = store.cases.dose_figures(learning.case_id)
    assert (first.source, second.source) == ("correction", "correction")
    assert (first.source_id, second.source_id) == (learning.approved.id, rows(learning)[0].became)
    (dose,) = store.instances.attached(learning.case_id, kind="dose")
    expected = roi_dose(store.files.read_dose(learning.case_id, dose.id), WIDER, geometry)
    assert second.mean_gy == pytest.approx(expected.mean_gy)
    assert second.volume_cc == pytest.approx(expected.volume_cc)


def test_the_trainer_reads_it_and_what_was_touched_in_the_tps_weighs_most(
    learning: Delivered,
) -> None:
    learning.comes_back(learning.edited(WIDER))
    store = learning.room.store
    known = store.learning.learning_set("Heart")
    model = learning.room.settings.model
    assert len(readable_cases(learning.room, (*known.train, *known.validation), model)) == 1
    became = rows(learning)[0].became
    painted = store.files.read_mask(learning.case_id, f"painted-{became}")
    assert painted[WIDER & ~SENT].all()


def sent_again_as_it_is(delivered: Delivered) -> Dataset:
    return delivered.received_by_tps()


def exported_anew_unchanged(delivered: Delivered) -> Dataset:
    return delivered.edited(SENT)


@pytest.mark.parametrize("returned", [sent_again_as_it_is, exported_anew_unchanged])
def test_what_comes_back_unchanged_is_confirmed_without_noise(
    learning: Delivered, returned: Callable[[Delivered], Dataset]
) -> None:
    learning.comes_back(returned(learning))
    (row,) = rows(learning)
    assert row.unchanged
    assert (row.added_path_length_mm, row.note, row.became) == (0.0, "", None)
    np.testing.assert_array_equal(learned_mask(learning), SENT)


def with_our_uid(delivered: Delivered) -> Dataset:
    ds = delivered.edited(WIDER)
    ds.SOPInstanceUID = delivered.received_by_tps().SOPInstanceUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def with_predecessor(delivered: Delivered) -> Dataset:
    ds, item = delivered.edited(WIDER), Dataset()
    item.ReferencedSOPClassUID = ds.SOPClassUID
    item.ReferencedSOPInstanceUID = delivered.received_by_tps().SOPInstanceUID
    ds.PredecessorStructureSetSequence = [item]
    ds.StructureSetDate = "20200101"  # as systems write it that take the study's
    return ds


@pytest.mark.parametrize(
    ("returned", "matched_by"),
    [(with_our_uid, "same_uid"), (with_predecessor, "predecessor")],
)
def test_it_is_known_by_our_uids(
    learning: Delivered, returned: Callable[[Delivered], Dataset], matched_by: str
) -> None:
    learning.comes_back(returned(learning))
    assert [row.matched_by for row in rows(learning)] == [matched_by]
    np.testing.assert_array_equal(learned_mask(learning), WIDER)


def test_an_edit_under_our_own_uid_is_known_even_when_that_uid_came_back_before(
    learning: Delivered,
) -> None:
    """The second object under one UID is kept aside; a correction must not be lost for that."""
    learning.comes_back(learning.received_by_tps())
    learning.comes_back(with_our_uid(learning))
    assert [row.unchanged for row in rows(learning)] == [False, True]
    np.testing.assert_array_equal(learned_mask(learning), WIDER)
    study = learning.case.study_instance_uid
    assert learning.room.store.instances.kept_aside_count(study) == 0


def test_the_same_file_twice_does_nothing_twice(learning: Delivered) -> None:
    back = learning.edited(WIDER)
    learning.comes_back(back)
    once = rows(learning)
    learning.comes_back(back)
    bring_up_to_date(learning.room)
    assert rows(learning) == once
    assert len(learning.room.store.cases.dose_figures(learning.case_id)) == 2


def test_the_last_of_several_edits_counts_also_when_it_undoes_the_first(
    learning: Delivered,
) -> None:
    learning.comes_back(learning.edited(WIDER))
    learning.comes_back(learning.edited(SENT))
    np.testing.assert_array_equal(learned_mask(learning), SENT)
    newest, _ = rows(learning)
    assert newest.became is not None


def test_of_two_edits_the_later_one_counts_in_whatever_order_they_are_looked_at(
    learning: Delivered,
) -> None:
    """Several jobs may look at once; the physician's last word must not be lost to an older one."""
    room = learning.room
    receive(room, [learning.exported(learning.edited(mask)) for mask in (WIDER, SENT)])
    older, newer = room.store.instances.to_attach()
    for case_id, instance in (newer, older):
        intake.attach(room, case_id, instance.id)
    np.testing.assert_array_equal(learned_mask(learning), SENT)
    assert [row.note for row in rows(learning)] == ["", SUPERSEDED]


def test_a_crash_after_the_row_does_not_make_a_second_one(learning: Delivered) -> None:
    learning.comes_back(learning.edited(WIDER))
    once = rows(learning)
    found = learning.room.store.instances.get(once[0].instance_id)
    assert take_back(learning.room, learning.case, found)
    assert rows(learning) == once


def test_a_structure_set_on_a_series_we_do_not_hold_is_not_taken_for_ours(
    learning: Delivered,
) -> None:
    ds = learning.edited(WIDER)
    series = ds.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    series.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.4.5"
    learning.comes_back(ds)
    assert rows(learning) == []
    np.testing.assert_array_equal(learned_mask(learning), SENT)


def test_what_comes_before_the_delivery_went_out_is_no_answer_to_it(learning: Delivered) -> None:
    with writing(learning.room.store.engine) as connection:
        connection.execute(sa.text("UPDATE delivery SET sent_at = NULL"))
    learning.comes_back(learning.edited(WIDER))
    assert rows(learning) == []


def test_a_structure_set_that_comes_before_the_approval_is_a_reference(tmp_path: Path) -> None:
    room = open_room(tmp_path, returning="learn")
    ct = ct_series(shape=SENT.shape, spacing_mm=(3.0, 2.0, 2.0))
    square = [[-9.0, -9.0, 1.5], [9.0, -9.0, 1.5], [9.0, 9.0, 1.5], [-9.0, 9.0, 1.5]]
    uid = str(ct[4].SOPInstanceUID)
    receive(room, written([*ct, rtstruct(ct, {"Heart": [(square, uid)]})], tmp_path / "pushed"))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    approve_mask(room, case.id, SENT)
    bring_up_to_date(room)
    assert room.store.returned.all() == []
    assert len(room.store.instances.attached(case.id, kind="structure_set")) == 1
