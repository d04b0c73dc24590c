"""The button that asks a peer whether it hears us."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.room import Room
from core.config import PeerSettings
from core.store import Store, open_store
from dicom_node.network.scu import echo
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.context import EXTENSION, Desk
from review_ui.roles import ADMIN
from tests.dicom_node.serving import serving_node
from tests.support.review_case import PASSWORD, Reviewer
from tests.support.room import receive
from tests.support.settings import free_port, peer_values, settings_for
from tests.support.synthetic_dicom import ct_series, rtstruct, written


@pytest.fixture
def port() -> int:
    return free_port()


def page(folder: Path, port: int, role: str) -> Reviewer:
    """Somebody before the page of a node whose TPS is at `port`."""
    settings = settings_for(folder, peers=[peer_values("TPS", port=port)])

    def ask(peer: PeerSettings) -> None:
        echo(peer, calling_ae_title="TPS")

    app = create_app(settings, open_store(settings), ask_peer=ask)
    create_user(app, "otto", PASSWORD, role)
    return Reviewer.log_in(app, "otto")


def test_an_administrator_asks_a_peer_and_is_told_what_came_of_it(tmp_path: Path) -> None:
    with serving_node(tmp_path / "peer") as node:
        # A node like ours is the peer; it is called RECONTOUR.
        otto = page(tmp_path, node.port, ADMIN)
        answer = otto.post("/api/peers/TPS/echo")
    assert answer.json is not None
    assert not answer.json["hears_us"]
    assert "Called AE title not recognised" in answer.json["words"]


def test_a_peer_that_answers_is_told_so(tmp_path: Path, port: int) -> None:
    (tmp_path / "page").mkdir()
    otto = page(tmp_path / "page", port, ADMIN)
    with serving_node(tmp_path / "peer", ae_title="TPS", port=port):
        answer = otto.post("/api/peers/TPS/echo")
    assert answer.json is not None
    assert answer.json["hears_us"]
    assert answer.json["words"].startswith("TPS answers")


def test_a_peer_that_is_not_there_is_told(tmp_path: Path, port: int) -> None:
    answer = page(tmp_path, port, ADMIN).post("/api/peers/TPS/echo")
    assert answer.json is not None
    assert answer.status_code == 200
    assert not answer.json["hears_us"]
    assert "nobody answers there" in answer.json["words"]


def test_only_administrators_test_peers(tmp_path: Path, port: int) -> None:
    otto = page(tmp_path, port, "physician")
    assert otto.post("/api/peers/TPS/echo").status_code == 403
    assert otto.get("/api/status").json["may_test_peers"] is False  # type: ignore[index]


def test_a_peer_of_nobody_is_404(tmp_path: Path, port: int) -> None:
    assert page(tmp_path, port, ADMIN).post("/api/peers/NOBODY/echo").status_code == 404


def test_the_status_names_each_peer_and_where_it_is(tmp_path: Path, port: int) -> None:
    status = page(tmp_path, port, ADMIN).get("/api/status").json
    assert status is not None
    assert status["peers"] == [{"name": "TPS", "words": f"TPS at 127.0.0.1:{port}"}]
    assert status["may_test_peers"] is True


def test_doses_and_contours_without_their_ct_are_listed_with_how_to_fetch_it(
    tmp_path: Path, port: int
) -> None:
    ct = ct_series(patient="P9")
    contours = rtstruct(ct, {"Heart": []})
    contours.StudyInstanceUID = ct[0].StudyInstanceUID
    otto = page(tmp_path, port, ADMIN)
    room = Room(settings_for(tmp_path, peers=[peer_values("TPS", port=port)]), otto_store(otto))
    receive(room, written([contours], tmp_path / "rs"))
    (listed,) = otto.get("/api/status").json["without_ct"]  # type: ignore[index]
    assert listed["words"].startswith("RTSTRUCT of ")
    assert listed["fetch"] == f"recontour fetch --from 'TPS' --study {ct[0].StudyInstanceUID}"
    receive(room, written(ct, tmp_path / "ct"))
    assert otto.get("/api/status").json["without_ct"] == []  # type: ignore[index]


def otto_store(otto: Reviewer) -> Store:
    """The store behind the page."""
    desk: Desk = otto.client.application.extensions[EXTENSION]
    return desk.store
