"""A cohort's figures of an approval are kept for each structure set that they were held against."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """What was measured stays; the next structure set adds a row."""
    select = (
        "SELECT correction_id, reference_id, volume_cc, predicted_dice, corrected_dice "
        "FROM approved_figure"
    )
    measured = op.get_bind().execute(sa.text(select)).mappings().all()
    op.drop_table("approved_figure")
    table = op.create_table(
        "approved_figure",
        sa.Column("correction_id", sa.String(length=32), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("volume_cc", sa.Float(), nullable=False),
        sa.Column("predicted_dice", sa.Float(), nullable=True),
        sa.Column("corrected_dice", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["correction.id"], name=op.f("fk_approved_figure_correction_id")
        ),
        sa.PrimaryKeyConstraint("correction_id", "reference_id", name=op.f("pk_approved_figure")),
    )
    op.bulk_insert(table, [dict(row) for row in measured])
