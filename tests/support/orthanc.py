"""Orthanc as the TPS: pushes what we upload to it, receives what the node delivers."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certificates import Certificate
from tests.support.peers import require_program
from tests.support.settings import REPOSITORY, free_port

SHIPPED = REPOSITORY / "deploy" / "orthanc.json"  # what the pages tell people to take
AE_TITLE = "TPS"


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc, spoken to by its REST interface."""

    http_port: int
    dicom_port: int

    def upload(self, path: Path) -> str:
        """Give it an instance; returns Orthanc's id of it."""
        return str(self._json("/instances", path.read_bytes())["ID"])

    def push(self, ids: list[str], modality: str) -> None:
        """Let it C-STORE instances to a modality of its table; fails when one was refused."""
        body = {"Resources": ids, "Synchronous": True}
        answer = self._json(f"/modalities/{modality}/store", json.dumps(body).encode())
        assert answer["FailedInstancesCount"] == 0, answer

    def echo(self, modality: str) -> None:
        """Let it C-ECHO a modality; raises when nobody answers."""
        self._json(f"/modalities/{modality}/echo", b"{}")

    def instances_of_modality(self, modality: str) -> list[str]:
        """Ids of the instances it holds of one Modality."""
        query = {"Level": "Instance", "Query": {"Modality": modality}}
        found = self._json("/tools/find", json.dumps(query).encode())
        return [str(i) for i in found]

    def count(self) -> int:
        """How many instances it holds."""
        return int(self._json("/statistics")["CountInstances"])

    def file(self, instance_id: str) -> bytes:
        """An instance as a DICOM file."""
        return self._request(f"/instances/{instance_id}/file")

    def _json(self, path: str, body: bytes | None = None) -> Any:
        return json.loads(self._request(path, body))

    def _request(self, path: str, body: bytes | None = None) -> bytes:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
            content: bytes = answer.read()
            return content

    def find(self, modality: str, level: str, **keys: str) -> str:
        """Let it C-FIND at a modality; returns the id of the query."""
        body = {"Level": level, "Query": keys}
        answer = self._json(f"/modalities/{modality}/query", json.dumps(body).encode())
        return str(answer["ID"])

    def found(self, query: str) -> int:
        """How many matches the modality gave."""
        return len(self._json(f"/queries/{query}/answers"))

    def retrieve(self, query: str) -> None:
        """Let it C-MOVE all matches of a query to itself."""
        body = json.dumps({"TargetAet": AE_TITLE, "Synchronous": True})
        self._request(f"/queries/{query}/retrieve", body.encode())

    def ask_commitment(self, modality: str, ids: list[str]) -> dict[str, Any]:
        """Let it ask a modality to commit instances of its own; the report, once it came."""
        body = json.dumps({"Resources": ids}).encode()
        path = self._json(f"/modalities/{modality}/storage-commitment", body)["Path"]
        deadline = time.monotonic() + 15
        while True:
            report: dict[str, Any] = self._json(path)
            if report["Status"] != "Pending":
                return report
            assert time.monotonic() < deadline, "no report within 15 s"
            time.sleep(0.2)


@contextmanager
def running_orthanc(
    folder: Path,
    *,
    node_ae_title: str,
    node_port: int,
    dicom_port: int | None = None,
    certificate: Certificate | None = None,
) -> Iterator[Orthanc]:
    """Orthanc as shipped, on free ports, with the node as its modality NODE, while the block runs.

    With a `certificate` it speaks TLS, also to the node, and wants one of its callers.
    """
    program = require_program("Orthanc")
    orthanc = Orthanc(http_port=free_port(), dicom_port=dicom_port or free_port())
    config = folder / "orthanc.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    values = json.loads(SHIPPED.read_text())
    node = values["DicomModalities"]["NODE"]
    node |= {"AET": node_ae_title, "Port": node_port, "UseDicomTls": certificate is not None}
    values |= {"HttpPort": orthanc.http_port, "DicomPort": orthanc.dicom_port}
    config.write_text(json.dumps(values | _tls(certificate)))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([str(program), str(config)], stdout=log, stderr=log)
        try:
            _wait_until_it_answers(orthanc, process)
            yield orthanc
        finally:
            process.terminate()
            process.wait(timeout=20)


def _tls(certificate: Certificate | None) -> dict[str, Any]:
    if certificate is None:
        return {}
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificate.certificate),
        "DicomTlsPrivateKey": str(certificate.private_key),
        "DicomTlsTrustedCertificates": str(certificate.authorities),
    }


def _wait_until_it_answers(orthanc: Orthanc, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            orthanc._json("/system")
        except OSError:
            assert process.poll() is None, "Orthanc ended by itself"
            assert time.monotonic() < deadline, "Orthanc did not start"
            time.sleep(0.1)
        else:
            return
