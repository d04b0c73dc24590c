"""What the page computes while painting is what the server computes of the whole mask."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.geometry import Mask, VolumeGeometry
from core.journal import encode_runs
from core.store import Store
from core.volume import Volume
from dose.metrics import roi_dose
from dose.sensitivity import stop_here
from tests.support.peers import require_program
from tests.support.review_case import Reviewer, put_case, put_dose

WITHIN_MM = 2.5
REPLAY = Path(__file__).parent / "javascript" / "replay_dose.mjs"
GEOMETRY = replace(
    VolumeGeometry((12, 30, 28), (-13.0, -15.0, 4.0), (2.5, 1.1, 0.9), "1.2.3.4"),
    slice_offsets_mm=(0.0, 2.0, 4.0, 6.0, 9.0, 12.0, 15.0, 17.0, 20.0, 22.0, 25.0, 27.5),
)
# Ends within the structure, on the left and towards the head.
DOSE_GEOMETRY = VolumeGeometry((9, 14, 10), (-12.2, -17.1, 3.1), (2.5, 2.4, 2.3), "1.2.3.4")


def ball(centre: tuple[float, float, float], radius_mm: float) -> Mask:
    centres = GEOMETRY.index_to_mm(np.moveaxis(np.indices(GEOMETRY.shape), 0, -1))
    return np.asarray(np.linalg.norm(centres - np.asarray(centre), axis=-1) < radius_mm)


@pytest.fixture(scope="module")
def dose() -> Volume:
    rng = np.random.default_rng(4)
    values = 45.0 * rng.random(DOSE_GEOMETRY.shape) ** 2
    return Volume(values.astype(np.float32), DOSE_GEOMETRY)


def test_live_figures_and_the_bound_equal_those_of_the_server_after_every_stroke(
    anna: Reviewer, store: Store, dose: Volume
) -> None:
    predicted = ball((0.0, 0.0, 18.0), 11.0)
    case_id = put_case(
        store, Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY), prediction=predicted
    )
    put_dose(store, case_id, dose)
    anna.open(case_id)
    rng = np.random.default_rng(5)
    now, entries, masks = predicted.copy(), [], []
    for seq in range(1, 41):
        tool = str(rng.choice(["add", "remove"]))
        place = rng.uniform((-12, -12, 6), (12, 12, 30))
        painted = ball((place[0], place[1], place[2]), float(rng.uniform(2, 6)))
        runs = encode_runs(np.flatnonzero(painted))
        anna.stroke(case_id, seq, runs, tool=tool)
        entries.append({"seq": seq, "kind": "stroke", "tool": tool, "runs": runs})
        now = now | painted if tool == "add" else now & ~painted
        masks.append(now)
    shown = replayed(
        predicted, gzip.decompress(anna.get(f"/api/cases/{case_id}/dose").data), entries
    )
    for mask, told in zip(masks, shown["told"], strict=True):
        expected = roi_dose(dose, mask, GEOMETRY)
        assert told["meanGy"] == pytest.approx(expected.mean_gy, abs=1e-6)
        assert told["volumeCc"] == pytest.approx(expected.volume_cc, abs=1e-9)
        assert told["coverage"] == pytest.approx(expected.coverage, abs=1e-9)
        bound = stop_here(dose, mask, GEOMETRY, within_mm=WITHIN_MM)
        assert bound is not None
        assert told["bound"]["lowestGy"] == pytest.approx(bound.lowest_gy, abs=1e-6)
        assert told["bound"]["highestGy"] == pytest.approx(bound.highest_gy, abs=1e-6)
        assert told["bound"]["largestGy"] == pytest.approx(bound.largest_change_gy, abs=1e-6)
        shares = bound.to_lowest_gy + bound.to_highest_gy
        assert told["bound"]["bySlice"] == pytest.approx(list(shares), abs=1e-6)
        assert (told["bound"]["uncovered"] > 0) == (bound.uncovered_cc > 0)
    assert 0.1 < roi_dose(dose, now, GEOMETRY).coverage < 0.9
    answer: Any = anna.get(f"/api/cases/{case_id}/figures").json
    assert shown["told"][-1]["meanGy"] == pytest.approx(answer["correction"]["mean_gy"], abs=1e-6)
    assert shown["predictedGy"] == pytest.approx(answer["prediction"]["mean_gy"], abs=1e-6)


def replayed(predicted: Mask, dose: bytes, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page's own modules make of a prediction, a dose as sent, and a journal."""
    slice_mm, row_mm, column_mm = GEOMETRY.spacing_mm
    told = {
        "withinMm": WITHIN_MM,
        "dims": GEOMETRY.shape[::-1],
        "spacingMm": (column_mm, row_mm, slice_mm),
        "sliceOffsetsMm": GEOMETRY.slice_offsets_mm,
        "prediction": base64.b64encode(predicted.astype(np.uint8).tobytes()).decode(),
        "dose": base64.b64encode(dose).decode(),
        "entries": entries,
    }
    done = subprocess.run(
        [require_program("node"), str(REPLAY)],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(done.stdout))
