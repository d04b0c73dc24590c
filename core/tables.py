"""The tables behind the store (SQLAlchemy Core; SQLite and PostgreSQL alike).

Every change here needs a migration in core/migrations/versions.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)

Uid = sa.String(64)
Key = sa.String(32)
Digest = sa.String(64)


class UtcTime(sa.TypeDecorator[datetime]):
    """A point in time, kept as UTC; comes back aware."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Aware time to naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Naive UTC to aware time."""
        return None if value is None else value.replace(tzinfo=UTC)


def key_column() -> sa.Column[str]:
    """An id of ours as primary key."""
    return sa.Column("id", Key, primary_key=True)


def case_column() -> sa.Column[str]:
    """The case a row hangs on."""
    return sa.Column("case_id", sa.ForeignKey("case.id"), nullable=False, index=True)


def roi_column() -> sa.Column[str]:
    """The structure a row is about."""
    return sa.Column("roi_name", sa.String(64), nullable=False)


instance = sa.Table(
    "instance",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sop_instance_uid", Uid, nullable=False, index=True),
    sa.Column("sop_class_uid", Uid, nullable=False),
    sa.Column("study_instance_uid", Uid, nullable=False, index=True),
    sa.Column("series_instance_uid", Uid, nullable=False, index=True),
    sa.Column("modality", sa.String(16), nullable=False),
    sa.Column("frame_of_reference_uid", Uid, index=True),
    sa.Column("header", sa.JSON, nullable=False),
    sa.Column("path", sa.String(400), nullable=False, unique=True),
    sa.Column("sha256", Digest, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("calling_ae_title", sa.String(16), nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    # Another object with a SOP Instance UID that was already taken: kept, flagged, never used.
    sa.Column("kept_aside", sa.Boolean, nullable=False),
    sa.UniqueConstraint("sop_instance_uid", "sha256"),
    sa.Index("ix_instance_modality_kept_aside", "modality", "kept_aside"),
)

case = sa.Table(
    "case",
    metadata,
    key_column(),
    sa.Column("series_instance_uid", Uid, nullable=False, unique=True),
    sa.Column("study_instance_uid", Uid, nullable=False),
    sa.Column("frame_of_reference_uid", Uid, index=True),
    sa.Column("patient_id", sa.String(256), nullable=False, index=True),
    sa.Column("patient_name", sa.String(400), nullable=False),
    sa.Column("patient_birth_date", sa.String(16), nullable=False),
    sa.Column("study_date", sa.String(16), nullable=False),
    sa.Column("description", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("assembly", Digest),
    sa.Column("assembled_count", sa.Integer, nullable=False),
    sa.Column("geometry", sa.JSON),
    sa.Column("split", sa.String(16)),
    # What was noticed about the series, a list of sentences; what the rules decided for it.
    sa.Column("findings", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("routing", sa.JSON),
    # Which structure of the rule is reviewed now; none: the first.
    sa.Column("under_review", sa.String(64)),
    # Whose the case is: who it was passed on to, or who asked to go on with another's.
    sa.Column("assigned_to", sa.String(64)),
    # assisted: with what is proposed; manual: from scratch, to measure a baseline.
    sa.Column("arm", sa.String(16), nullable=False, server_default="assisted"),
    # How far the mean dose of what is proposed may be off, in Gy: what a correction may change.
    sa.Column("expected_impact_gy", sa.Float),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)

# What joined a case by its frame of reference: doses, structure sets, plans.
attachment = sa.Table(
    "attachment",
    metadata,
    sa.Column("case_id", sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("instance_id", sa.ForeignKey("instance.id"), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    # What a dose is the dose of (core.plans.DoseOrigin) with the DVHs it brings
    # (core.tps_dvh.TpsDvhs), what a plan says (core.plans.Plan), or what was
    # noticed about a structure set (findings).
    sa.Column("detail", sa.JSON),
    sa.Column("attached_at", UtcTime, nullable=False),
)

prediction = sa.Table(
    "prediction",
    metadata,
    key_column(),
    case_column(),
    roi_column(),
    sa.Column("assembly", Digest, nullable=False),
    sa.Column("model_version", Digest, nullable=False),
    sa.Column("mask_digest", Digest, nullable=False),
    sa.Column("expected_dice", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    # What it gave away about itself (see app.doubting).
    sa.Column("doubts", sa.JSON, nullable=False, server_default="{}"),
)

# Every step of a review as the browser made it: strokes, undo, redo. Append-only.
journal = sa.Table(
    "journal",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    case_column(),
    roi_column(),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("made_by", sa.String(64), nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.UniqueConstraint("case_id", "roi_name", "seq"),
)

interaction = sa.Table(
    "interaction",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    case_column(),
    sa.Column("made_by", sa.String(64), nullable=False),
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    # The structure that was contoured; empty before this was kept.
    sa.Column("roi_name", sa.String(64), nullable=False, server_default=""),
    # Of the case when it was done, or observer (see core.records).
    sa.Column("arm", sa.String(16), nullable=False, server_default="assisted"),
    sa.Index("ix_interaction_made_by", "made_by", "made_at"),
)

# A second observer of a case, whose contour is kept apart: neither delivered nor learned from.
observation = sa.Table(
    "observation",
    metadata,
    key_column(),
    case_column(),
    roi_column(),
    sa.Column("assembly", Digest, nullable=False),
    sa.Column("observer", sa.String(64), nullable=False, index=True),
    sa.Column("assigned_by", sa.String(64), nullable=False),
    sa.Column("assigned_at", UtcTime, nullable=False),
    # The browser tab that goes on with it; empty at first.
    sa.Column("tab", sa.String(64), nullable=False),
    sa.Column("signed_at", UtcTime),
    sa.Column("mask_digest", Digest),
    # The observer was let off: what was contoured stays, and is compared with nothing.
    sa.Column("withdrawn_at", UtcTime),
    sa.UniqueConstraint("case_id", "observer"),
)

observation_entry = sa.Table(
    "observation_entry",
    metadata,
    sa.Column("observation_id", sa.ForeignKey("observation.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
)

review_lock = sa.Table(
    "review_lock",
    metadata,
    sa.Column("case_id", sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("tab", sa.String(64), nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)

# The prediction a review started from: fixed when the case is opened.
review = sa.Table(
    "review",
    metadata,
    sa.Column("case_id", sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("roi_name", sa.String(64), primary_key=True),
    sa.Column("prediction_id", sa.ForeignKey("prediction.id")),
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
)

correction = sa.Table(
    "correction",
    metadata,
    key_column(),
    case_column(),
    roi_column(),
    sa.Column("assembly", Digest, nullable=False),
    sa.Column("prediction_id", sa.ForeignKey("prediction.id")),
    sa.Column("approved_by", sa.String(64), nullable=False),
    sa.Column("approved_at", UtcTime, nullable=False),
    sa.Column("mask_digest", Digest, nullable=False),
    sa.Column("slices_seen", sa.JSON, nullable=False),
    sa.Column("journal_seq", sa.Integer, nullable=False),
    sa.Column("origin", sa.String(16), nullable=False, server_default="review"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    key_column(),
    case_column(),
    sa.Column("correction_id", sa.ForeignKey("correction.id"), nullable=False),
    sa.Column("destination", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("sop_instance_uid", Uid),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("next_try_at", UtcTime, nullable=False),
    # From here on it may have left the node: the approval can no longer be taken back.
    sa.Column("begun_at", UtcTime),
    sa.Column("sent_at", UtcTime),
    sa.UniqueConstraint("correction_id", "destination"),
)

# What we asked a destination to commit after it had accepted it (PS3.4 Annex J, as SCU).
commitment_asked = sa.Table(
    "commitment_asked",
    metadata,
    key_column(),
    sa.Column("delivery_id", sa.ForeignKey("delivery.id"), nullable=False, unique=True),
    sa.Column("transaction_uid", Uid, nullable=False, unique=True),
    sa.Column("destination", sa.String(64), nullable=False),
    # A list of objects with sop_class_uid and sop_instance_uid.
    sa.Column("objects", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("next_try_at", UtcTime, nullable=False),
    sa.Column("answered_at", UtcTime),
)

# What a peer asked us to commit, and whether it has our answer (PS3.4 Annex J, as SCP).
commitment_owed = sa.Table(
    "commitment_owed",
    metadata,
    key_column(),
    sa.Column("transaction_uid", Uid, nullable=False),
    sa.Column("calling_ae_title", sa.String(16), nullable=False),
    sa.Column("objects", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("next_try_at", UtcTime, nullable=False),
    sa.Column("reported_at", UtcTime),
    sa.UniqueConstraint("calling_ae_title", "transaction_uid"),
)

# What could not be read or kept among the patients' objects: set aside, never used, shown.
quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.String(400), nullable=False),
    sa.Column("sha256", Digest, nullable=False, unique=True),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("calling_ae_title", sa.String(16), nullable=False),
    sa.Column("instance_id", sa.ForeignKey("instance.id")),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("quarantined_at", UtcTime, nullable=False),
)

# A structure set that came back edited after we had delivered it, compared with what we sent.
returned = sa.Table(
    "returned",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    case_column(),
    roi_column(),
    sa.Column("instance_id", sa.ForeignKey("instance.id"), nullable=False),
    sa.Column("matched_by", sa.String(16), nullable=False),
    sa.Column("compared_with", sa.ForeignKey("correction.id"), nullable=False),
    sa.Column("dice", sa.Float, nullable=False),
    sa.Column("sent_cc", sa.Float, nullable=False),
    sa.Column("returned_cc", sa.Float, nullable=False),
    sa.Column("added_path_length_mm", sa.Float, nullable=False),
    # The correction it became; None: compared only, or `note` says why it is not learned from.
    sa.Column("became", sa.ForeignKey("correction.id")),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("instance_id", "roi_name"),
)

dose_figure = sa.Table(
    "dose_figure",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    case_column(),
    roi_column(),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("source_id", Uid, nullable=False),
    sa.Column("dose_instance_id", sa.ForeignKey("instance.id"), nullable=False),
    sa.Column("volume_cc", sa.Float, nullable=False),
    sa.Column("mean_gy", sa.Float),
    sa.Column("minimum_gy", sa.Float),
    sa.Column("maximum_gy", sa.Float),
    sa.Column("coverage", sa.Float, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("source", "source_id", "roi_name", "dose_instance_id"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("case_id", Key),
    sa.Column("detail", sa.JSON, nullable=False),
    # Digest of this row and of the one before (core.audit).
    sa.Column("chain", Digest, nullable=False, server_default=""),
)

# Accounts of the review page; mapped by review_ui.accounts.
account = sa.Table(
    "account",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("username", sa.String(64), nullable=False, unique=True),
    sa.Column("email", sa.String(255), nullable=False, unique=True),
    sa.Column("password", sa.String(255), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("fs_uniquifier", sa.String(64), nullable=False, unique=True),
    sa.Column("display_name", sa.String(64), nullable=False, server_default=""),
    # Known to whoever made the account: nothing goes before it is changed.
    sa.Column("one_time_password", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("welcomed", sa.Boolean, nullable=False, server_default=sa.true()),
    # Keys of the review page by action, where they are not the ones it comes with.
    sa.Column("own_keys", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("last_login_at", UtcTime),
    # The second factor, where there is one: its secret and recovery codes encrypted, and the time
    # step of the last code that was taken.
    sa.Column("tf_primary_method", sa.String(64)),
    sa.Column("tf_totp_secret", sa.String(512)),
    sa.Column("tf_last_step", sa.Integer),
    sa.Column("mf_recovery_codes", sa.JSON),
)
role = sa.Table(
    "role",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("description", sa.String(255), nullable=False, default=""),
    sa.Column("permissions", sa.String(255), nullable=True),
)
account_role = sa.Table(
    "account_role",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("role_id", sa.ForeignKey("role.id"), primary_key=True),
)
