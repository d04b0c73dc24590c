from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, RTPlanStorage
from pynetdicom import evt

from app.committing import report_owed
from core.owed_store import OWED, REPORTED
from dicom_node.network.contexts import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from tests.dicom_node.nodes import associated, stored
from tests.dicom_node.serving import Serving, foreign_ae, serving_node
from tests.support.settings import free_port, peer_values
from tests.support.synthetic_dicom import ct_series, uid

TRANSACTION = uid("transaction")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def node(tmp_path: Path, port: int) -> Iterator[Serving]:
    nobody = peer_values("MUTE", rights=["echo", "store", "query"])
    with serving_node(tmp_path, peer_values("TPS", port=port), nobody) as serving:
        yield serving


def information(*references: tuple[str, str], transaction: str = TRANSACTION) -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = []
    for sop_class, instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        ds.ReferencedSOPSequence.append(item)
    return ds


def asked(
    node: Serving,
    ds: Dataset,
    *,
    calling: str = "TPS",
    action: int = 1,
    instance: str = STORAGE_COMMITMENT_INSTANCE,
) -> int | None:
    """The status of an N-ACTION on an association that is released at once."""
    with associated(node, calling=calling, sop_classes=[STORAGE_COMMITMENT]) as association:
        status, _ = association.send_n_action(ds, action, STORAGE_COMMITMENT, instance)
    return getattr(status, "Status", None)


def reported(node: Serving, *, later_s: float = 10) -> list[str]:
    """Send every report that is due `later_s` seconds from now."""
    due = node.store.owed.due(now=node.room.now() + timedelta(seconds=later_s))
    return [report_owed(node.room, owed.id) for owed in due]


def reference(ds: Dataset) -> tuple[str, str]:
    return str(ds.SOPClassUID), str(ds.SOPInstanceUID)


def reasons(ds: Dataset) -> dict[str, int]:
    return {i.ReferencedSOPInstanceUID: i.FailureReason for i in ds.get("FailedSOPSequence", [])}


def test_what_the_node_holds_whole_is_committed(node: Serving, port: int) -> None:
    series = ct_series()
    node.hold(series)
    with foreign_ae(port=port) as tps:
        assert asked(node, information(*map(reference, series))) == 0x0000
        assert reported(node) == [REPORTED]
    ((event_type, report),) = tps.reports
    assert event_type == 1
    assert report.TransactionUID == TRANSACTION
    assert "FailedSOPSequence" not in report
    named = {item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence}
    assert named == {ds.SOPInstanceUID for ds in series}


def test_what_the_node_cannot_answer_for_is_not_committed(node: Serving, port: int) -> None:
    """Never sent, another class, a file that is gone, a file of another length or content."""
    never, other_class, gone, short, changed, whole = ct_series(shape=(6, 8, 8))
    node.hold([other_class, gone, short, changed, whole])

    def file_of(ds: Dataset) -> Path:
        (row,) = node.store.instances.find(ds.SOPInstanceUID)
        return node.settings.data_folder / row.path

    file_of(gone).unlink()
    file_of(short).write_bytes(file_of(short).read_bytes()[:-2])
    content = file_of(changed).read_bytes()
    file_of(changed).write_bytes(content[:-2] + bytes(b ^ 1 for b in content[-2:]))
    wrong = (str(RTPlanStorage), str(other_class.SOPInstanceUID))
    wanted = [reference(never), wrong, *map(reference, (gone, short, changed, whole))]
    with foreign_ae(port=port) as tps:
        assert asked(node, information(*wanted)) == 0x0000
        assert reported(node) == [REPORTED]
    ((event_type, report),) = tps.reports
    assert event_type == 2
    assert reasons(report) == {
        never.SOPInstanceUID: 0x0112,
        other_class.SOPInstanceUID: 0x0119,
        gone.SOPInstanceUID: 0x0110,
        short.SOPInstanceUID: 0x0110,
        changed.SOPInstanceUID: 0x0110,
    }
    (item,) = report.ReferencedSOPSequence
    assert item.ReferencedSOPInstanceUID == whole.SOPInstanceUID


def test_what_was_kept_aside_is_not_committed(node: Serving, port: int) -> None:
    """Under this UID the node uses another object than the one its sender may now delete."""
    ds = ct_series()[0]
    node.hold([ds])
    ds.SeriesDescription = "changed"
    node.hold([ds])
    with foreign_ae(port=port) as tps:
        asked(node, information(reference(ds)))
        reported(node)
    assert reasons(tps.reports[0][1]) == {ds.SOPInstanceUID: 0x0110}


