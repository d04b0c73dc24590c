"""Who has looked at a case is kept."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0015"
down_revision = "0010"


def upgrade() -> None:
    """One table. Of looks before, those that left a trace in other tables count as ever."""
    op.create_table(
        "case_look",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("first_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_look_case_id")),
        sa.PrimaryKeyConstraint("case_id", "who", name=op.f("pk_case_look")),
    )
