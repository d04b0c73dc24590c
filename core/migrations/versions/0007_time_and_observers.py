"""In which arm a case is contoured, on which arm time was spent, and second observers."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """What was there before was contoured with its prediction."""
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.add_column(_arm())
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.add_column(_arm())
        batch_op.create_index("ix_interaction_made_by", ["made_by", "made_at"])
    op.create_table(
        "observation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("roi_name", sa.String(length=64), nullable=False),
        sa.Column("assembly", sa.String(length=64), nullable=False),
        sa.Column("observer", sa.String(length=64), nullable=False),
        sa.Column("assigned_by", sa.String(length=64), nullable=False),
        sa.Column("assigned_at", UtcTime(), nullable=False),
        sa.Column("tab", sa.String(length=64), nullable=False),
        sa.Column("signed_at", UtcTime(), nullable=True),
        sa.Column("mask_digest", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_observation_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint("case_id", "observer", name=op.f("uq_observation_case_id_observer")),
    )
    op.create_index(op.f("ix_observation_case_id"), "observation", ["case_id"])
    op.create_index(op.f("ix_observation_observer"), "observation", ["observer"])
    op.create_table(
        "observation_entry",
        sa.Column("observation_id", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"],
            ["observation.id"],
            name=op.f("fk_observation_entry_observation_id"),
        ),
        sa.PrimaryKeyConstraint("observation_id", "seq", name=op.f("pk_observation_entry")),
    )


def _arm() -> sa.Column[str]:
    return sa.Column("arm", sa.String(length=16), nullable=False, server_default="assisted")
