"""kill -9 between any two steps of a release: the registry loads, and no row points nowhere."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.model_files import WEIGHTS_FILE
from core.records import ModelVersion, Round
from core.store import open_store
from model.cascade import fresh_cascade
from model.registry import ModelDescription, load, publish, versions
from tests.support.review_case import NOW
from tests.support.settings import config_of, settings_for
from tests.support.versions import put_version

pytestmark = pytest.mark.slow

STEPS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "sqlite3.connect"})
LONGEST = 60


class Release:
    """One release in a data folder of its own: files first, then the row."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.settings = settings_for(folder)
        self.root = self.settings.data_folder / "models"
        config = config_of(self.settings.model)
        small = replace(
            config,
            coarse=replace(config.coarse, widths=(8, 16)),
            fine=replace(config.fine, widths=(8, 16)),
        )
        self.weights = fresh_cascade(small, seed=1).state_dict()
        self.description = ModelDescription("Heart", small, "x", None, (), {}, NOW.isoformat())
        store = open_store(self.settings)
        at = NOW
        self.round = Round("1" * 32, "Heart", (), "RUNNING", 0, 9, None, None, "", at, None)
        store.learning.start_round(self.round)
        store.engine.dispose()

    def run(self) -> None:
        """What the trainer does once a candidate has passed the gate."""
        version = publish(self.root, self.weights, self.description)
        store = open_store(self.settings)
        made = ModelVersion(version, "Heart", None, 0.8, {}, (), NOW)
        now = NOW + timedelta(minutes=5)
        store.learning.finish_round(self.round.id, verdict="ok", now=now, released=made)
        store.engine.dispose()

    def require_sound(self) -> bool:
        """Whatever is listed loads, whatever a row names is there; True where it is in service."""
        for version in versions(self.root):
            assert load(self.root, version).version == version
        store = open_store(self.settings)
        known = store.learning.versions("Heart")
        for row in known:
            load(self.root, row.version)
        released = store.learning.released("Heart")
        store.engine.dispose()
        assert (released is not None) == bool(known)
        return released is not None


def killed_at(step: int, below: Path, deed: Callable[[], None]) -> bool:
    """Do `deed` in a child that kills itself before its `step`-th step; False: it lived."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    taken = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal taken
        if event in STEPS and str(arguments[0]).startswith((str(below), f"sqlite:///{below}")):
            taken += 1
            if taken == step:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        deed()
        os._exit(0)
    finally:
        os._exit(1)


def test_a_release_that_is_killed_anywhere_leaves_nothing_by_halves_and_can_be_repeated(
    tmp_path: Path,
) -> None:
    seen, lived = [], False
    for step in range(1, LONGEST):
        release = Release(tmp_path / str(step))
        lived = not killed_at(step, tmp_path, release.run)
        if lived:
            assert release.require_sound()
            break
        seen.append(release.require_sound())
        release.run()
        assert release.require_sound()
    assert lived
    assert len(seen) >= 10, "fewer steps than a release has were tried"
    assert not seen[0]


def test_mending_a_damaged_version_that_is_killed_anywhere_leaves_the_others_whole(
    tmp_path: Path,
) -> None:
    tried = 0
    for step in range(1, LONGEST):
        release = Release(tmp_path / str(step))
        release.run()
        (version,) = versions(release.root)
        others = {name: value + 1 for name, value in release.weights.items()}
        second = publish(release.root, others, release.description)
        store = open_store(release.settings)
        put_version(store, second, 2)
        store.engine.dispose()
        (release.root / version / WEIGHTS_FILE).write_bytes(b"short")

        def mend(again: Release = release) -> None:
            publish(again.root, again.weights, again.description)

        if not killed_at(step, tmp_path, mend):
            break
        tried += 1
        assert load(release.root, second).version == second
        mend()
        assert release.require_sound()
    assert tried >= 8, "fewer steps than mending has were tried"
