"""The second factor of an account."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """No account has one yet."""
    # Never a new table in place of the old one: on SQLite the rows of account_role point at it.
    with op.batch_alter_table("account", schema=None, recreate="never") as batch_op:
        batch_op.add_column(sa.Column("tf_primary_method", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("tf_totp_secret", sa.String(length=512), nullable=True))
        batch_op.add_column(sa.Column("tf_last_step", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("mf_recovery_codes", sa.JSON(), nullable=True))
