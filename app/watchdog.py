"""What systemd wants to hear of a service of Type=notify: that it is ready, lives, and ends."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


class Watchdog:
    """Speaks to systemd's socket where there is one (sd_notify), else to nobody."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        # A name that begins with @ is an abstract one.
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        # Twice as often as it must be.
        self._every_s = int(environment.get("WATCHDOG_USEC", "0")) / 2e6
        self._told = 0.0

    def ready(self) -> None:
        """All processes were started."""
        self._tell("READY=1")

    def lives(self) -> None:
        """Call it often: it is told as often as systemd asks for."""
        now = time.monotonic()
        if self._every_s and now - self._told >= self._every_s:
            self._told = now
            self._tell("WATCHDOG=1")

    def ends(self) -> None:
        """What runs is being finished."""
        self._tell("STOPPING=1")

    def _tell(self, what: str) -> None:
        if self._address:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.sendto(what.encode(), self._address)
