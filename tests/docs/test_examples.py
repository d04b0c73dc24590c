"""Settings that pages show are settings, and Orthanc as shipped fits the node as shipped."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config import Settings, load_settings
from dicom_node.network.tls import server_context
from tests.docs.pages import PAGES, REPOSITORY, page
from tests.support.peers import require_program
from tests.support.settings import settings_for

_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def shown(path: Path) -> list[dict[str, Any]]:
    """The blocks of settings that a page shows; other programs have YAML too."""
    blocks = [yaml.safe_load(block) for block in _YAML.findall(path.read_text())]
    return [block for block in blocks if block.keys() <= Settings.model_fields.keys()]


def merged(base: Any, shown: Any) -> Any:
    """`base` with what is shown in its place, as a reader puts it there: a list goes whole."""
    if isinstance(base, dict) and isinstance(shown, dict):
        return base | {key: merged(base.get(key), value) for key, value in shown.items()}
    return shown


@pytest.mark.parametrize(
    "path", [path for path in PAGES if shown(path)], ids=lambda path: path.name
)
def test_settings_that_a_page_shows_are_read_beside_the_shipped_ones(
    path: Path, tmp_path: Path
) -> None:
    for number, block in enumerate(shown(path)):
        config = tmp_path / f"{number}.yaml"
        values = merged(yaml.safe_load(page("config.yaml")), block)
        if "rules" not in block and "peers" in block:
            values["rules"][0]["destinations"] = [values["peers"][0]["name"]]
        config.write_text(yaml.safe_dump(values))
        settings = load_settings(config)
        for name, value in block.items():
            if isinstance(value, list):
                assert len(getattr(settings, name)) == len(value)


def test_some_pages_show_settings() -> None:
    assert sum(len(shown(path)) for path in PAGES) >= 3


def test_the_example_of_a_list_in_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page("docs/reference/configuration.md")
    examples = re.findall(r"`(RECONTOUR_\w+)=(?:'([^']+)'|(\w+))`", text)
    assert len(examples) == 2
    for name, quoted, plain in examples:
        monkeypatch.setenv(name, quoted or plain)
    settings = load_settings(REPOSITORY / "config.yaml")
    assert (settings.dicom.port, settings.model.window_hu) == (104, (-200.0, 300.0))


def test_orthanc_as_shipped_is_the_peer_of_the_node_as_shipped() -> None:
    orthanc = json.loads(page("deploy/orthanc.json"))
    settings = load_settings(REPOSITORY / "config.yaml")
    node, peer = orthanc["DicomModalities"]["NODE"], settings.peers[0]
    assert (orthanc["DicomAet"], orthanc["DicomPort"]) == (peer.ae_title, peer.port)
    assert (node["AET"], node["Host"], node["Port"]) == (
        settings.dicom.ae_title,
        settings.dicom.host,
        settings.dicom.port,
    )


def test_the_certificates_of_the_tls_page_let_a_peer_in(tmp_path: Path) -> None:
    require_program("openssl")
    commands = re.findall(r"^```\n(mkdir .*?)^```$", page("docs/how-to/tls.md"), re.DOTALL | re.M)
    subprocess.run(["sh", "-ec", *commands], cwd=tmp_path, check=True, capture_output=True)
    (shown_settings,) = shown(REPOSITORY / "docs/how-to/tls.md")
    tls = settings_for(tmp_path, dicom=shown_settings["dicom"]).dicom.tls
    caller = ssl.create_default_context(cafile=tls.authorities)
    caller.load_cert_chain(tls.certificate, tls.private_key)
    to_node, to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = caller.wrap_bio(to_peer, to_node, server_hostname="10.0.0.4")
    node = server_context(tls).wrap_bio(to_node, to_peer, server_side=True)
    for side in (peer, node, peer, node):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert node.version() == "TLSv1.3"
    assert node.getpeercert()
