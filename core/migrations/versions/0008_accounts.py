"""What an account keeps besides name and password: how it is welcomed, its name, its keys."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Who has an account already chose the password and knows the page."""
    # Never a new table in place of the old one: on SQLite the rows of account_role point at it.
    with op.batch_alter_table("account", schema=None, recreate="never") as batch_op:
        for name, kind, before in (
            ("display_name", sa.String(length=64), ""),
            ("one_time_password", sa.Boolean(), sa.false()),
            ("welcomed", sa.Boolean(), sa.true()),
            ("own_keys", sa.JSON(), "{}"),
        ):
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default=before))
        batch_op.add_column(sa.Column("last_login_at", UtcTime(), nullable=True))
