"""Whose a case is, when a delivery began to leave, and four roles instead of two."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """What was queued before has no hold; who was a reviewer is a physician."""
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.add_column(sa.Column("assigned_to", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("expected_impact_gy", sa.Float(), nullable=True))
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("begun_at", UtcTime(), nullable=True))
    op.execute("UPDATE role SET name = 'physician' WHERE name = 'reviewer'")
