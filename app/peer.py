"""A peer as people write it on a command line, and how we call it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.config import PeerSettings, TlsSettings, load_settings
from core.errors import ConfigError

_PEER = re.compile(r"(?P<ae>[^@]{1,16})@(?P<host>[^:@]+):(?P<port>\d{1,5})")
OUR_AE_TITLE = "RECONTOUR"


@dataclass(frozen=True, slots=True)
class Line:
    """A peer, and what we call it with."""

    peer: PeerSettings
    calling_ae_title: str
    tls: TlsSettings | None


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


def parse_line(text: str, config: Path, calling_ae_title: str | None) -> Line:
    """A peer written as AE@host:port, or the name of one in the configuration at `config`.

    Only the latter is called over TLS, where the configuration says so.
    """
    if "@" in text:
        return Line(parse_peer(text), calling_ae_title or OUR_AE_TITLE, None)
    settings = load_settings(config)
    ours = calling_ae_title or settings.dicom.ae_title
    return Line(settings.peer_named(text), ours, settings.dicom.tls)
