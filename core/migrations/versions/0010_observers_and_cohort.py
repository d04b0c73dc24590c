"""An observation can be withdrawn; a cohort's figures are measured once."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing was withdrawn before; the worker measures what was approved before."""
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("withdrawn_at", UtcTime(), nullable=True))
    op.create_table(
        "approved_figure",
        sa.Column("correction_id", sa.String(length=32), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("volume_cc", sa.Float(), nullable=False),
        sa.Column("predicted_dice", sa.Float(), nullable=True),
        sa.Column("corrected_dice", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["correction.id"], name=op.f("fk_approved_figure_correction_id")
        ),
        sa.PrimaryKeyConstraint("correction_id", name=op.f("pk_approved_figure")),
    )
