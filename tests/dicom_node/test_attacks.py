"""What a hostile or broken peer may send: each is bounded, and a good peer is served meanwhile.

The receiver runs as its own process, so that its memory, threads and sockets can be counted.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from app.clinic import wait_for
from dicom_node.network.door import (
    LARGEST_REQUEST_BYTES,
    MOST_WAITING,
    MOST_WAITING_PER_ADDRESS,
)
from dicom_node.network.messages import LARGEST_COMMAND_BYTES
from tests.support.raw_scu import (
    ABORT,
    P_DATA,
    RawAssociation,
    RefusedError,
    associate_request,
    pdu,
    pdv,
    store_command,
)
from tests.support.receiver import ATTACKER, Receiver, running_receiver
from tests.support.synthetic_dicom import ct_series, encoded

CT = (str(CTImageStorage), str(ExplicitVRLittleEndian))
PRIVATE = "1.2.826.0.1.3680043.8.498.99"
MOST_GROWTH_MB = 40
MOST_THREADS = 60
# Long before the network timeout of `receiver`, however busy the machine is.
AT_ONCE_S = 5
# After the network timeout of `impatient`, and before any other end there could be.
IN_TIME_S = 12


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """It waits so long for a peer that what ends in a test was ended on purpose."""
    with running_receiver(tmp_path_factory.mktemp("receiver"), network_timeout_s=30) as running:
        running.serve_good_peer()  # what is loaded on first use is loaded
        yield running


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """It waits 4 s for a peer: a good one is served meanwhile, on a busy machine too."""
    with running_receiver(tmp_path_factory.mktemp("impatient"), network_timeout_s=4) as running:
        running.serve_good_peer()
        yield running


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does: the memory does not grow, and threads and sockets are given back."""
    name = "impatient" if "impatient" in request.fixturenames else "receiver"
    receiver: Receiver = request.getfixturevalue(name)
    receiver.serve_good_peer()
    before_mb = receiver.resident_mb()
    threads, sockets = receiver.threads(), receiver.sockets()
    yield
    receiver.serve_good_peer()
    assert receiver.resident_mb() - before_mb < MOST_GROWTH_MB
    wait_for(
        lambda: receiver.threads() <= threads and receiver.sockets() <= sockets,
        timeout_s=60,
        what="threads and sockets to be given back",
    )


@contextmanager
def connected(receiver: Receiver, *, address: str = ATTACKER) -> Iterator[socket.socket]:
    with socket.create_connection(
        ("127.0.0.1", receiver.port), timeout=60, source_address=(address, 0)
    ) as attacker:
        yield attacker


def ended_after_s(attacker: socket.socket) -> float:
    """How long until the other end hung up."""
    started = time.monotonic()
    try:
        while attacker.recv(65536):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - started


def sent_until_refused(send: Callable[[], None], *, at_most: int) -> int:
    for count in range(at_most):
        try:
            send()
        except OSError:
            return count
    return at_most


# --- before an association


def test_a_pdu_that_claims_two_gigabytes_is_not_read(receiver: Receiver) -> None:
    with connected(receiver) as attacker:
        attacker.sendall(struct.pack(">BBL", 1, 0, 0x7FFFFFFF))
        mb = sent_until_refused(lambda: attacker.sendall(bytes(1_000_000)), at_most=200)
    assert mb < 200


def test_a_request_longer_than_any_real_one_is_not_read(receiver: Receiver) -> None:
    with connected(receiver) as attacker:
        attacker.sendall(struct.pack(">BBL", 1, 0, LARGEST_REQUEST_BYTES + 1))
        assert ended_after_s(attacker) < AT_ONCE_S


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_hung_up_on(seed: int, receiver: Receiver) -> None:
    with connected(receiver) as attacker:
        noise = random.Random(seed).randbytes(100_000)
        sent_until_refused(lambda: attacker.sendall(noise), at_most=10)
        assert ended_after_s(attacker) < AT_ONCE_S


@pytest.mark.parametrize("start", [b"", b"\x01", struct.pack(">BBL", 1, 0, 200) + b"\0\1"])
def test_silence_before_the_request_is_whole_ends_the_connection(
    start: bytes, impatient: Receiver
) -> None:
    with connected(impatient) as silent:
        silent.sendall(start)
        impatient.serve_good_peer()
        assert ended_after_s(silent) < IN_TIME_S


def test_a_request_that_drips_in_byte_by_byte_ends_in_time(impatient: Receiver) -> None:
    request = associate_request({1: CT})
    started = time.monotonic()
    with connected(impatient) as slow:
        dripping = iter(request)

        def drip() -> None:
            slow.sendall(bytes([next(dripping)]))
            time.sleep(0.1)

        sent_until_refused(drip, at_most=len(request))
    assert time.monotonic() - started < IN_TIME_S


