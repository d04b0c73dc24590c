"""Logins that were ended by logging out are kept until they would have ended by themselves."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "ended_session",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ended_session")),
    )
