"""What the first of several processes tells the others, and what they make of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.judging import readable_cases
from app.together import Lesson, _from_json, _to_json
from core.errors import RanksDifferError, UnreadableObjectError
from model.ranks import Ranks
from tests.support.learning import approve_patient, learning_room
from tests.support.room import taught


class Two(Ranks):
    """Two processes of which the other one always says the same."""

    count = 2

    def __init__(self, other: bytes) -> None:
        self.other = other

    def gather(self, content: bytes) -> list[bytes]:
        return [content, self.other]


def test_the_others_find_the_same_cases_in_the_cache(tmp_path: Path) -> None:
    room = learning_room(tmp_path)
    approve_patient(room, 0)
    cases = readable_cases(room, taught(room).train, room.settings.model)
    lesson = Lesson("Heart", (0, 3), 140, tuple(cases), augmentation=0.5)
    told = json.loads(json.dumps(_to_json(lesson)))
    found = _from_json(told, room.settings)
    assert (found.roi_name, found.seed, found.steps) == ("Heart", (0, 3), 140)
    assert found.augmentation == 0.5
    assert found.cases[0].case_id == cases[0].case_id
    assert (found.cases[0].fine.packed == cases[0].fine.packed).all()
    assert (found.cases[0].coarse.packed == cases[0].coarse.packed).all()


@pytest.mark.parametrize("name", ["../../secrets/key", "/etc/passwd", "synthetic/../x", ""])
def test_a_name_that_leads_out_of_the_cache_is_refused(tmp_path: Path, name: str) -> None:
    room = learning_room(tmp_path)
    case = {"case_id": "a", "patient_key": "a", "emphasis": 1.0, "kept_as": name}
    told = {
        "roi_name": "Heart",
        "seed": [0],
        "steps": 1,
        "cases": [case],
        "replay": [],
        "augmentation": None,
    }
    with pytest.raises(UnreadableObjectError, match="names no kept case"):
        _from_json(told, room.settings)


def test_processes_whose_weights_differ_are_told() -> None:
    Two(b"aa").require_equal("aa")
    with pytest.raises(RanksDifferError, match="different weights"):
        Two(b"aa").require_equal("ab")
