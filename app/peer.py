"""A peer as people write it on a command line."""

from __future__ import annotations

import re

from core.config import PeerSettings
from core.errors import ConfigError

_PEER = re.compile(r"(?P<ae>[^@]{1,16})@(?P<host>[^:@]+):(?P<port>\d{1,5})")


def parse_peer(text: str) -> PeerSettings:
    """The peer written as AE@host:port."""
    found = _PEER.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ConfigError(f"A peer is written AE@host:port, like TPS@10.0.0.5:104; found {text!r}.")
    return PeerSettings(
        name=found["ae"],
        ae_title=found["ae"],
        host=found["host"],
        port=int(found["port"]),
    )
