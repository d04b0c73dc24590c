"""What corrections changed of their predictions."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A table; the worker fills it for what was approved before."""
    op.create_table(
        "change",
        sa.Column("correction_id", sa.String(length=32), nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dice", sa.Float(), nullable=False),
        sa.Column("surface_dice_2mm", sa.Float(), nullable=False),
        sa.Column("surface_dice_3mm", sa.Float(), nullable=False),
        sa.Column("hausdorff_95_mm", sa.Float(), nullable=True),
        sa.Column("mean_surface_mm", sa.Float(), nullable=True),
        sa.Column("added_path_length_mm", sa.Float(), nullable=False),
        sa.Column("predicted_cc", sa.Float(), nullable=False),
        sa.Column("added_cc", sa.Float(), nullable=False),
        sa.Column("removed_cc", sa.Float(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["correction.id"], name=op.f("fk_change_correction_id")
        ),
        sa.PrimaryKeyConstraint("correction_id", "edition", name=op.f("pk_change")),
    )
