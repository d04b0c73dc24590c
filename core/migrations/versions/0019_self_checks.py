"""Our dose figures beside the planning system's own; what corrections mean for each dose."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Two tables; the worker fills the second. Doses that joined before did not keep their DVHs and are not compared."""
    op.create_table(
        "self_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("assembly", sa.String(length=64), nullable=False),
        sa.Column("dose_instance_id", sa.Integer(), nullable=False),
        sa.Column("structure_instance_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_self_check_case_id")),
        sa.ForeignKeyConstraint(
            ["dose_instance_id"], ["instance.id"], name=op.f("fk_self_check_dose_instance_id")
        ),
        sa.ForeignKeyConstraint(
            ["structure_instance_id"],
            ["instance.id"],
            name=op.f("fk_self_check_structure_instance_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_self_check")),
        sa.UniqueConstraint(
            "case_id",
            "dose_instance_id",
            "structure_instance_id",
            "assembly",
            "basis",
            name=op.f("uq_self_check"),
        ),
    )
    op.create_index(op.f("ix_self_check_case_id"), "self_check", ["case_id"])
    op.create_table(
        "difference",
        sa.Column("correction_id", sa.String(length=32), nullable=False),
        sa.Column("against", sa.String(length=16), nullable=False),
        sa.Column("against_id", sa.String(length=64), nullable=False),
        sa.Column("dose_instance_id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("contours", sa.JSON(), nullable=False),
        sa.Column("dose", sa.JSON(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["correction.id"], name=op.f("fk_difference_correction_id")
        ),
        sa.ForeignKeyConstraint(
            ["dose_instance_id"], ["instance.id"], name=op.f("fk_difference_dose_instance_id")
        ),
        sa.PrimaryKeyConstraint(
            "correction_id",
            "against",
            "against_id",
            "dose_instance_id",
            "edition",
            name=op.f("pk_difference"),
        ),
    )
