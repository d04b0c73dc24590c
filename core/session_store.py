"""Logins that were ended before their time: whoever kept a copy of the cookie has nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from core.database import reading, writing
from core.people_tables import ended_session


class SessionStore:
    """Ids of logins that somebody ended by logging out."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def end(self, session_id: str, *, now: datetime, lifetime: timedelta) -> None:
        """End this login for good; those that have ended by themselves are forgotten."""
        with writing(self._engine) as connection:
            old = (ended_session.c.ended_at < now - lifetime) | (ended_session.c.id == session_id)
            connection.execute(sa.delete(ended_session).where(old))
            connection.execute(sa.insert(ended_session).values(id=session_id, ended_at=now))

    def is_over(self, session_id: str) -> bool:
        """Whether this login was ended."""
        query = sa.select(ended_session.c.id).where(ended_session.c.id == session_id)
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None
