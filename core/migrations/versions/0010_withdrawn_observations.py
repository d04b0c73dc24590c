"""An observation can be withdrawn."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing was withdrawn before."""
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("withdrawn_at", UtcTime(), nullable=True))
