"""Versions of models: which is in service, which is pinned, which runs in shadow.

A change by a person is audited with what was before and after.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.errors import ModelUnavailableError
from core.model_tables import model_state, model_version
from core.records import RELEASED, WAITS, WITHDRAWN, ModelState, ModelVersion

SHORTEST_PREFIX = 6


class ModelStore:
    """Rows about model versions of all structures."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def state(self, roi_name: str) -> ModelState:
        """What is in service for a structure, pinned and in shadow."""
        with reading(self._engine) as connection:
            return fetch_state(connection, roi_name)

    def tip(self, roi_name: str) -> ModelVersion | None:
        """What the trainer goes on from: the newest version that waits, else the one in service."""
        with reading(self._engine) as connection:
            version = tip_version(connection, roi_name)
            return None if version is None else _fetch(connection, version)

    def find(self, prefix: str) -> ModelVersion:
        """The version that begins with `prefix`, 6 digits or more.

        Raises `ModelUnavailableError` where there is none, or more than one.
        """
        digits = prefix.strip().lower()
        if not SHORTEST_PREFIX <= len(digits) <= 64 or not set(digits) <= set("0123456789abcdef"):
            raise ModelUnavailableError(
                f"{prefix[:80]!r} names no model version: give at least {SHORTEST_PREFIX} of its "
                "64 hexadecimal digits, as `recontour models list` shows them."
            )
        query = sa.select(model_version).where(model_version.c.version.startswith(digits)).limit(2)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        if len(rows) != 1:
            found = "There is no" if not rows else "There is more than one"
            raise ModelUnavailableError(
                f"{found} model version {digits}; `recontour models list` shows them all."
            )
        return to_version(rows[0])

    def pin(self, version: str, *, who: str, now: datetime) -> None:
        """Keep the version in service whatever is learned; raises where it is not in service."""
        with writing(self._engine) as connection:
            found = _fetch(connection, version)
            state = fetch_state(connection, found.roi_name)
            if state.in_service != version:
                raise ModelUnavailableError(
                    f"Version {version[:12]} is not in service, so it cannot be pinned. Roll back "
                    "to it first."
                )
            _change(connection, state, replace(state, pinned=True), "model.pinned", who, now)

    def unpin(self, version: str, *, who: str, now: datetime) -> ModelState:
        """Let versions replace the pinned one again; the newest that waits goes into service."""
        with writing(self._engine) as connection:
            found = _fetch(connection, version)
            state = fetch_state(connection, found.roi_name)
            if not state.pinned or state.in_service != version:
                raise ModelUnavailableError(f"Version {version[:12]} is not pinned.")
            waiting = _waiting(connection, found.roi_name)
            after = replace(state, pinned=False, in_service=waiting or version)
            _change(connection, state, after, "model.unpinned", who, now)
            of_roi = model_version.c.roi_name == found.roi_name
            _set_status(connection, of_roi & (model_version.c.status == WAITS), RELEASED)
            return after

    def roll_back(self, version: str, *, who: str, now: datetime) -> ModelState:
        """Put `version` into service; what is newer than it is withdrawn.

        What was withdrawn never goes into service again by itself. A pin stays, on `version`.
        """
        with writing(self._engine) as connection:
            found = _fetch(connection, version)
            state = fetch_state(connection, found.roi_name)
            after = replace(state, in_service=version, changed_by_hand_at=now)
            _change(connection, state, after, "model.rolled_back", who, now)
            of_roi = model_version.c.roi_name == found.roi_name
            newer = model_version.c.released_at > found.released_at
            _set_status(connection, of_roi & (model_version.c.status == WAITS), RELEASED)
            _set_status(connection, of_roi & newer, WITHDRAWN)
            _set_status(connection, model_version.c.version == version, RELEASED)
            return after

    def run_in_shadow(self, version: str, *, who: str, now: datetime) -> None:
        """Let `version` predict new cases beside the one in service, unseen."""
        with writing(self._engine) as connection:
            found = _fetch(connection, version)
            state = fetch_state(connection, found.roi_name)
            if state.in_service == version:
                raise ModelUnavailableError(
                    f"Version {version[:12]} is in service; only another one can run in shadow."
                )
            after = replace(state, shadow=version, shadow_since=now)
            _change(connection, state, after, "model.shadow_started", who, now)

    def end_shadow(self, version: str, *, who: str, now: datetime) -> None:
        """Let `version` predict no longer in shadow; its figures stay."""
        with writing(self._engine) as connection:
            state = fetch_state(connection, _fetch(connection, version).roi_name)
            if state.shadow != version:
                raise ModelUnavailableError(f"Version {version[:12]} does not run in shadow.")
            after = replace(state, shadow=None, shadow_since=None)
            _change(connection, state, after, "model.shadow_ended", who, now)


