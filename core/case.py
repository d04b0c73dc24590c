"""The states of a case and the ways between them."""

from __future__ import annotations

from enum import StrEnum

from core.errors import TransitionError


class CaseState(StrEnum):
    """Where a case is on its way (see docs/architecture.md)."""

    RECEIVING = "RECEIVING"
    ASSEMBLED = "ASSEMBLED"
    PREDICTED = "PREDICTED"
    IN_REVIEW = "IN_REVIEW"
    APPROVED = "APPROVED"
    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"


_S = CaseState
PERMITTED: dict[CaseState, frozenset[CaseState]] = {
    _S.RECEIVING: frozenset({_S.ASSEMBLED, _S.FAILED}),
    # Late slices may arrive in ASSEMBLED and PREDICTED: the case is then assembled anew.
    _S.ASSEMBLED: frozenset({_S.ASSEMBLED, _S.PREDICTED, _S.IN_REVIEW, _S.FAILED}),
    _S.PREDICTED: frozenset({_S.ASSEMBLED, _S.PREDICTED, _S.IN_REVIEW, _S.FAILED}),
    # As long as nobody has painted, late slices may open a review anew.
    _S.IN_REVIEW: frozenset({_S.ASSEMBLED, _S.FAILED, _S.APPROVED, _S.REJECTED}),
    # Back while nothing has left, or as a new version once it has.
    _S.APPROVED: frozenset({_S.DELIVERED, _S.IN_REVIEW}),
    _S.DELIVERED: frozenset({_S.IN_REVIEW}),
    _S.REJECTED: frozenset({_S.IN_REVIEW}),
    _S.FAILED: frozenset({_S.ASSEMBLED, _S.FAILED}),
}


class Split(StrEnum):
    """Which set an approved case belongs to, for ever."""

    TRAIN = "train"
    VALIDATION = "validation"


def require_transition(before: CaseState, after: CaseState) -> None:
    """Raise `TransitionError` unless a case may go from `before` to `after`."""
    if after not in PERMITTED[before]:
        ways = ", ".join(sorted(PERMITTED[before])) or "nowhere"
        raise TransitionError(f"A case in state {before} may go to {ways}, not to {after}.")


def next_split(train_count: int, validation_count: int) -> Split:
    """The paper's rule: first train, second validation, then validation at one in six.

    A new patient goes to validation only while train is at least five times as large
    (Smith et al. 2022, section 2.5).
    """
    if train_count == 0:
        return Split.TRAIN
    if validation_count == 0 or train_count >= 5 * validation_count:
        return Split.VALIDATION
    return Split.TRAIN
