"""Tables about models and what they learn from (see core.tables)."""

from __future__ import annotations

import sqlalchemy as sa

from core.tables import Digest, UtcTime, case_column, key_column, metadata, roi_column

model_version = sa.Table(
    "model_version",
    metadata,
    sa.Column("version", Digest, primary_key=True),
    roi_column(),
    sa.Column("parent", Digest),
    sa.Column("validation_dice", sa.Float, nullable=False),
    sa.Column("scores", sa.JSON, nullable=False),
    sa.Column("training_set", sa.JSON, nullable=False),
    sa.Column("released_at", UtcTime, nullable=False),
    # released, waits (another version is pinned) or withdrawn (rolled back from).
    sa.Column("status", sa.String(16), nullable=False, server_default="released"),
    # What its card says beside the scores: config, code version, what it learned from.
    sa.Column("detail", sa.JSON, nullable=False, server_default="{}"),
)

# Which version of a structure is in service, whether it is pinned, and which one runs in shadow.
model_state = sa.Table(
    "model_state",
    metadata,
    sa.Column("roi_name", sa.String(64), primary_key=True),
    sa.Column("in_service", sa.ForeignKey("model_version.version")),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("shadow", sa.ForeignKey("model_version.version")),
    sa.Column("shadow_since", UtcTime),
    sa.Column("changed_by_hand_at", UtcTime),
)

training_round = sa.Table(
    "training_round",
    metadata,
    key_column(),
    roi_column(),
    sa.Column("corrections", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("loss", sa.Float),
    sa.Column("validation_dice", sa.Float),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("version", Digest),
    # What the round went on from, and all figures of its verdict.
    sa.Column("parent", Digest),
    sa.Column("figures", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
)

# Whether a correction may be learned from. A suspicious one waits for a second person.
correction_check = sa.Table(
    "correction_check",
    metadata,
    sa.Column("correction_id", sa.ForeignKey("correction.id"), primary_key=True),
    case_column(),
    roi_column(),
    sa.Column("suspicious", sa.Boolean, nullable=False),
    sa.Column("suspicions", sa.JSON, nullable=False),
    sa.Column("figures", sa.JSON, nullable=False),
    sa.Column("checked_at", UtcTime, nullable=False),
    # released or discarded; None while nobody decided.
    sa.Column("decision", sa.String(16)),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("decided_at", UtcTime),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
)

# What a version in shadow proposed: never shown, never delivered, only measured.
shadow_prediction = sa.Table(
    "shadow_prediction",
    metadata,
    key_column(),
    case_column(),
    roi_column(),
    sa.Column("assembly", Digest, nullable=False),
    sa.Column("model_version", sa.ForeignKey("model_version.version"), nullable=False, index=True),
    sa.Column("mask_digest", Digest),
    sa.Column("expected_dice", sa.Float),
    sa.Column("seconds", sa.Float),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    # What it was last measured against (prediction, correction, dose), and the figures.
    sa.Column("measured_against", sa.String(120), nullable=False, server_default=""),
    sa.Column("figures", sa.JSON, nullable=False, server_default="{}"),
)

# What was approved, in figures that need its mask; measured again for each later reference.
approved_figure = sa.Table(
    "approved_figure",
    metadata,
    sa.Column("correction_id", sa.ForeignKey("correction.id"), primary_key=True),
    # The newest structure set of the TPS that held this structure then; 0: there was none. A newer
    # one adds a row.
    sa.Column("reference_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("volume_cc", sa.Float, nullable=False),
    # Dice of a contour by hand with what was predicted and approved; None where there is none.
    sa.Column("predicted_dice", sa.Float),
    sa.Column("corrected_dice", sa.Float),
)

# What a correction changed of its prediction. A new edition of the measuring adds rows.
change = sa.Table(
    "change",
    metadata,
    sa.Column("correction_id", sa.ForeignKey("correction.id"), primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dice", sa.Float, nullable=False),
    sa.Column("surface_dice_2mm", sa.Float, nullable=False),
    sa.Column("surface_dice_3mm", sa.Float, nullable=False),
    # None where one of both is empty: there is no distance to nothing.
    sa.Column("hausdorff_95_mm", sa.Float),
    sa.Column("mean_surface_mm", sa.Float),
    sa.Column("added_path_length_mm", sa.Float, nullable=False),
    sa.Column("predicted_cc", sa.Float, nullable=False),
    sa.Column("added_cc", sa.Float, nullable=False),
    sa.Column("removed_cc", sa.Float, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
