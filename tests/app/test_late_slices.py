"""Slices that come late, and series that are known to be complete."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from app.clinic_dicom import write_patient
from app.intake import assemble
from app.room import Room
from core.case import CaseState
from core.errors import CaseLockedError
from core.journal import encode_runs
from core.records import Case, JournalEntry
from review_ui.context import Desk
from review_ui.facts import flags_now
from review_ui.memory import CaseMemory
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive

SPACING_MM = (6.0, 6.0, 6.0)


def _patient(folder: Path, *, announced: bool = False) -> list[Path]:
    """The CT of a phantom, one file for each slice, which may say how many there are."""
    paths = list(write_patient(folder / "p", 3, spacing_mm=SPACING_MM).ct_paths)
    for path in paths if announced else []:
        ds = dcmread(path)
        ds.NumberOfSeriesRelatedInstances = len(paths)
        ds.save_as(path)
    return paths


def _case(room: Room) -> Case:
    (case,) = room.store.cases.all()
    return case


def _flags(room: Room) -> list[str]:
    desk = Desk(room.settings, room.store, CaseMemory(room.store, "Heart"), room.now)
    return flags_now(desk, _case(room))


def _open(room: Room) -> None:
    room.store.reviews.open(_case(room).id, "Heart", who="anna", tab="t", now=room.now(), lock_s=60)


def _paint(room: Room) -> None:
    stroke = JournalEntry(1, "stroke", {"tool": "add", "runs": encode_runs(np.array([5, 6]))})
    room.store.reviews.append(_case(room).id, "Heart", stroke, who="anna", tab="t", now=room.now())


def test_a_late_slice_opens_a_case_anew_that_a_reviewer_only_looked_at(tmp_path: Path) -> None:
    paths = _patient(tmp_path)
    room = open_room(tmp_path)
    receive(room, paths[:-1])
    bring_up_to_date(room)
    _open(room)
    receive(room, paths[-1:])
    bring_up_to_date(room)
    case = _case(room)
    assert case.state is CaseState.ASSEMBLED
    assert case.geometry is not None
    assert case.geometry.shape[0] == len(paths)


def test_the_page_that_shows_the_older_volume_can_paint_no_more(tmp_path: Path) -> None:
    """A stroke names voxels by their index, which means another place in the new volume."""
    paths = _patient(tmp_path)
    room = open_room(tmp_path)
    receive(room, paths[1:])
    bring_up_to_date(room)
    _open(room)
    receive(room, paths[:1])
    bring_up_to_date(room)
    with pytest.raises(CaseLockedError):
        _paint(room)
    # The page hears it at its next sign of life, not only at the next stroke.
    with pytest.raises(CaseLockedError, match="does not have the case"):
        room.store.reviews.renew(_case(room).id, who="anna", tab="t", now=room.now(), lock_s=60)


def test_a_late_slice_is_flagged_and_left_out_once_somebody_has_painted(tmp_path: Path) -> None:
    paths = _patient(tmp_path)
    room = open_room(tmp_path)
    receive(room, paths[:-1])
    bring_up_to_date(room)
    before = _case(room)
    _open(room)
    _paint(room)
    receive(room, paths[-1:])
    bring_up_to_date(room)
    after = _case(room)
    assert (after.state, after.assembly) == (CaseState.IN_REVIEW, before.assembly)
    assert _flags(room) == ["1 slice(s) came after the review began; they are not part of it."]


def test_a_stroke_that_came_while_the_volume_was_made_anew_wins(tmp_path: Path) -> None:
    paths = _patient(tmp_path)
    room = open_room(tmp_path)
    receive(room, paths[:-1])
    bring_up_to_date(room)
    before = _case(room)
    _open(room)
    receive(room, paths[-1:])
    ((_, series, _),) = room.store.instances.series_due(quiet_since=room.now())
    _paint(room)
    assert assemble(room, before.id, series).startswith("left alone")
    assert _case(room).assembly == before.assembly


def test_a_slice_after_the_approval_raises_a_flag_and_changes_nothing(tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "p", 3, spacing_mm=SPACING_MM)
    paths = list(patient.ct_paths)
    room = open_room(tmp_path)
    receive(room, paths[:-1])
    bring_up_to_date(room)
    before = _case(room)
    approve_mask(room, before.id, patient.phantom.heart[:-1])
    receive(room, paths[-1:])
    bring_up_to_date(room)
    after = _case(room)
    assert (after.state, after.assembly) == (CaseState.APPROVED, before.assembly)
    assert _flags(room) == ["1 slice(s) came after the review began; they are not part of it."]


def test_a_series_is_due_at_once_when_as_many_are_there_as_were_announced(tmp_path: Path) -> None:
    paths = _patient(tmp_path, announced=True)
    room = open_room(tmp_path)
    long_ago = room.now() - timedelta(hours=1)
    receive(room, paths[:-1])
    assert room.store.instances.series_due(quiet_since=long_ago) == []
    receive(room, paths[-1:])
    ((_, _, due),) = room.store.instances.series_due(quiet_since=long_ago)
    assert due == len(paths)
    bring_up_to_date(room)
    assert _case(room).state is CaseState.ASSEMBLED


def test_a_series_nobody_counted_is_due_when_it_falls_quiet(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    receive(room, _patient(tmp_path))
    assert room.store.instances.series_due(quiet_since=room.now() - timedelta(hours=1)) == []
    assert len(room.store.instances.series_due(quiet_since=room.now())) == 1


def test_fewer_than_announced_fail_with_a_sentence_and_assemble_when_the_rest_comes(
    tmp_path: Path,
) -> None:
    paths = _patient(tmp_path, announced=True)
    room = open_room(tmp_path)
    # The last slices: without the count nobody could know that they are missing.
    receive(room, paths[:-2])
    bring_up_to_date(room)
    assert _case(room).state is CaseState.FAILED
    assert f"{len(paths) - 2} instances of the series came" in _case(room).reason
    assert f"announced {len(paths)}" in _case(room).reason
    receive(room, paths[-2:])
    bring_up_to_date(room)
    assert _case(room).state is CaseState.ASSEMBLED
    assert _case(room).reason == ""


def test_the_case_keeps_what_was_found_of_its_series(tmp_path: Path) -> None:
    paths = _patient(tmp_path)
    room = open_room(tmp_path)
    receive(room, paths)
    bring_up_to_date(room)
    (first, *_) = _case(room).findings
    assert first.startswith(f"{len(paths)} slices of ")
    assembly = _case(room).assembly
    assert assembly is not None
    assert room.store.files.read_ct(_case(room).id, assembly).findings == _case(room).findings
