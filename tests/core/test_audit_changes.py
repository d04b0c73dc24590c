"""Every row of the audit that tells of a change says what was before and what is after."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from core.audit import CHANGES
from tests.support.settings import REPOSITORY

PACKAGES = ("core", "dose", "dicom_node", "model", "review_ui", "app")
# What they are about stays as it was, or came: there is nothing before.
DEEDS = {
    *("login", "login.refused", "login.code_refused", "login.blocked"),
    *("account.tour_ended", "lock.moved", "case.not_shown"),
    *("correction.imported", "correction.returned", "commitment.requested"),
    *("quarantine.entered", "quarantine.read", "quarantine.removed", "quarantine.downloaded"),
    *("quarantine.oldest_removed", "data.exported", "audit.downloaded"),
    *("dicom.query", "dicom.fetched", "dicom.transfer_begun", "dicom.transferred"),
}
WRITERS = {"record", "_audit", "_record", "_change", "audited", "note_refusal"}


def calls() -> Iterator[tuple[str, ast.Call, set[str]]]:
    """Each call that writes a row: where, what, and the words in it that may be the event."""
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            for function in ast.walk(ast.parse(path.read_text())):
                if not isinstance(function, ast.FunctionDef):
                    continue
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and _called(node) in WRITERS:
                        yield f"{path.name}:{node.lineno}", node, _words(node, function)


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", getattr(node.func, "id", "")))


def _words(call: ast.Call, function: ast.FunctionDef) -> set[str]:
    """Constants in its arguments, and in what the function puts into their names."""
    arguments = [*call.args, *(key.value for key in call.keywords)]
    names = {getattr(one, "id", "") for argument in arguments for one in ast.walk(argument)}
    put = [
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.Assign)
        and any(getattr(to, "id", None) in names for to in one.targets)
    ]
    return {
        str(one.value)
        for part in [*arguments, *put]
        for one in ast.walk(part)
        if isinstance(one, ast.Constant)
    }


def test_whoever_writes_of_a_change_says_what_was_before_and_what_is_after() -> None:
    lacking, seen = [], set()
    for where, call, words in calls():
        told = words & CHANGES
        seen |= told
        given = {key.arg for key in call.keywords}
        by_state = getattr(call.func, "id", "") == "_change"  # of models: both are arguments
        if told and not by_state and not given >= {"before", "after"}:
            lacking.append((where, sorted(told)))
    assert lacking == []
    # States of cases and decisions on corrections are put together from their names.
    made_up = {one for one in CHANGES if one.startswith(("case.", "correction."))}
    assert CHANGES - made_up <= seen


def test_every_event_is_a_change_or_a_deed() -> None:
    named = {word for _, _, words in calls() for word in words if _is_an_event(word)}
    assert named - CHANGES - DEEDS == set()


def _is_an_event(word: str) -> bool:
    first, dot, rest = word.partition(".")
    return bool(dot) and all(part.isidentifier() and part.islower() for part in (first, rest))
