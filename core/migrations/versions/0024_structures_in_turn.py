"""Several structures of a case are reviewed, one after the other."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Every case is at the first structure of its rule; of older deeds the structure is not known."""
    # Never a new table in place of the old one: on SQLite rows of others point at it.
    with op.batch_alter_table("case", schema=None, recreate="never") as batch_op:
        batch_op.add_column(sa.Column("under_review", sa.String(length=64), nullable=True))
    with op.batch_alter_table("interaction", schema=None, recreate="never") as batch_op:
        batch_op.add_column(
            sa.Column("roi_name", sa.String(length=64), nullable=False, server_default="")
        )
