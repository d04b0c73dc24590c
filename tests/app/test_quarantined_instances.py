"""Instances that were kept and break later: the case says so, and the quarantine lists them."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from app.cli import app
from core.case import CaseState
from tests.support import bombs
from tests.support.room import bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, encoded, rtdose, written


def test_a_series_with_a_slice_that_cannot_be_decoded_fails_with_its_sentence(
    tmp_path: Path,
) -> None:
    room = open_room(tmp_path)
    paths = written(ct_series(shape=(2, 16, 16)), tmp_path / "ct")
    paths[0].write_bytes(bombs.jpeg_ls_that_ends_its_decoder())
    receive(room, paths)
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.FAILED
    assert "ended its decoder (SIGABRT)" in case.reason
    (row,) = room.store.quarantine.all()
    assert row.reason == case.reason
    kept = room.store.instances.get(row.instance_id or 0)
    assert kept.header.sop_instance_uid == paths[0].stem
    assert room.path(row.path).read_bytes() == paths[0].read_bytes()


def test_a_dose_that_breaks_its_reader_is_refused_on_its_case_and_listed(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    ct = ct_series()
    dose = rtdose(lambda x, _y, _z: 2.0 + 0 * x, ct=ct[0])
    (path,) = written([dose], tmp_path / "dose")
    whole = encoded(dose)
    at = whole.index(b"\xe0\x7f\x10\x00OW\0\0")
    path.write_bytes(whole[:at] + b"\xe0\x7f\x10\x00SV\0\0\x03\0\0\0" + bytes(3))
    receive(room, [*written(ct, tmp_path / "ct"), path])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.ASSEMBLED
    (why,) = room.store.instances.refusals(case.id)
    (row,) = room.store.quarantine.all()
    assert why == row.reason
    assert "cannot be read" in why


def test_a_refusal_for_what_an_object_says_is_no_quarantine(tmp_path: Path) -> None:
    """It was read well: a dose in percent, a missing slice."""
    room = open_room(tmp_path)
    ct = ct_series()
    dose = rtdose(lambda x, _y, _z: 2.0 + 0 * x, ct=ct[0])
    dose.DoseUnits = "RELATIVE"
    receive(room, [*written(ct, tmp_path / "ct"), *written([dose], tmp_path / "dose")])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert len(room.store.instances.refusals(case.id)) == 1
    assert room.store.quarantine.all() == []


def test_a_slice_that_is_sent_again_takes_the_place_of_the_damaged_one(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    good = written(ct_series(shape=(2, 16, 16)), tmp_path / "ct")
    (bad,) = written(ct_series(shape=(2, 16, 16))[:1], tmp_path / "bad")
    bad.write_bytes(bombs.jpeg_ls_that_ends_its_decoder())
    receive(room, [bad, good[1]])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.FAILED
    receive(room, [good[0]])
    bring_up_to_date(room)
    assert room.store.cases.get(case.id).state is CaseState.ASSEMBLED
    in_use, aside = room.store.instances.find(good[0].stem)
    assert room.path(in_use.path).read_bytes() == good[0].read_bytes()
    assert (in_use.kept_aside, aside.kept_aside) == (False, True)
    # What came is not tried again and again.
    assert room.store.quarantine.put_replacements_in_use(now=room.now()) == 0


def test_another_object_under_the_uid_of_one_that_was_read_replaces_nothing(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    series = ct_series(shape=(2, 16, 16))
    receive(room, written(series, tmp_path / "ct"))
    bring_up_to_date(room)
    series[0].SeriesDescription = "another object"
    receive(room, written(series[:1], tmp_path / "other"))
    assert room.store.quarantine.put_replacements_in_use(now=room.now()) == 0


def test_the_command_lists_what_is_in_quarantine(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    config = str(tmp_path / "config.yaml")
    listed = CliRunner().invoke(app, ["quarantine", "list", "--config", config])
    assert listed.output == "Nothing is in quarantine.\n"
    ct = ct_series(shape=(2, 16, 16))
    paths = written(ct, tmp_path / "ct")
    paths[0].write_bytes(bombs.jpeg_larger_than_its_header(30_000))
    receive(room, paths)
    bring_up_to_date(room)
    listed = CliRunner().invoke(app, ["quarantine", "list", "--json", "--config", config])
    (row,) = json.loads(listed.output)
    assert row["what"] == "kept, not used"
    assert "cannot be decoded" in row["reason"]
    assert room.path(row["file"]).is_file()
