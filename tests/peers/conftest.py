"""A node among its peers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom import Dataset

from tests.peers.site import Site, running_site
from tests.support.synthetic_dicom import ct_series


@pytest.fixture(scope="session", params=["plain", "tls"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A node among its peers, without TLS and with it."""
    with running_site(tmp_path_factory.mktemp(request.param), tls=request.param == "tls") as site:
        yield site


@pytest.fixture
def series(request: pytest.FixtureRequest) -> list[Dataset]:
    """A CT that no other test has."""
    return ct_series(shape=(4, 32, 24), name=request.node.name, patient=request.node.name[-60:])
