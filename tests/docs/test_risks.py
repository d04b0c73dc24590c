"""The risk file: each hazard is answered, and each answer is held by a test that exists."""

from __future__ import annotations

import re

from tests.docs.pages import REPOSITORY, page, sections

HAZARDS = sections(page("docs/safety/risks.md"), 3)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_each_hazard_has_a_cause_an_answer_tests_and_what_remains() -> None:
    assert [name.split(".")[0] for name in HAZARDS] == [f"H{n + 1}" for n in range(len(HAZARDS))]
    for name, text in HAZARDS.items():
        assert re.findall(r"^- \*\*(\w+)\*\*: ?", text, re.MULTILINE) == [
            "Cause", "Answer", "Tests", "Remains"
        ], name  # fmt: skip
        assert TEST.search(text), name


def test_every_test_that_the_risk_file_names_exists() -> None:
    named = TEST.findall(page("docs/safety/risks.md"))
    missing = [
        f"{path}::{test}"
        for path, test in named
        if f"\ndef {test}(" not in (REPOSITORY / path).read_text()
    ]
    assert len(named) > 50
    assert missing == []


def test_it_says_that_this_is_no_medical_device() -> None:
    for name in ("risks", "model-card", "change-control"):
        assert "not a medical device" in page(f"docs/safety/{name}.md").lower()
