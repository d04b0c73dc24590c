"""What happens when the system has nothing more to give: it passes, and the node is there."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context

from app.clinic import wait_for
from tests.support.raw_scu import associate_request
from tests.support.receiver import ATTACKER, Receiver, running_receiver
from tests.support.synthetic_dicom import ct_series

CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
ASSOCIATIONS, OUT_OF_RESOURCES = 5, 0xA700
SPARE_BYTES, STACK_BYTES = 4_000_000, resource.getrlimit(resource.RLIMIT_STACK)[0]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    limits: dict[str, Any] = {
        "maximum_associations": ASSOCIATIONS,
        "maximum_associations_per_address": 20,
    }
    with running_receiver(tmp_path_factory.mktemp("receiver"), **limits) as running:
        running.serve_good_peer()
        yield running


def call(receiver: Receiver, open_ones: ExitStack) -> None:
    """Ask for an association, and wait for whatever comes of it."""
    caller = socket.create_connection(
        ("127.0.0.1", receiver.port), timeout=0.5, source_address=(ATTACKER, 0)
    )
    open_ones.enter_context(caller)
    caller.sendall(associate_request({1: CT}))
    with suppress(OSError):
        caller.recv(1024)


@contextmanager
def limited(receiver: Receiver, kind: int, most: int) -> Iterator[None]:
    """The receiver gets no more than `most` of a resource while the block runs."""
    pid = receiver.process.pid
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, before)


def open_files(receiver: Receiver) -> int:
    return len(list(Path(f"/proc/{receiver.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("spare", [1, 2, 3])
def test_without_a_free_file_descriptor_callers_are_sent_away_and_later_ones_served(
    spare: int, receiver: Receiver
) -> None:
    files_before = open_files(receiver)
    with ExitStack() as open_ones:
        with limited(receiver, resource.RLIMIT_NOFILE, files_before + spare):
            for _ in range(3):
                call(receiver, open_ones)
        receiver.serve_good_peer()


def test_an_instance_that_no_file_descriptor_is_free_for_is_refused_and_taken_later(
    receiver: Receiver,
) -> None:
    contexts = [build_context(CTImageStorage, ExplicitVRLittleEndian)]
    first, second = ct_series(name="no-file-descriptor")[:2]
    association = AE("TPS").associate(
        "127.0.0.1", receiver.port, contexts=contexts, ae_title="RECONTOUR"
    )
    assert association.send_c_store(first).Status == 0x0000
    with limited(receiver, resource.RLIMIT_NOFILE, 3):
        assert association.send_c_store(second).Status == OUT_OF_RESOURCES
    assert receiver.store().instances.find(second.SOPInstanceUID) == []
    assert association.send_c_store(second).Status == 0x0000
    assert len(receiver.store().instances.find(second.SOPInstanceUID)) == 1
    association.release()


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_without_a_free_thread_callers_are_sent_away_and_later_ones_served(
    threads: int, receiver: Receiver
) -> None:
    files_before = open_files(receiver)
    pages = int(Path(f"/proc/{receiver.process.pid}/statm").read_text().split()[0])
    few = pages * resource.getpagesize() + SPARE_BYTES + threads * STACK_BYTES
    for _ in range(3):
        with ExitStack() as open_ones, limited(receiver, resource.RLIMIT_AS, few):
            for _ in range(ASSOCIATIONS):
                call(receiver, open_ones)
    receiver.serve_good_peer()
    wait_for(
        lambda: open_files(receiver) <= files_before, timeout_s=30, what="every descriptor back"
    )
