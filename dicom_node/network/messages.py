"""Messages as they come in: P-DATA-TF PDUs put together within bounds (PS3.8 9.3.5, PS3.7 6.3).

pynetdicom decodes each PDU into objects and collects without bound; here fragments go from the
wire to where the message grows, and a message that grows beyond reason ends its association.
"""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.network.inbox import Received
from dicom_node.network.status import StoreStatus
from dicom_node.network.storing import (
    StoreCommand,
    file_beginning,
    read_store_command,
    store_answer,
)
from dicom_node.network.wire import Wire

log = structlog.get_logger()

# A PDU's length field goes up to 4 GiB; ours have at most 128 KiB.
LARGEST_PDU_BYTES = 1 << 20
LARGEST_COMMAND_BYTES = 1 << 16
LARGEST_IDENTIFIER_BYTES = 1 << 24
LARGEST_DATA_SET_BYTES = 1 << 30
# Data sets of all associations of a receiver that were not answered yet.
LARGEST_TOGETHER_BYTES = 2 << 30
# We negotiate that a peer waits for our answer before it asks again (PS3.7 D.3.3.3).
MOST_UNANSWERED = 16
LONGEST_WAIT_S = 0.02

_P_DATA_TF, _DATA_TRANSFER, _AWAITING_CLOSE = 4, "Sta6", "Sta13"
_CLOSED, _INVALID_PDU = "Evt17", "Evt19"  # PS3.8 Table 9-10
_COMMAND, _LAST = 1, 2  # message control header (PS3.8 Annex E.2)


# Keeps what came over an association; the status is what the peer is answered.
StoreHandler = Callable[[Association, Received], StoreStatus]


class _TooMuchError(Exception):
    """A peer sent more than we take."""


class Budget:
    """How many bytes of data sets a receiver holds in memory, over all its associations."""

    def __init__(self, limit: int = LARGEST_TOGETHER_BYTES) -> None:
        self._limit = limit
        self._held = 0
        # Bytes may be given back by the garbage collector, at any moment of any thread.
        self._lock = threading.RLock()

    def take(self, count: int) -> None:
        """Count bytes that were read; raises where they are too many."""
        with self._lock:
            if self._held + count > self._limit:
                raise _TooMuchError("all data sets together")
            self._held += count

    def give_back(self, count: int) -> None:
        """Bytes that nobody holds any more."""
        with self._lock:
            self._held -= count