def test_idle_connections_take_few_sockets_no_threads_and_nobody_elses_place(
    receiver: Receiver,
) -> None:
    threads, sockets = receiver.threads(), receiver.sockets()
    with ExitStack() as open_ones:
        for _ in range(150):
            open_ones.enter_context(connected(receiver))
        # One more is there while another is made to go for it.
        assert receiver.sockets() - sockets <= MOST_WAITING_PER_ADDRESS + 1
        few = lambda: receiver.sockets() - sockets <= MOST_WAITING_PER_ADDRESS  # noqa: E731
        wait_for(few, timeout_s=AT_ONCE_S, what="the last to be made to go")
        assert receiver.threads() <= threads
        receiver.serve_good_peer()
        receiver.serve_good_peer(address=ATTACKER)  # even from the same address


def test_idle_connections_from_many_addresses_are_bounded_too(receiver: Receiver) -> None:
    sockets = receiver.sockets()
    with ExitStack() as open_ones:
        for n in range(200):
            open_ones.enter_context(connected(receiver, address=f"127.0.1.{n + 1}"))
        assert receiver.sockets() - sockets <= MOST_WAITING + 1
        receiver.serve_good_peer()


def test_connecting_and_leaving_again_and_again_costs_nothing(receiver: Receiver) -> None:
    for _ in range(200):
        with connected(receiver):
            pass
    assert receiver.threads() < MOST_THREADS


def test_a_stranger_and_a_wrong_called_title_are_rejected_with_the_reason(
    receiver: Receiver,
) -> None:
    for request, reason in (
        (associate_request({1: CT}, calling="STRANGER"), 3),
        (associate_request({1: CT}, called="SOMEBODY"), 7),
    ):
        with connected(receiver) as attacker:
            attacker.sendall(request)
            # A-ASSOCIATE-RJ, permanent, by the service user (PS3.8 Table 9-21).
            assert attacker.recv(100) == struct.pack(">BBLBBBB", 3, 0, 4, 0, 1, 1, reason)
            assert attacker.recv(100) == b""


def test_more_contexts_than_there_can_be_are_survived(impatient: Receiver) -> None:
    contexts = dict.fromkeys(range(256), CT)  # twice as many, and even numbers among them
    with connected(impatient) as attacker:
        attacker.sendall(associate_request(contexts))
        impatient.serve_good_peer()
        assert ended_after_s(attacker) < IN_TIME_S


# --- within an association


def test_a_storm_of_associations_that_are_aborted_leaves_nothing(receiver: Receiver) -> None:
    for _ in range(40):
        with RawAssociation(receiver.port, [CT]) as attacker:
            attacker.socket.sendall(pdu(ABORT, bytes(4)))
    assert receiver.threads() < MOST_THREADS


def test_more_associations_than_permitted_are_rejected_and_others_still_let_in(
    receiver: Receiver,
) -> None:
    permitted = receiver.settings.dicom.maximum_associations_per_address
    with ExitStack() as open_ones:
        for _ in range(permitted):
            open_ones.enter_context(RawAssociation(receiver.port, [CT]))
        with pytest.raises(RefusedError, match="PDU type 3"):
            RawAssociation(receiver.port, [CT])
        receiver.serve_good_peer(address=ATTACKER)


def test_half_a_message_and_then_silence_ends_the_association(impatient: Receiver) -> None:
    with RawAssociation(impatient.port, [CT]) as silent:
        silent.socket.sendall(struct.pack(">BBL", P_DATA, 0, 100_000) + bytes(10_000))
        impatient.serve_good_peer()
        assert ended_after_s(silent.socket) < IN_TIME_S


def test_a_message_that_drips_in_byte_by_byte_ends_in_time(impatient: Receiver) -> None:
    started = time.monotonic()
    with RawAssociation(impatient.port, [CT]) as slow:
        slow.socket.sendall(struct.pack(">BBL", P_DATA, 0, 1000))

        def drip() -> None:
            slow.socket.sendall(b"\0")
            time.sleep(0.1)

        sent_until_refused(drip, at_most=1000)
    assert time.monotonic() - started < IN_TIME_S


def test_a_huge_pdu_within_an_association_is_not_read(receiver: Receiver) -> None:
    with RawAssociation(receiver.port, [CT]) as attacker:
        attacker.socket.sendall(struct.pack(">BBL", P_DATA, 0, 0x7FFFFFFF))
        send = lambda: attacker.socket.sendall(bytes(1_000_000))  # noqa: E731
        assert sent_until_refused(send, at_most=200) < 200


def test_a_command_without_end_is_aborted(receiver: Receiver) -> None:
    fragment = pdu(P_DATA, pdv(1, bytes(10_000), command=True, last=False))
    with RawAssociation(receiver.port, [CT]) as attacker:
        sent = sent_until_refused(lambda: attacker.socket.sendall(fragment), at_most=5_000)
        assert ended_after_s(attacker.socket) < AT_ONCE_S
    assert sent * 10_000 < 100 * LARGEST_COMMAND_BYTES


