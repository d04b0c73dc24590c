"""A certificate authority for tests, by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import require_program


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files of one side: what it shows, its key, and who may sign the others'."""

    certificate: Path
    private_key: Path
    authorities: Path

    def settings(self) -> dict[str, str]:
        """The files as keys of dicom.tls."""
        return {
            "certificate": str(self.certificate),
            "private_key": str(self.private_key),
            "authorities": str(self.authorities),
        }


class Authority:
    """Signs certificates; everything lies in `folder`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate),
        )

    def certify(self, name: str, *, host: str = "IP:127.0.0.1", days: int = 2) -> Certificate:
        """A certificate for `name` that names `host` as its address; of -1 days it has expired."""
        base = self._folder / name
        request, key, certificate = (base.with_suffix(s) for s in (".csr", ".key", ".crt"))
        extensions = base.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={host}\n")
        _openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", key, "-out", request),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-days", str(days), "-CAcreateserial"),
            *("-CA", self.certificate, "-CAkey", self._key),
            *("-extfile", extensions, "-out", certificate),
        )
        key.chmod(0o600)
        return Certificate(certificate, key, self.certificate)


def _openssl(*arguments: str | Path) -> None:
    command = [str(require_program("openssl")), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
