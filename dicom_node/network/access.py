"""Who may associate, and ask what: the peers of config.yaml, by AE title and address."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pynetdicom import evt

from core.config import PeerSettings, Right


class Access:
    """What the listed peers are permitted.

    Several peers may share an AE title and differ by address. An AE title is told, not proved:
    with TLS the caller has shown a certificate, without it only `addresses` stands behind it.
    """

    def __init__(self, peers: Sequence[PeerSettings]) -> None:
        self._peers = tuple(peers)

    def is_known(self, ae_title: str, address: str) -> bool:
        """Whether any peer has this AE title and may call from this address."""
        return bool(self._named(ae_title, address))

    def may(self, ae_title: str, address: str, right: Right) -> bool:
        """Whether such a peer has the right."""
        return any(right in peer.rights for peer in self._named(ae_title, address))

    def caller_may(self, event: evt.Event, right: Right) -> bool:
        """Whether who opened the association of `event` has the right."""
        caller = event.assoc.requestor
        return self.may(caller.ae_title, caller.address, right)

    def _named(self, ae_title: str, address: str) -> list[PeerSettings]:
        caller = _ip(address)
        return [
            peer
            for peer in self._peers
            if peer.ae_title.strip() == ae_title.strip()
            and (not peer.addresses or any(caller in network for network in peer.addresses))
        ]


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(address.partition("%")[0])
    # An IPv4 caller of an IPv6 socket.
    return getattr(found, "ipv4_mapped", None) or found
