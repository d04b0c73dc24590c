"""Tables about dose figures that are held against others (see core.tables)."""

from __future__ import annotations

import sqlalchemy as sa

from core.tables import Digest, UtcTime, case_column, metadata

# Our figures beside the TPS's own DVH of the same contours. Judged by another tolerance, or on
# another volume, there is another row.
self_check = sa.Table(
    "self_check",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    case_column(),
    sa.Column("assembly", Digest, nullable=False),
    sa.Column("dose_instance_id", sa.ForeignKey("instance.id"), nullable=False),
    sa.Column("structure_instance_id", sa.ForeignKey("instance.id"), nullable=False),
    # Edition of the measuring and tolerance it was judged by.
    sa.Column("basis", sa.String(64), nullable=False),
    # A list of ROIs with the figures of both (dose.self_check.Beside).
    sa.Column("figures", sa.JSON, nullable=False),
    # What is beyond the tolerance, or why nothing could be compared; empty: all agrees.
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint(
        "case_id",
        "dose_instance_id",
        "structure_instance_id",
        "assembly",
        "basis",
        name="uq_self_check",
    ),
)

# What an approved contour means for a dose, against another contour of the structure. A dose or a
# contour that comes later adds rows, and so does a new edition of the measuring.
difference = sa.Table(
    "difference",
    metadata,
    sa.Column("correction_id", sa.ForeignKey("correction.id"), primary_key=True),
    # prediction, or reference: what the TPS had; and its id (as in dose_figure).
    sa.Column("against", sa.String(16), primary_key=True),
    sa.Column("against_id", sa.String(64), primary_key=True),
    sa.Column("dose_instance_id", sa.ForeignKey("instance.id"), primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    # How far the contours are apart (app.comparing), and the dose (dose.contour_change.DoseChange).
    sa.Column("contours", sa.JSON, nullable=False),
    # None where the dose misses one of both.
    sa.Column("dose", sa.JSON),
    sa.Column("created_at", UtcTime, nullable=False),
)
