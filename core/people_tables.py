"""Tables about who was logged in and has looked, and whom the node tells what (see core.tables)."""

from __future__ import annotations

import sqlalchemy as sa

from core.tables import Digest, UtcTime, key_column, metadata

# Logins that were ended by logging out; each is in one browser's cookie.
ended_session = sa.Table(
    "ended_session",
    metadata,
    key_column(),
    sa.Column("ended_at", UtcTime, nullable=False),
)

# Whom something of a case was shown: they cannot observe it independently any more.
case_look = sa.Table(
    "case_look",
    metadata,
    sa.Column("case_id", sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("who", sa.String(64), primary_key=True),
    sa.Column("first_at", UtcTime, nullable=False),
)

# By which a machine, not a person, reads the metrics; the key itself is kept nowhere.
machine_key = sa.Table(
    "machine_key",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("digest", Digest, nullable=False, unique=True),
    sa.Column("made_at", UtcTime, nullable=False),
)

# How far the audit was sent to each log elsewhere, up to and with which row.
audit_export = sa.Table(
    "audit_export",
    metadata,
    sa.Column("destination", sa.String(300), primary_key=True),
    sa.Column("sent_id", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try_at", UtcTime, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
)

# Whose cases an account sees besides those that everybody sees (core.group_store).
account_group = sa.Table(
    "account_group",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
)

# Something that is wrong with the node, from when to when (core.alert_store).
alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("subject", sa.String(120), nullable=False, index=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("began_at", UtcTime, nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
)

# That it began and that it ended is told once each, on each channel.
alert_notice = sa.Table(
    "alert_notice",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("alert_id", sa.ForeignKey("alert.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try_at", UtcTime, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("sent_at", UtcTime),
    sa.UniqueConstraint("alert_id", "kind", "channel"),
)
