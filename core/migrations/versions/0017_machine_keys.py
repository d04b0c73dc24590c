"""Keys by which machines read the metrics."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "machine_key",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_machine_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_machine_key_digest")),
    )
