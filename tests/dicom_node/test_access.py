from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from core.config import PeerSettings
from core.store import Store
from dicom_node.network.access import Access
from dicom_node.network.contexts import VERIFICATION
from dicom_node.network.inbox import Inbox
from tests.dicom_node.nodes import NOTES_REJECTION, Node, listening_node, stored
from tests.support.settings import peer_values, settings_for
from tests.support.synthetic_dicom import ct_series


def peer(ae_title: str = "TPS", **changes: Any) -> PeerSettings:
    return PeerSettings(**peer_values(ae_title, **changes))


def test_a_listed_peer_may_call_from_anywhere_where_no_address_is_named() -> None:
    access = Access([peer()])
    assert access.is_known("TPS", "10.1.2.3")
    assert access.is_known("TPS", "2001:db8::1")
    assert not access.is_known("TPS2", "10.1.2.3")
    assert not access.is_known("tps", "10.1.2.3")


def test_spaces_around_an_ae_title_say_nothing() -> None:
    access = Access([peer("TPS ")])
    assert access.is_known(" TPS  ", "10.1.2.3")


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("10.1.0.7", True),
        ("10.2.0.7", False),
        ("192.168.0.5", True),
        ("192.168.0.6", False),
        ("::ffff:10.1.0.7", True),
        ("::1", False),
        ("fe80::1%eth0", True),
    ],
)
def test_a_peer_with_addresses_may_call_from_these_alone(address: str, known: bool) -> None:
    access = Access([peer(addresses=["10.1.0.0/24", "192.168.0.5", "fe80::/10"])])
    assert access.is_known("TPS", address) is known


def test_peers_of_one_ae_title_are_told_apart_by_address() -> None:
    access = Access(
        [
            peer(name="reader", rights=["query"], addresses=["10.1.0.0/24"]),
            peer(name="sender", rights=["store"], addresses=["10.2.0.0/24"]),
        ]
    )
    assert access.may("TPS", "10.1.0.1", "query")
    assert not access.may("TPS", "10.1.0.1", "store")
    assert access.may("TPS", "10.2.0.1", "store")
    assert not access.may("TPS", "10.3.0.1", "store")


def listening(
    folder: Path, store: Store, inbox: Inbox, peers: Sequence[dict[str, Any]]
) -> AbstractContextManager[Node]:
    return listening_node(settings_for(folder, dicom={"port": 0}, peers=list(peers)), store, inbox)


def called_from(node: Node, address: str) -> Association:
    ae = AE("TPS")
    contexts = [build_context(CTImageStorage), build_context(VERIFICATION)]
    return ae.associate(
        "127.0.0.1",
        node.port,
        contexts=contexts,
        ae_title="RECONTOUR",
        bind_address=(address, 0),
        evt_handlers=[NOTES_REJECTION],
    )


def test_a_call_from_an_address_that_is_not_listed_is_rejected(
    tmp_path: Path, store: Store, inbox: Inbox
) -> None:
    with listening(tmp_path, store, inbox, [peer_values(addresses=["127.0.0.2"])]) as node:
        assert called_from(node, "127.0.0.1").is_rejected
        association = called_from(node, "127.0.0.2")
        assert association.is_established
        association.release()


def test_without_the_right_to_store_nothing_is_kept_and_0124_is_answered(
    tmp_path: Path, store: Store, inbox: Inbox
) -> None:
    with listening(tmp_path, store, inbox, [peer_values(rights=["echo"])]) as node:
        association = called_from(node, "127.0.0.1")
        assert stored(association, ct_series()[0]) == 0x0124
        assert association.send_c_echo().Status == 0x0000
        association.release()
        assert node.files() == []


def test_without_the_right_to_echo_0122_is_answered(
    tmp_path: Path, store: Store, inbox: Inbox
) -> None:
    with listening(tmp_path, store, inbox, [peer_values(rights=["store"])]) as node:
        association = called_from(node, "127.0.0.1")
        assert association.send_c_echo().Status == 0x0122
        assert stored(association, ct_series()[0]) == 0x0000
        association.release()