@pytest.mark.parametrize(
    "message",
    [
        pdv(1, b"nothing", command=False, last=True),
        pdv(1, b"no command set at all", command=True, last=True),
        pdv(7, store_command(CTImageStorage.encode(), b"1.2.3"), command=True, last=True)
        + pdv(7, b"in no context", command=False, last=True),
        pdv(1, b"x" * 50, command=True, last=True)[:-20],
        struct.pack(">LBB", 0, 1, 3),
        struct.pack(">LBB", 1, 1, 3),
        struct.pack(">LBB", 0xFFFFFFFF, 1, 3),
        pdv(1, store_command(CTImageStorage.encode(), b"1.2.3"), command=True, last=True) * 2,
        pdv(1, store_command(CTImageStorage.encode(), b"1.2.3"), command=True, last=True)
        + pdv(3, b"in another context", command=False, last=True),
    ],
    ids=[
        "a data set without a command",
        "noise as a command",
        "a context that was not negotiated",
        "a fragment that ends after its PDU",
        "a fragment of no length",
        "a fragment without a control header",
        "a fragment of four gigabytes",
        "two commands without the data set between",
        "a data set in another context",
    ],
)
def test_what_is_no_message_ends_the_association(message: bytes, receiver: Receiver) -> None:
    with RawAssociation(receiver.port, [CT]) as attacker:
        attacker.socket.sendall(pdu(P_DATA, message))
        assert ended_after_s(attacker.socket) < AT_ONCE_S


def test_questions_without_waiting_for_answers_end_the_association(receiver: Receiver) -> None:
    """Each with a data set that does not fit, and nobody reads what is answered."""
    question = b"".join(
        pdu(P_DATA, part)
        for part in (
            pdv(1, store_command(PRIVATE.encode(), b"1.2.3"), command=True, last=True),
            pdv(1, bytes(10_000), command=False, last=True),
        )
    )
    with RawAssociation(receiver.port, [CT]) as attacker:
        sent_until_refused(lambda: attacker.socket.sendall(question), at_most=20_000)
        receiver.serve_good_peer()


def test_deflated_and_private_objects_are_not_negotiated(receiver: Receiver) -> None:
    deflated = (str(CTImageStorage), str(DeflatedExplicitVRLittleEndian))
    private = (PRIVATE, str(ExplicitVRLittleEndian))
    with RawAssociation(receiver.port, [deflated, private, CT]) as attacker:
        assert set(attacker.ids) == {CT}


# --- in a data set


def _status_of(receiver: Receiver, data_set: bytes, *, uid: str) -> int:
    with RawAssociation(receiver.port, [CT]) as attacker:
        command = store_command(CTImageStorage.encode(), uid.encode())
        attacker.send_message(attacker.ids[CT], command, data_set)
        status = attacker.status()
        attacker.release()
    return status


def _data_set(part10: bytes) -> bytes:
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def test_sequences_nested_two_hundred_deep_do_no_harm(receiver: Receiver) -> None:
    ds = ct_series()[0]
    plain = _data_set(encoded(ds))
    # Referenced Frame of Reference Sequence, one of the few that are read on arrival.
    opened = b"\x06\x30\x10\x00SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    before = plain.index(b"\xe0\x7f\x10\x00")
    sent = plain[:before] + opened * 200 + closed * 200 + plain[before:]
    assert _status_of(receiver, sent, uid=str(ds.SOPInstanceUID)) in {0x0000, 0xC000}


@pytest.mark.parametrize("tag", [b"\x08\x00\x30\x10", b"\x10\x00\x10\x00"], ids=["study", "name"])
def test_an_element_that_claims_more_than_there_is_is_refused(
    tag: bytes, receiver: Receiver
) -> None:
    ds = ct_series()[0]
    ds.StudyDescription = "planning"
    plain = _data_set(encoded(ds))
    at = plain.index(tag) + 4
    lie = plain[:at] + b"UT\0\0\xf0\xff\xff\xff" + plain[at + 4 :]
    assert _status_of(receiver, lie, uid=str(ds.SOPInstanceUID)) == 0xC000


def test_a_data_set_cut_short_is_refused(receiver: Receiver) -> None:
    ds = ct_series()[0]
    cut = _data_set(encoded(ds))[:-100]
    assert _status_of(receiver, cut, uid=str(ds.SOPInstanceUID)) == 0xC000


@pytest.mark.parametrize("uid", ["../../../../evil", "/etc/evil", "1.2/3", "..", "1" * 64])
def test_a_command_that_names_another_object_or_a_path_writes_nothing(
    uid: str, receiver: Receiver
) -> None:
    before = _files(receiver)
    status = _status_of(receiver, _data_set(encoded(ct_series()[0])), uid=uid)
    assert status in {0xA900, 0xC000}
    assert _files(receiver) == before


def _files(receiver: Receiver) -> set[Path]:
    return set((receiver.settings.data_folder / "instances").rglob("*.dcm"))
