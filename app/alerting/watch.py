"""Looks what is wrong, and has it told: once when it begins and once when it is over."""

from __future__ import annotations

import http.client
import smtplib
import time
from datetime import timedelta

import structlog

from app.alerting.channels import Message, channels_of, tell
from app.alerting.conditions import standing
from app.jobs import pause_after
from app.room import Room
from core.alert_store import RECOVERY, Notice
from core.config import Settings
from core.errors import ConfigError

log = structlog.get_logger()

LOOK_EVERY_S = 30.0
LONGEST_PAUSE_S = 300.0


class Watch:
    """Looks every now and then, however often it is asked to."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._looked_at = -LOOK_EVERY_S

    def look(self) -> None:
        """Keep what is wrong in the store, where the time for a look has come."""
        if time.monotonic() < self._looked_at + LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        room = self._room
        channels = channels_of(room.settings)
        room.store.alerts.note(standing(room), channels=channels, now=room.now())

    def due(self) -> list[Notice]:
        """What is to be told now."""
        channels = channels_of(self._room.settings)
        return self._room.store.alerts.due(channels, now=self._room.now()) if channels else []


def tell_notice(room: Room, notice_id: int) -> str:
    """Tell one notice; the store says what came of it, and when the next try is."""
    notice = room.store.alerts.waiting(notice_id)
    if notice is None:
        return "told before"
    about = notice.alert
    message = Message(
        id=f"alert-{about.id}-{notice.kind}",
        kind=notice.kind,
        subject=about.subject,
        words=about.words,
        began_at=about.began_at,
        ended_at=about.ended_at if notice.kind == RECOVERY else None,
    )
    if why := why_not_told(room.settings, notice.channel, message):
        pause = timedelta(seconds=pause_after(notice.attempts + 1, longest_s=LONGEST_PAUSE_S))
        room.store.alerts.failed(notice, error=why, next_try_at=room.now() + pause)
        log.warning("alert.not_told", channel=notice.channel, tries=notice.attempts + 1, why=why)
        return "failed"
    room.store.alerts.sent(notice_id, now=room.now())
    return "told"


def why_not_told(settings: Settings, channel: str, message: Message) -> str:
    """Empty once it was told, else a sentence; never what the other side said, but its number."""
    alerts = settings.alerts
    where = {"mail": alerts.mail.host, "webhook": "the webhook's server"}[channel]
    try:
        tell(settings, channel, message)
    except ConfigError as error:
        return str(error)
    except smtplib.SMTPResponseException as error:
        return f"{where} does not take it ({type(error).__name__} {error.smtp_code})."
    except (OSError, ValueError) as error:  # whose words may quote an address with its secret
        return f"{where} does not take it ({type(error).__name__})."
    except http.client.HTTPException as error:
        ours = type(error) is http.client.HTTPException
        said = str(error) if ours else type(error).__name__
        return f"{where} does not take it ({said})."
    return ""
