"""Whether the node can tell somebody that something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from app.alerting.channels import Message, channels_of
from app.alerting.watch import why_not_told
from app.checks.finding import Finding, fail, ok
from core.config import Settings

_MEND = "Correct alerts in config.yaml, or its secret; try again with --test-alert."


def alerts(settings: Settings, *, test: bool) -> Iterator[Finding]:
    """Which channels there are; with `test` each is sent a message that says it is one."""
    channels = channels_of(settings)
    if not channels:
        yield ok("alerts", "off: nobody is told when something is wrong")
    elif not test:
        yield ok("alerts", f"by {' and '.join(channels)}; --test-alert tries it")
    for channel in channels if test else []:
        yield _tried(settings, channel)


def _tried(settings: Settings, channel: str) -> Finding:
    now = datetime.now(UTC)
    words = "This is a test. Nothing is wrong; what is sent here would arrive."
    message = Message(f"alert-test-{now:%Y%m%d%H%M%S}", "test", "alerts", words, now)
    if why := why_not_told(settings, channel, message):
        return fail(f"alerts: {channel}", why, _MEND)
    return ok(f"alerts: {channel}", "a test was sent and taken")
