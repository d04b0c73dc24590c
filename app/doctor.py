"""Looks at everything the node stands on, whether it runs or not, and says what to do."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.checks.alerts import alerts
from app.checks.certificates import certificates
from app.checks.finding import Finding, State, fail, ok
from app.checks.login_service import login_service
from app.checks.network import network
from app.checks.storage import storage
from app.tables import Row
from core.config import load_settings
from core.errors import ConfigError

_OLDEST_PYTHON = (3, 11)
_PACKAGES = ("pydicom", "pynetdicom", "torch")


def diagnose(config: Path, *, test_alert: bool = False) -> list[Finding]:
    """Every finding, in the order in which to mend them; `test_alert` sends one."""
    findings = [*versions()]
    try:
        settings = load_settings(config)
    except ConfigError as error:
        return [*findings, fail("configuration", str(error), "Correct the file; start again then.")]
    findings.append(ok("configuration", f"{config}: AE title {settings.dicom.ae_title}"))
    return [
        *findings,
        *storage(settings),
        *certificates(settings),
        *network(settings),
        *login_service(settings),
        *alerts(settings, test=test_alert),
    ]


def rows_of(findings: list[Finding]) -> list[Row]:
    """The findings as rows of a table."""
    return [
        {"check": f.check, "state": str(f.state), "found": f.found, "what_to_do": f.do}
        for f in findings
    ]


def is_healthy(findings: list[Finding]) -> bool:
    """Whether nothing failed; what is worth a warning still works."""
    return all(f.state is not State.FAIL for f in findings)


def versions() -> list[Finding]:
    """Of Python and of the packages that matter most."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return [fail("versions", f"Python {python}", "Install Python 3.11 or newer.")]
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            return [fail("versions", f"{package} is not installed", "Run make setup.")]
    return [ok("versions", ", ".join([f"Python {python}", *found]))]
