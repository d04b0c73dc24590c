"""What a prediction gave away about itself before anybody looked at it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Predictions made before have none."""
    with op.batch_alter_table('prediction', schema=None) as batch_op:
        batch_op.add_column(sa.Column('doubts', sa.JSON(), server_default='{}', nullable=False))
