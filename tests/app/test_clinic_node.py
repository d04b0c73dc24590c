"""A demo on the machine of a hospital's node keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.clinic_node import write_clinic_config
from core.alert_config import AlertSettings
from core.config import load_settings
from core.errors import RecontourError
from tests.support.settings import free_port, peer_values, write_config


def hospital(folder: Path) -> Path:
    """The configuration of a node that is at work."""
    tps = peer_values(
        "ARIA", port=free_port(), host="aria.hospital", tls=True, addresses=["10.1.0.0/24"]
    )
    rule = {"name": "heart", "structures": ["Heart"], "destinations": ["ARIA", "PACS"]}
    return write_config(
        folder,
        database_url="postgresql+psycopg://node@db.hospital/recontour",
        dicom={
            "host": "0.0.0.0",
            "port": free_port(),
            "tls": {
                "enabled": True,
                "port": 2762,
                "certificate": "node.crt",
                "private_key": "node.key",
                "authorities": "ca.crt",
            },
        },
        peers=[tps, peer_values("PACS", host="pacs.hospital")],
        rules=[rule | {"group": "breast"}],
        review={
            "host": "0.0.0.0",
            "port": free_port(),
            "public_url": "https://recontour.hospital",
            "second_factor": "required",
        },
        audit={"syslog": {"host": "log.hospital"}},
        alerts={
            "mail": {"host": "mail.hospital", "recipients": ["it@hospital.example"]},
            "webhook": {"url": "https://chat.hospital/alerts"},
        },
    )


def test_nothing_of_a_hospitals_configuration_leads_out_of_the_demo(tmp_path: Path) -> None:
    written = write_clinic_config(
        hospital(tmp_path), tmp_path / "demo", {"review": {"tour": True}, "training": {"seed": 7}}
    )
    settings = load_settings(written)
    folder = tmp_path / "demo" / "data"
    assert settings.data_folder == folder
    assert settings.resolved_database_url() == f"sqlite:///{folder / 'recontour.db'}"
    (tps,) = settings.peers
    assert (tps.ae_title, tps.host, tps.tls, tps.addresses) == ("ARIA", "127.0.0.1", False, ())
    assert tps.rights == {"echo", "store", "query", "commit"}
    assert [(rule.destinations, rule.group) for rule in settings.rules] == [(("ARIA",), "")]
    assert (settings.dicom.host, settings.dicom.tls.enabled) == ("127.0.0.1", False)
    assert (settings.review.host, settings.review.public_url) == ("127.0.0.1", "")
    assert settings.review.second_factor == "optional"
    assert (settings.audit.syslog.host, settings.alerts) == ("", AlertSettings())
    assert (settings.review.tour, settings.training.seed) == (True, 7)
    assert ".hospital" not in written.read_text()


@pytest.mark.parametrize("name", ["RECONTOUR_DATABASE_URL", "recontour_peers__0__host"])
def test_an_environment_variable_that_would_lead_out_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "db.hospital")
    with pytest.raises(RecontourError, match=name):
        write_clinic_config(hospital(tmp_path), tmp_path / "demo")
    monkeypatch.setenv(name, "")
    assert write_clinic_config(hospital(tmp_path), tmp_path / "demo").is_file()
