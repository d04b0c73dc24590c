"""What everybody should see once the disk's reserve is reached."""

from __future__ import annotations

from core.config import Settings
from core.files import disk_alarm


def storage_alarm(settings: Settings) -> str:
    """Why no new objects are taken and nothing is learned; empty while there is room."""
    said = disk_alarm(settings.data_folder, reserve_mb=settings.disk_reserve_mb)
    return f"The disk is nearly full: no objects are taken, nothing is learned. {said}" * bool(said)
