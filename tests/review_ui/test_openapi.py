"""The API is what its schema says: every operation is asked with what fits it and what does not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import hypothesis
import numpy as np
import pytest
import schemathesis
from flask import Flask
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.store import Store
from core.volume import Volume
from tests.support.accounts import give_every_role
from tests.support.review_case import NOW, Reviewer, box_mask, put_case, small_geometry

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
DOSE = Volume(np.ones(GEOMETRY.shape, np.float32), GEOMETRY)
PREDICTED = box_mask(GEOMETRY, (slice(2, 8), slice(3, 9), slice(3, 6)))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FEW = hypothesis.settings(
    max_examples=10,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture
def omnia(anna: Reviewer, store: Store) -> Reviewer:
    """Somebody whom no role stops, so that the operations themselves are reached."""
    give_every_role(store, "anna")
    return anna


@pytest.fixture
def known(omnia: Reviewer, store: Store) -> dict[str, str]:
    """Names for addresses that exist: a case that is open, a peer, an observation to be made."""
    case_id = put_case(store, CT, prediction=PREDICTED, dose=DOSE)
    asked = store.observations.assign(put_case(store, CT), "Heart", "anna", who="phil", now=NOW)
    assert omnia.open(case_id).status_code == 200
    return {"case_id": case_id, "observation_id": asked.id, "name": "TPS"}


def test_every_operation_answers_as_the_schema_says(
    app: Flask, omnia: Reviewer, known: dict[str, str]
) -> None:
    schema = openapi.from_dict(app.spec)  # type: ignore[attr-defined]
    schema.app = app
    cookie = omnia.client.get_cookie("recontour")
    assert cookie is not None
    carried: dict[str, Any] = {
        "headers": {"X-CSRFToken": omnia.csrf_token},
        "cookies": {"recontour": cookie.value},
    }
    answers: Counter[int] = Counter()
    reached: set[str] = set()

    def ask(case: schemathesis.Case[Any], is_known: bool) -> None:
        if is_known:
            case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
            if isinstance(case.body, dict) and "tab" in case.body:
                case.body["tab"] = omnia.tab
        answer = case.call_and_validate(checks=CHECKS, **carried)
        answers[answer.status_code] += 1
        if answer.status_code < 400:
            reached.add(case.operation.label)

    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    for operation in operations:
        modes = [GenerationMode.POSITIVE]
        if operation.body:
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            cases: Any = operation.as_strategy(generation_mode=mode)
            FEW(hypothesis.given(cases, st.booleans())(ask))()
    assert len(operations) >= 45
    # Not only refused: most were done, on a case that is there, by somebody who may.
    assert len(reached) >= 30
    assert 401 not in answers