def test_a_caller_that_waits_hears_on_the_same_association(node: Serving) -> None:
    ds = ct_series()[0]
    node.hold([ds])
    heard: list[tuple[int | None, Dataset]] = []

    def on_report(event: evt.Event) -> tuple[int, None]:
        heard.append((event.event_type, event.event_information))
        return 0x0000, None

    with associated(node, sop_classes=[STORAGE_COMMITMENT]) as association:
        association.bind(evt.EVT_N_EVENT_REPORT, on_report)
        status, _ = association.send_n_action(
            information(reference(ds)), 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
        )
        assert status.Status == 0x0000
        wait_until(lambda: heard and not node.store.owed.due(now=later(node)))
    assert [event_type for event_type, _ in heard] == [1]


def test_a_caller_that_goes_on_sending_is_not_interrupted(node: Serving, port: int) -> None:
    first, *others = ct_series(shape=(12, 8, 8))
    node.hold([first])
    with (
        foreign_ae(port=port) as tps,
        associated(node, sop_classes=[STORAGE_COMMITMENT, CTImageStorage]) as association,
    ):
        ds = information(reference(first))
        association.send_n_action(ds, 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)
        for other in others:
            assert stored(association, other) == 0x0000
            time.sleep(0.08)
        assert reported(node) == [REPORTED]
    assert len(tps.reports) == 1


def test_a_request_is_on_disk_before_it_is_answered(node: Serving) -> None:
    assert asked(node, information(reference(ct_series()[0]))) == 0x0000
    (owed,) = node.store.owed.due(now=later(node))
    assert (owed.transaction_uid, owed.peer, owed.state) == (TRANSACTION, "TPS", OWED)


def test_a_report_is_sent_again_until_the_caller_takes_it(node: Serving, port: int) -> None:
    asked(node, information(reference(ct_series()[0])))
    assert reported(node) == ["failed"]
    answers = iter([0x0110, 0x0000])
    with foreign_ae(port=port, report_status=lambda: next(answers)) as tps:
        assert reported(node, later_s=10_000) == ["failed"]
        (owed,) = node.store.owed.due(now=later(node))
        assert "0x0110" in owed.last_error
        assert reported(node, later_s=10_000) == [REPORTED]
        assert reported(node, later_s=10_000) == []
    assert len(tps.reports) == 2


def test_the_pause_before_the_next_report_grows(node: Serving) -> None:
    asked(node, information(reference(ct_series()[0])))
    reported(node)
    assert node.store.owed.due(now=node.room.now() + timedelta(seconds=1)) == []
    reported(node)
    reported(node)
    assert node.store.owed.due(now=node.room.now() + timedelta(seconds=6)) == []
    assert len(node.store.owed.due(now=node.room.now() + timedelta(seconds=9))) == 1


def test_the_same_transaction_again_is_answered_again(node: Serving, port: int) -> None:
    ds = ct_series()[0]
    with foreign_ae(port=port) as tps:
        for _ in range(2):
            assert asked(node, information(reference(ds))) == 0x0000
            assert reported(node) == [REPORTED]
    assert len(tps.reports) == 2


@pytest.mark.parametrize(
    ("ds", "arguments", "status"),
    [
        (information(("1.2", "1.3")), {"action": 2}, 0x0123),
        (information(("1.2", "1.3")), {"instance": "1.2.3.4"}, 0x0112),
        (information(("1.2", "1.3")), {"calling": "MUTE"}, 0x0124),
        (information(), {}, 0x0115),
        (information(("1.2", "1.3"), transaction=""), {}, 0x0115),
        (information(("1.2", "../1")), {}, 0x0115),
        (information(("", "1.3")), {}, 0x0115),
    ],
    ids=["action", "instance", "right", "empty", "transaction", "path", "class"],
)
def test_a_request_that_is_not_right_is_refused_with_its_status(
    node: Serving, ds: Dataset, arguments: dict[str, Any], status: int
) -> None:
    assert asked(node, ds, **arguments) == status
    assert node.store.owed.due(now=later(node)) == []


def test_a_request_for_too_much_is_refused(node: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.network.commitment.MOST_REFERENCES", 2)
    many = information(*[("1.2", f"1.3.{n}") for n in range(3)])
    assert asked(node, many) == 0x0213


def test_images_that_a_request_names_and_that_never_came_are_counted(node: Serving) -> None:
    lost, *came = ct_series()
    (other,) = ct_series(shape=(1, 8, 8), name="another series")
    node.hold([*came, other])
    series = str(lost.SeriesInstanceUID)
    assert node.store.owed.missing_beside(series) == 0
    asked(node, information(*map(reference, [lost, *came, other])))
    assert node.store.owed.missing_beside(series) == 1
    node.hold([lost])
    assert node.store.owed.missing_beside(series) == 0


def later(node: Serving) -> Any:
    return node.room.now() + timedelta(days=2)


def wait_until(condition: Callable[[], Any], *, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {timeout_s} s"
        time.sleep(0.05)
