"""The first tables."""

import sqlalchemy as sa
from alembic import op

from core.tables import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of version 0.1."""
    op.create_table('account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(length=64), nullable=False),
    sa.Column('email', sa.String(length=255), nullable=False),
    sa.Column('password', sa.String(length=255), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('fs_uniquifier', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('email', name=op.f('uq_account_email')),
    sa.UniqueConstraint('fs_uniquifier', name=op.f('uq_account_fs_uniquifier')),
    sa.UniqueConstraint('username', name=op.f('uq_account_username'))
    )
    op.create_table('audit',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', UtcTime(), nullable=False),
    sa.Column('who', sa.String(length=64), nullable=False),
    sa.Column('event', sa.String(length=64), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=True),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit'))
    )
    op.create_table('case',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('series_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('study_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('frame_of_reference_uid', sa.String(length=64), nullable=True),
    sa.Column('patient_id', sa.String(length=256), nullable=False),
    sa.Column('patient_name', sa.String(length=400), nullable=False),
    sa.Column('patient_birth_date', sa.String(length=16), nullable=False),
    sa.Column('study_date', sa.String(length=16), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('assembly', sa.String(length=64), nullable=True),
    sa.Column('assembled_count', sa.Integer(), nullable=False),
    sa.Column('geometry', sa.JSON(), nullable=True),
    sa.Column('split', sa.String(length=16), nullable=True),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.Column('updated_at', UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_case')),
    sa.UniqueConstraint('series_instance_uid', name=op.f('uq_case_series_instance_uid'))
    )
    op.create_index(op.f('ix_case_frame_of_reference_uid'), 'case', ['frame_of_reference_uid'], unique=False)
    op.create_index(op.f('ix_case_patient_id'), 'case', ['patient_id'], unique=False)
    op.create_index(op.f('ix_case_state'), 'case', ['state'], unique=False)
    op.create_table('instance',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('sop_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('sop_class_uid', sa.String(length=64), nullable=False),
    sa.Column('study_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('series_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('modality', sa.String(length=16), nullable=False),
    sa.Column('frame_of_reference_uid', sa.String(length=64), nullable=True),
    sa.Column('header', sa.JSON(), nullable=False),
    sa.Column('path', sa.String(length=400), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('calling_ae_title', sa.String(length=16), nullable=False),
    sa.Column('received_at', UtcTime(), nullable=False),
    sa.Column('kept_aside', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instance')),
    sa.UniqueConstraint('path', name=op.f('uq_instance_path')),
    sa.UniqueConstraint('sop_instance_uid', 'sha256', name=op.f('uq_instance_sop_instance_uid_sha256'))
    )
    op.create_index(op.f('ix_instance_frame_of_reference_uid'), 'instance', ['frame_of_reference_uid'], unique=False)
    op.create_index('ix_instance_modality_kept_aside', 'instance', ['modality', 'kept_aside'], unique=False)
    op.create_index(op.f('ix_instance_series_instance_uid'), 'instance', ['series_instance_uid'], unique=False)
    op.create_index(op.f('ix_instance_sop_instance_uid'), 'instance', ['sop_instance_uid'], unique=False)
    op.create_index(op.f('ix_instance_study_instance_uid'), 'instance', ['study_instance_uid'], unique=False)
    op.create_table('model_version',
    sa.Column('version', sa.String(length=64), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('parent', sa.String(length=64), nullable=True),
    sa.Column('validation_dice', sa.Float(), nullable=False),
    sa.Column('scores', sa.JSON(), nullable=False),
    sa.Column('training_set', sa.JSON(), nullable=False),
    sa.Column('released_at', UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('version', name=op.f('pk_model_version'))
    )
    op.create_table('role',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('permissions', sa.String(length=255), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_role')),
    sa.UniqueConstraint('name', name=op.f('uq_role_name'))
    )
    op.create_table('training_round',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('corrections', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('steps', sa.Integer(), nullable=False),
    sa.Column('loss', sa.Float(), nullable=True),
    sa.Column('validation_dice', sa.Float(), nullable=True),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('version', sa.String(length=64), nullable=True),
    sa.Column('started_at', UtcTime(), nullable=False),
    sa.Column('finished_at', UtcTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_training_round'))
    )
    op.create_table('account_role',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('role_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_account_role_account_id')),
    sa.ForeignKeyConstraint(['role_id'], ['role.id'], name=op.f('fk_account_role_role_id')),
    sa.PrimaryKeyConstraint('account_id', 'role_id', name=op.f('pk_account_role'))
    )
    op.create_table('attachment',
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('instance_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('attached_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_attachment_case_id')),
    sa.ForeignKeyConstraint(['instance_id'], ['instance.id'], name=op.f('fk_attachment_instance_id')),
    sa.PrimaryKeyConstraint('case_id', 'instance_id', name=op.f('pk_attachment'))
    )
    op.create_table('dose_figure',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('source_id', sa.String(length=64), nullable=False),
    sa.Column('dose_instance_id', sa.Integer(), nullable=False),
    sa.Column('volume_cc', sa.Float(), nullable=False),
    sa.Column('mean_gy', sa.Float(), nullable=True),
    sa.Column('minimum_gy', sa.Float(), nullable=True),
    sa.Column('maximum_gy', sa.Float(), nullable=True),
    sa.Column('coverage', sa.Float(), nullable=False),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_dose_figure_case_id')),
    sa.ForeignKeyConstraint(['dose_instance_id'], ['instance.id'], name=op.f('fk_dose_figure_dose_instance_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dose_figure')),
    sa.UniqueConstraint('source', 'source_id', 'roi_name', 'dose_instance_id', name=op.f('uq_dose_figure_source_source_id_roi_name_dose_instance_id'))
    )
    op.create_index(op.f('ix_dose_figure_case_id'), 'dose_figure', ['case_id'], unique=False)
    op.create_table('interaction',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('made_by', sa.String(length=64), nullable=False),
    sa.Column('made_at', UtcTime(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_interaction_case_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_interaction'))
    )
    op.create_index(op.f('ix_interaction_case_id'), 'interaction', ['case_id'], unique=False)
    op.create_table('journal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('made_by', sa.String(length=64), nullable=False),
    sa.Column('received_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_journal_case_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_journal')),
    sa.UniqueConstraint('case_id', 'roi_name', 'seq', name=op.f('uq_journal_case_id_roi_name_seq'))
    )
    op.create_index(op.f('ix_journal_case_id'), 'journal', ['case_id'], unique=False)
    op.create_table('prediction',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('assembly', sa.String(length=64), nullable=False),
    sa.Column('model_version', sa.String(length=64), nullable=False),
    sa.Column('mask_digest', sa.String(length=64), nullable=False),
    sa.Column('expected_dice', sa.Float(), nullable=False),
    sa.Column('seconds', sa.Float(), nullable=False),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_prediction_case_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_prediction'))
    )
    op.create_index(op.f('ix_prediction_case_id'), 'prediction', ['case_id'], unique=False)
    op.create_table('review_lock',
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('holder', sa.String(length=64), nullable=False),
    sa.Column('tab', sa.String(length=64), nullable=False),
    sa.Column('expires_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_review_lock_case_id')),
    sa.PrimaryKeyConstraint('case_id', name=op.f('pk_review_lock'))
    )
    op.create_table('correction',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('assembly', sa.String(length=64), nullable=False),
    sa.Column('prediction_id', sa.String(length=32), nullable=True),
    sa.Column('approved_by', sa.String(length=64), nullable=False),
    sa.Column('approved_at', UtcTime(), nullable=False),
    sa.Column('mask_digest', sa.String(length=64), nullable=False),
    sa.Column('slices_seen', sa.JSON(), nullable=False),
    sa.Column('journal_seq', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_correction_case_id')),
    sa.ForeignKeyConstraint(['prediction_id'], ['prediction.id'], name=op.f('fk_correction_prediction_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_correction'))
    )
    op.create_index(op.f('ix_correction_case_id'), 'correction', ['case_id'], unique=False)
    op.create_table('review',
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('roi_name', sa.String(length=64), nullable=False),
    sa.Column('prediction_id', sa.String(length=32), nullable=True),
    sa.Column('opened_by', sa.String(length=64), nullable=False),
    sa.Column('opened_at', UtcTime(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_review_case_id')),
    sa.ForeignKeyConstraint(['prediction_id'], ['prediction.id'], name=op.f('fk_review_prediction_id')),
    sa.PrimaryKeyConstraint('case_id', 'roi_name', name=op.f('pk_review'))
    )
    op.create_table('delivery',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('case_id', sa.String(length=32), nullable=False),
    sa.Column('correction_id', sa.String(length=32), nullable=False),
    sa.Column('destination', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=False),
    sa.Column('sop_instance_uid', sa.String(length=64), nullable=True),
    sa.Column('created_at', UtcTime(), nullable=False),
    sa.Column('next_try_at', UtcTime(), nullable=False),
    sa.Column('sent_at', UtcTime(), nullable=True),
    sa.ForeignKeyConstraint(['case_id'], ['case.id'], name=op.f('fk_delivery_case_id')),
    sa.ForeignKeyConstraint(['correction_id'], ['correction.id'], name=op.f('fk_delivery_correction_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
    sa.UniqueConstraint('correction_id', 'destination', name=op.f('uq_delivery_correction_id_destination'))
    )
    op.create_index(op.f('ix_delivery_case_id'), 'delivery', ['case_id'], unique=False)
    op.create_index(op.f('ix_delivery_state'), 'delivery', ['state'], unique=False)
