"""What a command answers, for people and for programs."""

from __future__ import annotations

import json

import pytest

from app.tables import show


def test_where_there_is_nothing_to_show_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show([], "Imported contours", as_json=False)
    assert capsys.readouterr().out == "Imported contours: none.\n"
    show([], "Imported contours", as_json=True)
    assert json.loads(capsys.readouterr().out) == []
