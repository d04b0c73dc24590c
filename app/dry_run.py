"""What the rules would decide for files, without a node: `recontour rules`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.tables import Row
from core.config import RuleCondition, RuleSettings, Settings
from core.errors import RecontourError, UnreadableObjectError
from core.instance_store import PLANNING_MODALITY
from core.records import InstanceHeader
from core.rules import found_in, weigh
from dicom_node.network.header import read_header

FIRES, BEHIND, FITS_NOT = "fires", "fits, but comes later", "does not fit"


@dataclass(frozen=True, slots=True)
class DryRun:
    """The rules held against one series; `found` is what its header says for each key."""

    name: str
    found: dict[str, str]
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def fires(self) -> bool:
        """Whether a rule decides on this series, or none needs to."""
        return bool(self.note) or any(row["decision"] == FIRES for row in self.rows)


def rules_as_rows(settings: Settings) -> list[Row]:
    """Every rule in order, as a table shows it."""
    return [
        {
            "rule": rule.name,
            "when": _condition(rule.when),
            "structures": ", ".join(rule.structures),
            "destinations": ", ".join(rule.destinations),
            "priority": rule.priority,
            "returning": rule.returning,
        }
        for rule in settings.rules
    ]


def dry_run(
    paths: Sequence[Path], rules: Sequence[RuleSettings], *, calling_ae_title: str
) -> list[DryRun]:
    """The rules held against each series in `paths` (files, or folders with *.dcm).

    Raises `UnreadableObjectError` naming the file that cannot be read.
    """
    first_of: dict[str, tuple[Path, InstanceHeader]] = {}
    for path in _files(paths):
        header = _header(path)
        first_of.setdefault(header.series_instance_uid, (path, header))
    if not first_of:
        raise UnreadableObjectError("There is no *.dcm file there. Name DICOM files or a folder.")
    return [_held(path, header, rules, calling_ae_title) for path, header in first_of.values()]


def _held(
    path: Path, header: InstanceHeader, rules: Sequence[RuleSettings], calling_ae_title: str
) -> DryRun:
    found = found_in(header, calling_ae_title)
    if header.modality != PLANNING_MODALITY:
        note = f"no rule is asked: only a CT opens a case, a {header.modality} joins one"
        return DryRun(path.name, found, (), note)
    rows: list[Row] = []
    decided = False
    for weighed in weigh(rules, header, calling_ae_title):
        decision = FITS_NOT if not weighed.fits else BEHIND if decided else FIRES
        decided = decided or weighed.fits
        rows.append({"rule": weighed.rule.name, "decision": decision, "why": weighed.why})
    return DryRun(path.name, found, tuple(rows))


def _files(paths: Iterable[Path]) -> list[Path]:
    return [f for p in paths for f in (sorted(p.rglob("*.dcm")) if p.is_dir() else [p])]


def _header(path: Path) -> InstanceHeader:
    try:
        return read_header(path.read_bytes())
    except RecontourError as error:
        raise UnreadableObjectError(f"{path.name}: {error}") from error


def _condition(when: RuleCondition) -> str:
    asked = {key: getattr(when, key) for key in RuleCondition.model_fields}
    parts = [f"{key} {' or '.join(patterns)}" for key, patterns in asked.items() if patterns]
    return ", ".join(parts) or "everything"
