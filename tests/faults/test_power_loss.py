"""After a power cut no row names a file that is gone, and what was acknowledged is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from app.keeping.verifying import checks
from app.predicting import predict
from app.reading_tasks import TASKS
from app.room import Room
from app.writing import write_approved
from dicom_node.network.inbox import Inbox
from model.predict import Predictor
from model.registry import load, publish, versions
from tests.faults.test_kill_publish import Release
from tests.support.power import Disk, built, power_may_go
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, rtdose, written
from tests.support.versions import put_real

PROMISES = {
    "instance": "select path from instance",
    "volume": "select 'cases/' || id || '/ct-' || substr(assembly, 1, 16) || '.npy' from \"case\" "
    "where assembly is not null",
    "dose": "select 'cases/' || case_id || '/dose-' || instance_id || '.npy' from attachment "
    "where kind = 'dose'",
    "prediction": "select 'cases/' || case_id || '/prediction-' || id || '.mask' from prediction",
    "correction": "select 'cases/' || case_id || '/correction-' || id || '.mask' from correction",
    "model": "select 'models/' || version || '/weights.safetensors' from model_version",
    "painted": "select 'cases/' || case_id || '/painted-' || id || '.mask' from correction",
}


class _Here:
    """Reads files in this process, where its syncs are seen."""

    def run(self, task: str, paths: Sequence[Path], **arguments: Any) -> Any:
        return TASKS[task]([str(path) for path in paths], **arguments)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    # The database keeps its own promises, and lies beside the files here.
    monkeypatch.setenv("RECONTOUR_DATABASE_URL", f"sqlite:///{tmp_path / 'rows.db'}")
    monkeypatch.setattr("app.reading.sandbox", _Here)
    opened = open_room(tmp_path)
    yield opened
    opened.store.engine.dispose()


@contextmanager
def every_commit_held_against(disk: Disk, room: Room) -> Iterator[set[str]]:
    """Fail where a row would become durable before its file; yields the kinds that were seen."""
    seen: set[str] = set()

    def about_to_commit(connection: sa.Connection) -> None:
        certain = disk.certain()
        for kind, query in PROMISES.items():
            for (name,) in connection.exec_driver_sql(query):
                assert name in certain, f"a row names a {kind} that a power cut may take: {name}"
                seen.add(kind)

    sa.event.listen(room.store.engine, "commit", about_to_commit)
    yield seen
    sa.event.remove(room.store.engine, "commit", about_to_commit)


def test_no_row_is_ever_ahead_of_its_file(room: Room, tmp_path: Path) -> None:
    slices = ct_series()
    paths = written(
        [*slices, rtdose(lambda x, _y, _z: 0 * x + 2.0, ct=slices[0])], tmp_path / "sent"
    )
    with (
        power_may_go(room.settings.data_folder) as disk,
        every_commit_held_against(disk, room) as seen,
    ):
        receive(room, paths)
        bring_up_to_date(room)
        (case,) = room.store.cases.all()
        assert case.geometry is not None
        mask = np.zeros(case.geometry.shape, bool)
        mask[1:4, 3:8, 3:8] = True
        version = put_real(room, 1)
        predict(room, Predictor(room.settings.model), case.id, "Heart", version)
        approved = approve_mask(room, case.id, mask)
        bring_up_to_date(room)
        sent = write_approved(room, approved)
        certain = disk.certain()
        assert certain[str(sent.relative_to(room.settings.data_folder))] == sent.read_bytes()
    assert seen == PROMISES.keys()


def test_what_was_acknowledged_is_found_again_without_its_rows(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of instances are committed without a sync: all of them may be gone."""
    paths = written(ct_series(), tmp_path / "sent")
    with power_may_go(room.settings.data_folder) as disk:
        receive(room, paths)
        left = disk.certain()
    monkeypatch.setenv("RECONTOUR_DATABASE_URL", "")
    (tmp_path / "after").mkdir()
    after = open_room(tmp_path / "after")
    built(left, after.settings.data_folder)
    inbox = Inbox(after.settings.data_folder, after.store.instances, reserve_mb=0)
    assert inbox.reindex() == len(paths)
    assert [wrong() for wrong in checks(after) if wrong()] == []
    after.store.engine.dispose()


def test_whatever_is_left_of_a_release_loads_and_it_can_be_repeated(tmp_path: Path) -> None:
    release = Release(tmp_path / "node")
    release.root.mkdir()
    with power_may_go(release.root) as disk:
        version = publish(release.root, release.weights, release.description)
        certain = disk.certain()
    assert {Path(name).parent.name for name in certain} == {version}
    assert len(certain) == 2
    seen = {tuple(sorted(left.items())) for cut in disk.cuts for left in cut}
    assert len(seen) >= 5
    for number, left in enumerate(seen):
        root = built(dict(left), tmp_path / str(number))
        root.mkdir(exist_ok=True)
        for listed in versions(root):
            load(root, listed)
        assert publish(root, release.weights, release.description) == version
        load(root, version)
