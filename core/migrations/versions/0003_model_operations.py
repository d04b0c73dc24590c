"""Which version is in service, checks of corrections, shadow predictions, figures of verdicts."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what looking after models needs; the newest model of each structure is in service."""
    with op.batch_alter_table('model_version', schema=None) as batch_op:
        batch_op.add_column(sa.Column('status', sa.String(length=16), server_default='released', nullable=False))
        batch_op.add_column(sa.Column('detail', sa.JSON(), server_default='{}', nullable=False))
    with op.batch_alter_table('training_round', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('figures', sa.JSON(), server_default='{}', nullable=False))
    op.create_table('model_state',
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('in_service', sa.String(length=64), nullable=True),
    sa.Column('pinned', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('shadow', sa.String(length=64), nullable=True),
    sa.Column('shadow_since', UtcTime(), nullable=True),
    sa.Column('changed_by_hand_at', UtcTime(), nullable=True),
    sa.ForeignKeyConstraint(['in_service'], ['model_version.version'], name=op.f('fk_model_state_in_service')),
    sa.ForeignKeyConstraint(['shadow'], ['model_version.version'], name=op.f('fk_model_state_shadow')),
    sa.PrimaryKeyConstraint('roi_name', name=op.f('pk_model_state'))
    )
    op.create_table('correction_check',
    sa.Column('correction_id', sa.String(length=32), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('suspicious', sa.Boolean(), nullable=False),
    sa.Column('suspicions', sa.JSON(), nullable=False),
    sa.Column('figures', sa.JSON(), nullable=False),
    sa.Column('checked_at', UtcTime(), nullable=False),
    sa.Column('decision', sa.String(length=16), nullable=True),
    sa.Column('decided_by', sa.String(length=64), nullable=True),
    sa.Column('decided_at', UtcTime(), nullable=True),
    sa.Column('why', sa.Text(), server_default='', nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_correction_check_case_id')),
    sa.ForeignKeyConstraint(['correction_id'], ['correction.id'], name=op.f('fk_correction_check_correction_id')),
    sa.PrimaryKeyConstraint('correction_id', name=op.f('pk_correction_check'))
    )
    op.create_index(op.f('ix_correction_check_case_id'), 'correction_check', ['case_id'], unique=False)
    op.create_table('shadow_prediction',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('assembly', sa.String(length=64), nullable=False),
    sa.Column('model_version', sa.String(length=64), nullable=False),
    sa.Column('mask_digest', sa.String(length=64), nullable=True),
    sa.Column('expected_dice', sa.Float(), nullable=True),
    sa.Column('seconds', sa.Float(), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.Column('measured_against', sa.String(length=120), server_default='', nullable=False),
    sa.Column('figures', sa.JSON(), server_default='{}', nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_shadow_prediction_case_id')),
    sa.ForeignKeyConstraint(['model_version'], ['model_version.version'], name=op.f('fk_shadow_prediction_model_version')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_shadow_prediction'))
    )
    op.create_index(op.f('ix_shadow_prediction_case_id'), 'shadow_prediction', ['case_id'], unique=False)
    op.create_index(op.f('ix_shadow_prediction_model_version'), 'shadow_prediction', ['model_version'], unique=False)
    op.execute(
        'INSERT INTO model_state (roi_name, in_service) '
        'SELECT m.roi_name, m.version FROM model_version m WHERE NOT EXISTS ('
        'SELECT 1 FROM model_version n WHERE n.roi_name = m.roi_name AND (n.released_at > m.released_at '
        'OR (n.released_at = m.released_at AND n.version > m.version)))'
    )
