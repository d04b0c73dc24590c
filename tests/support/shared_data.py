"""Real cases that lie beside the repository, never in it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.peers import missing

_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared_data(folder: str) -> Path:
    """The folder of this real case; the test is skipped where it is absent.

    RT_TEST_DATA names another place than ../shared/data.
    """
    base = os.environ.get("RT_TEST_DATA")
    found = (Path(base) if base else _BESIDE_THE_REPOSITORY) / folder
    if not found.is_dir():
        missing(f"the real case {folder} is not at {found}")
    return found