class _DataSet(BytesIO):
    """The data set of one message; its bytes count until nobody holds it any more."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget
        self._counted = 0

    def grow(self, fragment: memoryview, *, limit: int) -> None:
        if self._counted + len(fragment) > limit:
            raise _TooMuchError("a data set")
        self._budget.take(len(fragment))
        self._counted += len(fragment)
        self.write(fragment)

    def __del__(self) -> None:
        self._budget.give_back(self._counted)


@dataclass(slots=True)
class _Store:
    """A C-STORE whose data set is coming."""

    command: StoreCommand
    context_id: int
    transfer_syntax: str
    data_set: _DataSet


class Messages:
    """Reads PDUs for an association in place of pynetdicom's own reading.

    A C-STORE is answered here, by `store`; every other message goes its way through pynetdicom.
    """

    def __init__(
        self,
        association: Association,
        wire: Wire,
        budget: Budget,
        store: StoreHandler,
    ) -> None:
        self._association = association
        self._answer_store = store
        self._command = bytearray()
        self._store: _Store | None = None
        self._dul, self._dimse = association.dul, association.dimse
        self._wire = wire
        self._budget = budget
        self._read_other_pdu = self._dul._read_pdu_data  # noqa: SLF001

    def take_over(self) -> None:
        """From here on the association reads by us."""
        self._dul._read_pdu_data = self.read  # type: ignore[method-assign]  # noqa: SLF001
        self._dimse.get_msg = self.next_message  # type: ignore[method-assign]

    def read(self) -> None:
        """Take PDUs from the wire until something else is to be done or none comes."""
        if self._dul.state_machine.current_state == _AWAITING_CLOSE:
            self._wire.close()  # we said our last word; who goes on talking is not listened to
            return
        self._read_one()
        # Each turn of pynetdicom's reactor gives the processor away; a message has many PDUs.
        while self._nothing_else_to_do() and self._wire.ready:
            self._dul._idle_timer.restart()  # noqa: SLF001
            self._read_one()

    def _nothing_else_to_do(self) -> bool:
        dul = self._dul
        waiting = dul.to_provider_queue.qsize() or dul.event_queue.qsize()
        return self._is_transferring() and not waiting and not dul._kill_thread  # noqa: SLF001

    def _read_one(self) -> None:
        try:
            pdu_type, _, length = struct.unpack(">BBL", self._wire.peek(6))
            if length > LARGEST_PDU_BYTES:
                self._refuse("a PDU")
            elif pdu_type == _P_DATA_TF and self._is_transferring():
                self._take_fragments(self._wire.peek(6 + length)[6:])
                self._wire.skip(6 + length)
            else:
                self._read_other_pdu()
        except OSError:
            self._dul.event_queue.put(_CLOSED)
        except _TooMuchError as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001 (pynetdicom's decoding raises what it likes)
            log.warning("pdu.unreadable", kind=type(error).__name__)
            self._dul.event_queue.put(_INVALID_PDU)

    def next_message(self, block: bool = False) -> Any:
        """(context, message), waited for a little instead of looking a thousand times a second."""
        timeout = self._association.dimse_timeout if block else LONGEST_WAIT_S
        try:
            return self._dimse.msg_queue.get(timeout=timeout)
        except queue.Empty:
            return None, None

    def forget(self) -> None:
        """Let go of what came of a message that will not be finished."""
        self._store = None
        self._dimse.message = None
        self._command.clear()

    def _is_transferring(self) -> bool:
        return self._dul.state_machine.current_state == _DATA_TRANSFER

    def _refuse(self, what: str) -> None:
        log.warning("association.aborted", reason=f"{what} is larger than we take")
        self.forget()
        self._dul.event_queue.put(_INVALID_PDU)

    def _take_fragments(self, pdu: memoryview) -> None:
        start = 0
        while start < len(pdu):
            length, context_id, control = struct.unpack_from(">LBB", pdu, start)
            end = start + 4 + length
            if length < 2 or end > len(pdu):
                raise ValueError("A PDV does not end within its PDU.")
            self._take_fragment(context_id, control, pdu[start + 6 : end])
            start = end

    def _take_fragment(self, context_id: int, control: int, fragment: memoryview) -> None:
        if control & _COMMAND:
            self._take_command(context_id, control, fragment)
        elif self._store is not None:
            self._take_stored(self._store, context_id, control, fragment)
        else:
            self._take_other(context_id, control, fragment)

    def _take_command(self, context_id: int, control: int, fragment: memoryview) -> None:
        if self._store is not None or self._dimse.message is not None:
            raise ValueError("A command comes before the data set of the one before it.")
        if len(self._command) + len(fragment) > LARGEST_COMMAND_BYTES:
            raise _TooMuchError("a command")
        self._command += fragment
        if not control & _LAST:
            return
        command_set = bytes(self._command)
        self._command.clear()
        command = read_store_command(command_set)
        context = self._association._accepted_cx.get(context_id)  # noqa: SLF001
        if command and context and command.sop_class_uid == context.abstract_syntax:
            syntax = str(context.transfer_syntax[0])
            self._store = _Store(command, context_id, syntax, _DataSet(self._budget))
            return
        if self._dimse.msg_queue.qsize() >= MOST_UNANSWERED:
            raise _TooMuchError("what was asked without waiting for an answer")
        self._dimse.message = DIMSEMessage()
        self._dimse.message.data_set = _DataSet(self._budget)
        self._pass_on(context_id, bytes((control,)) + command_set)

    def _take_stored(
        self, store: _Store, context_id: int, control: int, fragment: memoryview
    ) -> None:
        if context_id != store.context_id:
            raise ValueError("A data set comes in another context than its command.")
        store.data_set.grow(fragment, limit=LARGEST_DATA_SET_BYTES)
        if not control & _LAST:
            return
        self._store = None
        evt.trigger(self._association, evt.EVT_DIMSE_RECV, {"message": None})
        caller = self._association.requestor.ae_title
        beginning = file_beginning(store.command, store.transfer_syntax, caller)
        with store.data_set.getbuffer() as data_set:
            part10 = b"".join((beginning, data_set))
        received = Received(
            part10=part10,
            sop_class_uid=store.command.sop_class_uid,
            sop_instance_uid=store.command.sop_instance_uid,
            calling_ae_title=caller,
        )
        status = self._answer_store(self._association, received)
        self._wire.send(store_answer(store.command, status, context_id=context_id))

    def _take_other(self, context_id: int, control: int, fragment: memoryview) -> None:
        message = self._dimse.message
        if message is None or message.context_id != context_id:
            raise ValueError("A data set comes without its command.")
        message.data_set.grow(fragment, limit=LARGEST_IDENTIFIER_BYTES)  # type: ignore[union-attr]
        if control & _LAST:
            self._pass_on(context_id, bytes((control,)))

    def _pass_on(self, context_id: int, pdv: bytes) -> None:
        primitive = P_DATA()
        primitive.presentation_data_value_list = [[context_id, pdv]]  # type: ignore[list-item]
        self._dimse.receive_primitive(primitive)
