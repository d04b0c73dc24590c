"""Each row of the audit carries a digest of itself and of the row before."""

import hashlib
import json
from datetime import UTC

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """What was written before is chained as it stands."""
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("chain", sa.String(length=64), nullable=False, server_default="")
        )
    audit = sa.table(
        "audit",
        sa.column("id", sa.Integer),
        sa.column("at", UtcTime),
        sa.column("who", sa.String),
        sa.column("event", sa.String),
        sa.column("case_id", sa.String),
        sa.column("detail", sa.JSON),
        sa.column("chain", sa.String),
    )
    connection = op.get_bind()
    before = ""
    for row in connection.execute(sa.select(audit).order_by(audit.c.id)).all():
        at = row.at.astimezone(UTC).isoformat()
        values = [before, at, row.who, row.event, row.case_id, row.detail]
        before = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        connection.execute(sa.update(audit).where(audit.c.id == row.id).values(chain=before))
