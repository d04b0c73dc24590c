"""The simulated physician's hand and clock, and the stream of patients of the experiment."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from app.experiment import by_hand, clock
from app.experiment.physician import Corrected, Opinion
from app.experiment.sizes import SIZES, Size, stream_of
from core.geometry import Mask, VolumeGeometry
from core.timing import active_s

GEOMETRY = VolumeGeometry(
    shape=(20, 60, 60),
    origin_mm=(0.0, 0.0, 0.0),
    spacing_mm=(3.0, 2.0, 2.0),
    frame_of_reference_uid="2.25.1",
)


def ball(radius_mm: float) -> Mask:
    z, y, x = np.indices(GEOMETRY.shape)
    away = (3.0 * (z - 10)) ** 2 + (2.0 * (y - 30)) ** 2 + (2.0 * (x - 30)) ** 2
    return np.asarray(away <= radius_mm**2)


def opinion() -> Opinion:
    return Opinion(ball(24.0), np.ones(20, bool), GEOMETRY)


def test_by_hand_every_third_slice_is_what_is_meant_and_those_between_come_near() -> None:
    made, drawn = by_hand.draw(opinion())
    meant = ball(24.0)
    assert drawn == (2, 5, 8, 11, 14, 17, 18)
    np.testing.assert_array_equal(made.approved[list(drawn)], meant[list(drawn)])
    assert made.slices_seen == tuple(range(2, 19))
    overlap = 2 * (made.approved & meant).sum() / (made.approved.sum() + meant.sum())
    assert 0.95 < overlap < 1.0


def test_the_outline_of_a_round_slice_takes_as_long_as_its_circumference() -> None:
    made, _ = by_hand.draw(opinion())
    middle = [d for d in clock.drawing(made, (10,), GEOMETRY) if d[1] == "mouse-release"]
    assert middle[0][0] == pytest.approx(clock.CLOSING_S + 2 * np.pi * 24 / 22, rel=0.05)


def test_no_pause_within_a_case_is_idle_and_the_one_between_cases_is() -> None:
    time = clock.Clock()
    made, drawn = by_hand.draw(opinion())
    cases = [time.tell(clock.drawing(made, drawn, GEOMETRY)) for _ in range(2)]
    events = [(datetime.fromisoformat(e["at"]), n) for n, told in enumerate(cases) for e in told]
    meant_s = sum(seconds for seconds, _, _ in clock.drawing(made, drawn, GEOMETRY))
    assert active_s(events) == {0: pytest.approx(meant_s), 1: pytest.approx(meant_s)}


def test_a_correction_takes_the_time_of_its_slices_and_its_strokes() -> None:
    proposal, wanted = ball(15.0), ball(15.0)  # slices 5 to 15
    wanted[9, 30, 38:46] = True  # pixels of 4 mm2, by a brush 6 mm wide
    red = wanted & ~proposal
    made = Corrected(wanted, red, np.zeros_like(red), tuple(range(20)))
    seconds = [s for s, _, _ in clock.correcting(made, GEOMETRY)]
    slices = len(range(3, 18))
    voxels = int(red.sum())
    strokes = clock.AIMING_S + voxels * 4 / 6 / clock.BRUSH_MM_PER_S
    fixed = clock.OPENING_S + clock.APPROVING_S
    assert sum(seconds) == pytest.approx(fixed + slices * clock.SLICE_S + strokes)


def test_a_large_area_is_encircled_rather_than_painted() -> None:
    red = np.zeros(GEOMETRY.shape, bool)
    red[10, 10:50, 10:50] = True  # 6400 mm2: 36 s by the brush
    made = Corrected(red, red, np.zeros_like(red), (10,))
    stroke = next(s for s, kind, _ in clock.correcting(made, GEOMETRY) if kind == "mouse-release")
    assert stroke == pytest.approx(clock.CLOSING_S + 2 * np.sqrt(np.pi * 6400) / 22)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_stream_is_the_same_whenever_asked_and_has_its_arms(size: Size) -> None:
    stream = stream_of(size, 3)
    assert stream == stream_of(size, 3)
    assert {p.seed for p in stream}.isdisjoint(p.seed for p in stream_of(size, 4))
    assert sum(not p.is_manual for p in stream) == size.patients
    assert [p.is_manual for p in stream[: size.manual]] == [True] * size.manual
    compared = [p.number for p in stream if p.is_compared]
    first, last = size.manual, size.manual + size.patients
    ends = [*range(first, first + size.by_hand), *range(last - size.by_hand, last)]
    assert compared == ends
