"""The DICOM conformance statement (PS3.2), printed from the tables the network code runs on.

The prose is in conformance_template.md beside this file; whatever the code knows is put in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from string import Template

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.tag import Tag
from pydicom.uid import UID

from core.config import DicomSettings, Settings
from core.own_certificate import CIPHERS_OF_TLS_1_2
from dicom_node.implementation import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MANUFACTURER,
)
from dicom_node.network import door, messages
from dicom_node.network.association import TIMEOUT_S
from dicom_node.network.commitment import MOST_REFERENCES
from dicom_node.network.conformance_words import (
    COMMIT_WORDS,
    QUERY_WORDS,
    REASON_WORDS,
    STORE_WORDS,
    services,
)
from dicom_node.network.contexts import (
    PLAIN_SYNTAXES,
    SERVICES,
    STORED,
    TRANSFER_SYNTAXES,
    VERIFICATION,
)
from dicom_node.network.query import KEYS, MOST_KEYS
from dicom_node.network.services import MOST_MATCHES, WORKER_REPORTS_AFTER_S
from dicom_node.network.status import CommitStatus, FailureReason, QueryStatus, StoreStatus

_TEMPLATE = Path(__file__).with_name("conformance_template.md")
_PDU_BYTES_AS_SCU = 16382

Row = Sequence[str]


def network_statement(settings: Settings) -> str:
    """The statement as Markdown, up to the tables of what objects hold, which follow after it."""
    dicom = settings.dicom
    # Every placeholder must be filled: one without a table is an error, not a gap.
    return Template(_TEMPLATE.read_text()).substitute(
        manufacturer=MANUFACTURER,
        overview=_overview(),
        sop_classes=_sop_classes(),
        policies=_policies(dicom),
        limits=_limits(),
        proposed=_proposed(),
        accepted=_accepted(),
        syntaxes=table(("transfer syntax", "UID"), [(s.name, str(s)) for s in TRANSFER_SYNTAXES]),
        store_statuses=_statuses("response", StoreStatus, STORE_WORDS),
        keys=table(("level", "attribute", "tag"), _keys()),
        most_matches=MOST_MATCHES,
        most_keys=MOST_KEYS,
        query_statuses=_statuses("response", QueryStatus, QUERY_WORDS),
        most_references=MOST_REFERENCES,
        report_after_s=f"{WORKER_REPORTS_AFTER_S:.0f}",
        commit_statuses=_statuses("response", CommitStatus, COMMIT_WORDS),
        failure_reasons=_statuses("Failure Reason (0008,1197)", FailureReason, REASON_WORDS),
        interfaces=_interfaces(dicom),
        tls="on" if dicom.tls.enabled else "off",
        ciphers=CIPHERS_OF_TLS_1_2,
    )


def table(headings: Row, rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(headings)} |", f"|{'|'.join('---' for _ in headings)}|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _overview() -> str:
    rows = [(s.name, s.sop_class_uid.name, s.as_scu, s.as_scp) for s in services()]
    return table(("service", "SOP class", "SCU", "SCP"), rows)


def _sop_classes() -> str:
    rows = [(s.sop_class_uid.name, str(s.sop_class_uid), f"`{s.right}`") for s in services()]
    return table(("SOP class", "UID", "right a caller needs"), rows)


def _policies(dicom: DicomSettings) -> str:
    at_once = (
        f"{dicom.maximum_associations} in each of {dicom.receivers} receivers, "
        f"{dicom.maximum_associations_per_address} from one address"
    )
    waits = f"{TIMEOUT_S:.0f} s"
    rows = [
        ("application context", *["1.2.840.10008.3.1.1.1"] * 2),
        ("called AE title", f"`{dicom.ae_title}`", "the peer's"),
        ("calling AE title", "that of one of `peers`", f"`{dicom.ae_title}`"),
        ("associations at once", at_once, "one for each delivery, report or retrieval"),
        ("outstanding operations", "1 (no asynchronous operations window)", "1"),
        ("largest PDU we ask for", f"{dicom.maximum_pdu_size} bytes", f"{_PDU_BYTES_AS_SCU} bytes"),
        ("time-out for the association request", f"{door.LONGEST_REQUEST_S:.0f} s", waits),
        ("time-out for messages and the network", f"{dicom.network_timeout_s:.0f} s", waits),
        ("Implementation Class UID", *[str(IMPLEMENTATION_CLASS_UID)] * 2),
        ("Implementation Version Name", *[IMPLEMENTATION_VERSION_NAME] * 2),
    ]
    return table(("", "as SCP", "as SCU"), rows)


def _limits() -> str:
    waiting = f"{door.MOST_WAITING}, of one address {door.MOST_WAITING_PER_ADDRESS}"
    rows = [
        ("association request", _bytes(door.LARGEST_REQUEST_BYTES)),
        ("connections that have not asked yet", f"{waiting}; who waits longest goes"),
        ("PDU", _bytes(messages.LARGEST_PDU_BYTES)),
        ("command set", _bytes(messages.LARGEST_COMMAND_BYTES)),
        ("identifier, information of an action", _bytes(messages.LARGEST_IDENTIFIER_BYTES)),
        ("data set of a C-STORE", _bytes(messages.LARGEST_DATA_SET_BYTES)),
        ("data sets in a receiver's memory", _bytes(messages.LARGEST_TOGETHER_BYTES)),
    ]
    return table(("limit", "value"), rows)


def _proposed() -> str:
    plain = _names(PLAIN_SYNTAXES)
    rows = [
        ("verify", "Verification", plain, "SCU"),
        (
            "deliver, retrieve",
            "the SOP class of each object",
            f"that of the object; in a context of its own {plain}",
            "SCU",
        ),
        ("ask for commitment", "Storage Commitment Push Model", plain, "SCU"),
        ("fetch", "Study Root Query/Retrieve: FIND, then MOVE or GET", plain, "SCU"),
        (
            "fetch, with C-GET",
            "each storage class of table 4.4-1",
            "each of table 4.4-2",
            "SCP, by role selection",
        ),
        ("commit", "Storage Commitment Push Model", plain, "SCP, by role selection"),
    ]
    return table(("activity", "abstract syntax", "transfer syntaxes", "role"), rows)


def _accepted() -> str:
    roles = "SCP; SCU by role selection"
    rows = [(VERIFICATION.name, str(VERIFICATION), _names(PLAIN_SYNTAXES), "SCP")]
    rows += [(u.name, str(u), "every one of table 4.4-2", roles) for u in STORED]
    rows += [(u.name, str(u), _names(PLAIN_SYNTAXES), roles) for u in SERVICES]
    return table(("abstract syntax", "UID", "transfer syntaxes", "role"), rows)


def _keys() -> Iterable[Row]:
    for keyword, key in KEYS.items():
        number = tag_for_keyword(keyword)
        assert number is not None  # a keyword of ours
        tag = Tag(number)
        shown = f"({tag.group:04X},{tag.element:04X})"
        yield key.level.value, dictionary_description(number), shown


def _interfaces(dicom: DicomSettings) -> str:
    secure = str(dicom.tls.port) if dicom.tls.enabled else "closed"
    rows = [("plain", f"`{dicom.host}`", str(dicom.port)), ("TLS", f"`{dicom.host}`", secure)]
    return table(("transport", "address", "port"), rows)


def _statuses(heading: str, statuses: type[IntEnum], words: Mapping[IntEnum, str]) -> str:
    rows = [(s.name, f"0x{s:04X}", words[s]) for s in statuses]
    return table((heading, "code", "when"), rows)


def _names(syntaxes: Sequence[UID]) -> str:
    return ", ".join(syntax.name for syntax in syntaxes)


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"
