"""Routing and findings of a case, commitment, quarantine, returning structure sets."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what a node needs that a TPS can trust."""
    op.create_table('commitment_owed',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('transaction_uid', sa.String(length=64), nullable=False),
    sa.Column('calling_ae_title', sa.String(length=16), nullable=False),
    sa.Column('objects', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=False),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.Column('next_try_at', UtcTime(), nullable=False),
    sa.Column('reported_at', UtcTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_commitment_owed')),
    sa.UniqueConstraint('calling_ae_title', 'transaction_uid', name=op.f('uq_commitment_owed_calling_ae_title_transaction_uid'))
    )
    with op.batch_alter_table('commitment_owed', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_commitment_owed_state'), ['state'], unique=False)
    op.create_table('quarantine',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('path', sa.String(length=400), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('calling_ae_title', sa.String(length=16), nullable=False),
    sa.Column('instance_id', sa.Integer(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('quarantined_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['instance_id'], ['instance.id'], name=op.f('fk_quarantine_instance_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quarantine')),
    sa.UniqueConstraint('sha256', name=op.f('uq_quarantine_sha256'))
    )
    op.create_table('returned',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('instance_id', sa.Integer(), nullable=False),
    sa.Column('matched_by', sa.String(length=16), nullable=False),
    sa.Column('compared_with', sa.String(length=32), nullable=False),
    sa.Column('dice', sa.Float(), nullable=False),
    sa.Column('sent_cc', sa.Float(), nullable=False),
    sa.Column('returned_cc', sa.Float(), nullable=False),
    sa.Column('added_path_length_mm', sa.Float(), nullable=False),
    sa.Column('became', sa.String(length=32), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['became'], ['correction.id'], name=op.f('fk_returned_became')),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_returned_case_id')),
    sa.ForeignKeyConstraint(['compared_with'], ['correction.id'], name=op.f('fk_returned_compared_with')),
    sa.ForeignKeyConstraint(['instance_id'], ['instance.id'], name=op.f('fk_returned_instance_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_returned')),
    sa.UniqueConstraint('instance_id', 'roi_name', name=op.f('uq_returned_instance_id_roi_name'))
    )
    with op.batch_alter_table('returned', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_returned_case_id'), ['case_id'], unique=False)
    op.create_table('commitment_asked',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('delivery_id', sa.String(length=32), nullable=False),
    sa.Column('transaction_uid', sa.String(length=64), nullable=False),
    sa.Column('destination', sa.String(length=64), nullable=False),
    sa.Column('objects', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=False),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.Column('next_try_at', UtcTime(), nullable=False),
    sa.Column('answered_at', UtcTime(), nullable=True),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_commitment_asked_delivery_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_commitment_asked')),
    sa.UniqueConstraint('delivery_id', name=op.f('uq_commitment_asked_delivery_id')),
    sa.UniqueConstraint('transaction_uid', name=op.f('uq_commitment_asked_transaction_uid'))
    )
    with op.batch_alter_table('commitment_asked', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_commitment_asked_state'), ['state'], unique=False)
    with op.batch_alter_table('attachment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('detail', sa.JSON(), nullable=True))
    with op.batch_alter_table('case', schema=None) as batch_op:
        batch_op.add_column(sa.Column('findings', sa.JSON(), server_default='[]', nullable=False))
        batch_op.add_column(sa.Column('routing', sa.JSON(), nullable=True))
    with op.batch_alter_table('correction', schema=None) as batch_op:
        batch_op.add_column(sa.Column('origin', sa.String(length=16), server_default='review', nullable=False))
