"""The demo goes round its loop, as the README promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.clinic_node import alone_in
from app.demo import run_demo
from core.errors import RecontourError
from tests.support.settings import ports_of_its_own, write_config


def test_a_second_demo_in_the_same_folder_says_so_and_touches_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, **ports_of_its_own())
    with alone_in(tmp_path / "demo"), pytest.raises(RecontourError, match="Another demo runs"):
        run_demo(config, tmp_path / "demo", check=False)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["in-use.lock"]


@pytest.mark.slow
def test_the_demo_goes_round_once_and_finds_everything_right(tmp_path: Path) -> None:
    stage = {"widths": [16, 32, 64], "spacing_mm": [6.0] * 3, "patch_voxels": [24, 32, 32]}
    model = {"device": "cpu", "coarse": stage, "fine": stage}
    training = {"steps_first": 100, "steps_per_case": 30}
    config = write_config(tmp_path, model=model, training=training, **ports_of_its_own())
    assert run_demo(config, tmp_path / "demo", check=True) == 0
