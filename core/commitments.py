"""Storage commitment as a record: which instances, in which transaction, with whom."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Reference:
    """One instance that a commitment is about."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Commitment:
    """A storage commitment of either side.

    `peer` is a caller's AE title where it asked us, the name of a destination where we ask.
    """

    id: str
    peer: str
    transaction_uid: str
    references: tuple[Reference, ...]
    state: str
    attempts: int
    last_error: str


def new_transaction_uid() -> str:
    """A UID that nobody used before (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def commitment_of(row: sa.RowMapping, *, peer: str) -> Commitment:
    """The record of a row of either table."""
    return Commitment(
        id=row["id"],
        peer=peer,
        transaction_uid=row["transaction_uid"],
        references=tuple(Reference(**found) for found in row["objects"]),
        state=row["state"],
        attempts=row["attempts"],
        last_error=row["last_error"],
    )


def as_json(references: Sequence[Reference]) -> list[dict[str, str]]:
    """References as a row keeps them."""
    return [
        {"sop_class_uid": r.sop_class_uid, "sop_instance_uid": r.sop_instance_uid}
        for r in references
    ]
