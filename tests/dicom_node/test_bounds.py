"""Bounds on memory that would need gigabytes to be reached: here they are smaller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.network import messages
from tests.dicom_node.nodes import Node, associated, stored
from tests.support.raw_scu import ABORT, P_DATA, RawAssociation, RefusedError, pdu, pdv
from tests.support.raw_scu import store_command as store_command_set
from tests.support.synthetic_dicom import ct_series

CT = (str(CTImageStorage), str(ExplicitVRLittleEndian))
MEGABYTE = 1_000_000
FRAGMENT = pdu(P_DATA, pdv(1, bytes(100_000), command=False, last=False))
COMMAND = pdu(
    P_DATA,
    pdv(1, store_command_set(CTImageStorage.encode(), b"1.2.3"), command=True, last=True),
)


def fragments_taken(association: RawAssociation, *, at_most: int) -> int:
    """How many were sent before the association was ended."""
    for count in range(at_most):
        try:
            association.socket.sendall(FRAGMENT)
        except OSError:
            return count
    return at_most


def is_aborted(association: RawAssociation) -> bool:
    try:
        return association.receive()[0] == ABORT
    except (RefusedError, ConnectionError):
        return True


@pytest.fixture
def open_ones() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_data_set_without_end_ends_its_association(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "LARGEST_DATA_SET_BYTES", 5 * MEGABYTE)
    with RawAssociation(node.port, [CT]) as endless:
        endless.socket.sendall(COMMAND)
        fragments_taken(endless, at_most=2_000)
        assert is_aborted(endless)
    with associated(node) as association:
        assert stored(association, ct_series()[0]) == 0x0000
    assert len(node.files()) == 1


def test_a_data_set_of_the_permitted_size_is_taken(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "LARGEST_DATA_SET_BYTES", 600_000)
    with associated(node) as association:
        (ds,) = ct_series(shape=(1, 512, 512), hu=lambda x, _y, _z: 0 * x)
        assert stored(association, ds) == 0x0000


def test_all_data_sets_together_are_bounded_and_what_ends_is_given_back() -> None:
    budget = messages.Budget(limit=100)
    first, second = messages._DataSet(budget), messages._DataSet(budget)
    first.grow(memoryview(bytes(60)), limit=1000)
    with pytest.raises(messages._TooMuchError):
        second.grow(memoryview(bytes(60)), limit=1000)
    del first
    second.grow(memoryview(bytes(100)), limit=1000)


def test_senders_that_never_finish_leave_room_for_others(
    node: Node, monkeypatch: pytest.MonkeyPatch, open_ones: ExitStack
) -> None:
    """Three take all there is together; the one that asks for more is ended, not the good peer."""
    monkeypatch.setattr(messages.Budget, "take", _taking_at_most(5 * MEGABYTE))
    endless = [open_ones.enter_context(RawAssociation(node.port, [CT])) for _ in range(3)]
    for association in endless:
        association.socket.sendall(COMMAND)
        fragments_taken(association, at_most=200)
        assert is_aborted(association)
    with associated(node) as good:
        assert stored(good, ct_series()[0]) == 0x0000


def _taking_at_most(limit: int) -> object:
    original = messages.Budget.take

    def take(budget: messages.Budget, count: int) -> None:
        budget._limit = limit
        original(budget, count)

    return take
