"""Foreign programs that tests hold our work against."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRE_PEERS = "RECONTOUR_REQUIRE_PEERS"


def require_program(name: str) -> Path:
    """Where the program `name` is; the test is skipped without it.

    With RECONTOUR_REQUIRE_PEERS=1 a missing program fails the test: a suite that skips its peers
    proves nothing.
    """
    found = shutil.which(name)
    if found is None:
        missing(f"the program {name} is not installed")
    return Path(found)


def missing(what: str) -> NoReturn:
    """Skip the test with the reason, or fail it where peers are required."""
    if os.environ.get(REQUIRE_PEERS) == "1":
        pytest.fail(f"{what}, and {REQUIRE_PEERS}=1 asks for it")
    pytest.skip(what)
