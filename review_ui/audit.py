"""Who did what, when, on which case: for administrators to read and to take away as a table."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import Response, render_template, request
from flask_security import current_user

from core.audit_store import AuditEntry, AuditQuestion
from review_ui.context import desk
from review_ui.reports import table

blueprint = APIBlueprint("audit", __name__, url_prefix="/audit", enable_openapi=False)

COLUMNS = ("at", "who", "event", "case_id", "detail")
FILTERS = ("who", "event", "case", "since", "until")


@blueprint.get("/")
def page() -> str:
    """One page of the audit, the newest first: `?who=`, `event=`, `case=`, `since=`, `until=`."""
    store = desk().store
    found = store.audit.page(_asked_for(), page=request.args.get("page", 1, type=int))
    who, events = store.audit.names()
    return render_template(
        "audit.html",
        rows=[_described(entry) for entry in found.rows],
        found=found,
        asked={name: request.args.get(name, "") for name in FILTERS},
        who=who,
        events={event: event_in_words(event) for event in events},
    )


@blueprint.get("/audit.csv")
def as_csv() -> Response:
    """What is asked for as a table, also written down in the audit."""
    room = desk()
    entries = room.store.audit.all(_asked_for())
    room.store.audit.downloaded(who=current_user.username, rows=len(entries), now=room.now())
    return table(
        "audit.csv",
        COLUMNS,
        [
            {
                "at": entry.at.isoformat(),
                "who": entry.who,
                "event": entry.event,
                "case_id": entry.case_id,
                "detail": json.dumps(entry.detail, sort_keys=True),
            }
            for entry in entries
        ],
    )


def event_in_words(event: str) -> str:
    """A word of the audit as it is read: case.taken_over is "case taken over"."""
    return event.replace(".", " ").replace("_", " ")


def _described(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "who": entry.who,
        "what": event_in_words(entry.event),
        "case_id": entry.case_id,
        "detail": [(name.replace("_", " "), _value(v)) for name, v in entry.detail.items()],
    }


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def _asked_for() -> AuditQuestion:
    """What the address asks for; a day that is none is as if it were not there."""
    args = request.args
    until = _day(args.get("until", ""))
    return AuditQuestion(
        who=args.get("who", ""),
        event=args.get("event", ""),
        case_id=args.get("case", "").strip(),
        since=_day(args.get("since", "")),
        until=None if until is None else until + timedelta(days=1),
    )


def _day(text: str) -> datetime | None:
    """Midnight (UTC) at the beginning of a day written YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # Within what a database can compare, with a day to spare.
    if not 1900 <= day.year <= 9000:
        return None
    return datetime.combine(day, time(), UTC)
