"""Where our dose figures and the TPS's differ: a flag in the worklist and on the case, a table."""

from __future__ import annotations

import numpy as np

from core.dose_records import SelfCheck
from core.store import Store
from core.volume import Volume
from dose.self_check import Beside
from tests.support.review_case import ASSEMBLY, NOW, Reviewer, put_case, small_geometry

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
DOSE = Volume(np.full(GEOMETRY.shape, 2.0, np.float32), GEOMETRY)
WORDS = "Heart 2.00 Gy, the TPS says 3.00"


def put_check(store: Store, case_id: str, basis: str, words: str, assembly: str = ASSEMBLY) -> None:
    (dose,) = store.instances.attached(case_id, kind="dose")
    heart = Beside("Heart", 3.0, 2.0, 500.0, 501.0, mean_differs=bool(words))
    figures = [heart.to_json(), Beside("Body", obstacle="It reaches beyond the grid.").to_json()]
    store.self_checks.add(
        SelfCheck(case_id, assembly, dose.id, dose.id, basis, figures, words, NOW)
    )


def flags(anna: Reviewer, case_id: str) -> tuple[list[str], list[str]]:
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    return row["flags"], anna.get(f"/api/cases/{case_id}").json["flags"]  # type: ignore[index]


def test_a_difference_is_a_flag_and_a_table_until_it_is_judged_otherwise(
    anna: Reviewer, store: Store
) -> None:
    case_id = put_case(store, CT, dose=DOSE)
    page = f"/cases/{case_id}/figures"
    assert "planning system" not in anna.get(page).text
    put_check(store, case_id, "1", WORDS)
    told = [f"Dose figures beside the TPS's own: {WORDS}"]
    assert flags(anna, case_id) == (told, told)
    shown = anna.get(page).text
    assert 'data-check="differs"' in shown
    for words in (WORDS, "3.000 Gy", "2.000 Gy", "501.0 ml", "not compared: It reaches beyond"):
        assert words in shown
    put_check(store, case_id, "2", "")
    assert flags(anna, case_id) == ([], [])
    assert 'data-check="agrees"' in anna.get(page).text


def test_what_was_judged_on_another_volume_of_the_case_says_nothing_of_this(
    anna: Reviewer, store: Store
) -> None:
    case_id = put_case(store, CT, dose=DOSE)
    put_check(store, case_id, "1", WORDS, assembly="f" * 64)
    assert flags(anna, case_id) == ([], [])