def add_passed(
    connection: sa.Connection, made: ModelVersion, parent: str | None
) -> tuple[str, str]:
    """Add a version that passed the gate, in a transaction; its status, and why it waits.

    `parent` is what it was judged against. WITHDRAWN means: not added, and the sentence says why.
    """
    state = fetch_state(connection, made.roi_name)
    known = connection.scalar(
        sa.select(model_version.c.status).where(model_version.c.version == made.version)
    )
    if known == WITHDRAWN:
        return WITHDRAWN, (
            f"version {made.version[:12]} was rolled back before, and only a person can put it "
            "into service again"
        )
    if parent != tip_version(connection, made.roi_name):
        return WITHDRAWN, "the version in service was changed while it was learned"
    status = WAITS if state.pinned else RELEASED
    if known is None:
        values: dict[str, Any] = {n: getattr(made, n) for n in model_version.c.keys()}  # noqa: SIM118
        values |= {"training_set": list(made.training_set), "status": status}
        connection.execute(sa.insert(model_version).values(**values))
    if state.pinned:
        return WAITS, f"waits: version {str(state.in_service)[:12]} is pinned"
    _write(connection, replace(state, in_service=made.version))
    return RELEASED, ""


def fetch_state(connection: sa.Connection, roi_name: str) -> ModelState:
    """The state of a structure inside a transaction."""
    query = sa.select(model_state).where(model_state.c.roi_name == roi_name)
    row = connection.execute(query).mappings().first()
    return ModelState(roi_name) if row is None else ModelState(**row)


def tip_version(connection: sa.Connection, roi_name: str) -> str | None:
    """What the trainer goes on from, inside a transaction."""
    return _waiting(connection, roi_name) or fetch_state(connection, roi_name).in_service


def to_version(row: sa.RowMapping) -> ModelVersion:
    """A row as the record."""
    return ModelVersion(**{**row, "training_set": tuple(row["training_set"])})


def _waiting(connection: sa.Connection, roi_name: str) -> str | None:
    return connection.scalar(
        sa.select(model_version.c.version)
        .where(model_version.c.roi_name == roi_name, model_version.c.status == WAITS)
        .order_by(model_version.c.released_at.desc(), model_version.c.version.desc())
        .limit(1)
    )


def _fetch(connection: sa.Connection, version: str) -> ModelVersion:
    query = sa.select(model_version).where(model_version.c.version == version)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise ModelUnavailableError(
            f"There is no model version {version[:12]}; the Models page shows them all."
        )
    return to_version(row)


def _change(
    connection: sa.Connection,
    before: ModelState,
    after: ModelState,
    event: str,
    who: str,
    now: datetime,
) -> None:
    _write(connection, after)
    told = ("in_service", "pinned", "shadow")
    audit.record(
        connection,
        who=who,
        event=event,
        now=now,
        roi_name=after.roi_name,
        before={name: getattr(before, name) for name in told},
        after={name: getattr(after, name) for name in told},
    )


def _write(connection: sa.Connection, state: ModelState) -> None:
    connection.execute(sa.delete(model_state).where(model_state.c.roi_name == state.roi_name))
    connection.execute(sa.insert(model_state).values(**asdict(state)))


def _set_status(connection: sa.Connection, which: sa.ColumnElement[bool], status: str) -> None:
    connection.execute(sa.update(model_version).where(which).values(status=status))
