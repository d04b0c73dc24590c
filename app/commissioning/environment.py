"""What the node stands on, with the doctor's eyes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from app.checks.certificates import certificates
from app.checks.finding import State as Found
from app.checks.network import ports
from app.checks.storage import storage
from app.commissioning.check import Check, told
from app.doctor import versions
from core.config import Settings

GROUP = "Environment"
_DOCTOR = "As recontour doctor looks at it (docs/how-to/doctor.md)."


def environment_checks(settings: Settings) -> Iterator[Check]:
    """Every finding of the doctor but those about peers; a warning passes, and is told."""
    findings = chain(versions(), storage(settings), certificates(settings), ports(settings))
    for finding in findings:
        said = f"{finding.found}. {finding.do}" if finding.do else finding.found
        right = finding.state is not Found.FAIL
        warned = f"Warning: {said}" if finding.state is Found.WARN else said
        yield told(GROUP, finding.check, warned, right=right, reason=_DOCTOR)
