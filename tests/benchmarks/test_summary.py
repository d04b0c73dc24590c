"""Hearts needed, bars, and what a released model did to the validation cases."""

import json
from typing import Any

import pytest

from benchmarks.stream.plot import curves_png
from benchmarks.stream.run import CORRECTED, OURS, OURS_COLD, PUBLISHED, Run
from benchmarks.stream.sizes import FULL, TINY
from benchmarks.stream.summary import bars, hearts_needed, summarise, table
from core.files import read_json, write_json

COMPLETE = {OURS, OURS_COLD, PUBLISHED, CORRECTED}


@pytest.mark.parametrize(
    ("curve", "needs"),
    [
        ({0: 0.0, 1: 0.5, 2: 0.86, 3: 0.9}, 2),
        ({0: 0.0, 1: 0.86, 2: 0.7, 3: 0.9}, 3),
        ({0: 0.0, 1: 0.86, 2: 0.845, 3: 0.9}, 1),
        ({0: 0.9, 1: 0.9, 2: 0.9}, 0),
        ({0: 0.0, 1: 0.849, 2: 0.845}, None),
    ],
)
def test_a_goal_is_reached_where_the_curve_stays(curve, needs):
    assert hearts_needed(curve, 0.85) == needs


def figures(needs: int | None, *, ends: tuple[float, ...] = (0.91, 0.92, 0.9)) -> dict[str, Any]:
    return {"hearts_needed": {"0.85": needs}, "dice_at_end": ends, "never_lowered": True}


def test_the_bars_compare_hearts_and_an_opponent_that_never_arrives_needs_one_more():
    recipes = {
        OURS: figures(13),
        PUBLISHED: figures(None),
        CORRECTED: figures(25),
        OURS_COLD: figures(5),
    }
    assert list(bars(recipes, COMPLETE, 40).values()) == [True, False, True, True, True]
    recipes |= {OURS: figures(14, ends=(0.95, 0.95, 0.899)), OURS_COLD: figures(6)}
    assert list(bars(recipes, COMPLETE, 40).values()) == [False, False, False, True, False]
    recipes[OURS] = figures(None) | {"never_lowered": False}
    assert list(bars(recipes, COMPLETE, 40).values()) == [False, False, True, False, False]


def test_what_was_not_measured_is_neither_reached_nor_missed():
    recipes = {OURS: figures(10), PUBLISHED: figures(30)}
    assert set(bars(recipes, COMPLETE, 10).values()) == {None}
    assert list(bars(recipes, {OURS}, 40).values())[:2] == [None, None]


def test_the_summary_takes_means_over_patients_and_seeds_and_notices_a_fall(tmp_path):
    for seed, (last, after) in enumerate([(0.9, 0.8), (0.7, 0.85), (0.8, 0.85)]):
        look = {"version": "a", "dice": [last - 0.1, last + 0.1], "dose_gy": [0.1, 0.3], "cpu_s": 1}
        nothing = {"version": None, "dice": [0.0, 0.0], "dose_gy": [5.0, 5.0], "cpu_s": 1}
        patient = {
            "training_s": 6.0,
            "cpu_s": 7.0,
            "approved_dice": 0.96,
            "promoted": True,
            "validation_before": 0.82,
            "validation_after": after,
        }
        log = {"patients": [patient], "looks": {"0": nothing, "1": look}}
        path = tmp_path / "runs" / Run(OURS, seed).name / "run.json"
        path.parent.mkdir(parents=True)
        write_json(path, log)
    found = summarise(tmp_path, FULL)["recipes"][OURS]
    assert found["dice"] == pytest.approx({0: 0.0, 1: 0.8})
    assert (found["dice_least"][1], found["dice_most"][1]) == pytest.approx((0.7, 0.9))
    assert found["dose_gy"][1] == pytest.approx(0.2)
    assert found["hearts_needed"]["0.80"] == 1
    assert found["hearts_needed_by_seed"]["0.80"] == [1, None, 1]
    assert found["never_lowered"] is False
    assert (tmp_path / "curves.csv").read_text().splitlines()[1:3] == [
        "ours,0,0,0.0000,0.0000,5.0000",
        "ours,0,1,0.9000,0.8000,0.2000",
    ]
    kept = read_json(tmp_path / "summary.json")
    assert json.loads(json.dumps(kept))["bars"] == dict.fromkeys(kept["bars"])
    assert "Hearts needed" in table(kept)
    assert curves_png(kept).startswith(b"\x89PNG")
    assert curves_png({**kept, "size": {"patients": TINY.patients}}).startswith(b"\x89PNG")
