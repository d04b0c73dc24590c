"""States of a case, and who is learned from."""

from __future__ import annotations

import pytest

from core.case import CaseState, Split, next_split, require_transition
from core.errors import TransitionError


def test_the_paper_s_rule_gives_one_validation_patient_in_six() -> None:
    counts = {Split.TRAIN: 0, Split.VALIDATION: 0}
    order = ""
    for _ in range(17):
        split = next_split(counts[Split.TRAIN], counts[Split.VALIDATION])
        counts[split] += 1
        order += split[0].upper()
    assert order == "TVTTTTVTTTTTVTTTT"


def test_a_closed_case_goes_back_to_review_and_nowhere_else() -> None:
    for closed in (CaseState.APPROVED, CaseState.DELIVERED, CaseState.REJECTED):
        require_transition(closed, CaseState.IN_REVIEW)
        with pytest.raises(TransitionError, match="not to PREDICTED"):
            require_transition(closed, CaseState.PREDICTED)
    with pytest.raises(TransitionError, match="may go to DELIVERED, IN_REVIEW"):
        require_transition(CaseState.APPROVED, CaseState.REJECTED)
