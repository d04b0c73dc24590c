"""How far the audit was sent to a log elsewhere."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """One table, empty: nothing was sent."""
    op.create_table(
        "audit_export",
        sa.Column("destination", sa.String(length=300), nullable=False),
        sa.Column("sent_id", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcTime(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_audit_export")),
    )
