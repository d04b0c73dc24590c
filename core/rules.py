"""Which rule decides what is done with a series, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from core.config import RuleCondition, RuleSettings
from core.errors import NoRuleError
from core.records import InstanceHeader, Routing


@dataclass(frozen=True, slots=True)
class Weighed:
    """One rule held against one series; `why` says what fitted, or the first key that did not."""

    rule: RuleSettings
    fits: bool
    why: str


def weigh(
    rules: Sequence[RuleSettings], header: InstanceHeader, calling_ae_title: str
) -> list[Weighed]:
    """Every rule held against a series, in order; the first that fits decides."""
    found = {
        "calling_ae_title": calling_ae_title,
        "modality": header.modality,
        "study_description": header.study_description,
        "protocol_name": header.protocol_name,
        "body_part_examined": header.body_part_examined,
        "series_description": header.series_description,
    }
    return [_weighed(rule, found) for rule in rules]


def route(rules: Sequence[RuleSettings], header: InstanceHeader, calling_ae_title: str) -> Routing:
    """What the first rule that fits says; raises `NoRuleError` where none does."""
    weighed = weigh(rules, header, calling_ae_title)
    decided = next((w for w in weighed if w.fits), None)
    if decided is None:
        reasons = "; ".join(f"{w.rule.name}: {w.why}" for w in weighed)
        raise NoRuleError(
            f"No rule fits this series ({reasons}). Add a rule to config.yaml, restart the node "
            "and run recontour retry."
        )
    return Routing(
        rule=decided.rule.name,
        structures=decided.rule.structures,
        destinations=decided.rule.destinations,
        priority=decided.rule.priority,
        because=decided.why,
    )


def _weighed(rule: RuleSettings, found: dict[str, str]) -> Weighed:
    asked: list[str] = []
    for key in RuleCondition.model_fields:
        patterns: tuple[str, ...] = getattr(rule.when, key)
        if not patterns:
            continue
        value = found[key]
        fitting = next((p for p in patterns if _fits(value, p)), None)
        if fitting is None:
            return Weighed(rule, fits=False, why=f"{key} does not fit {' or '.join(patterns)}")
        asked.append(f"{key} fits {fitting}")
    return Weighed(rule, fits=True, why=", ".join(asked) or "it asks for nothing")


def _fits(value: str, pattern: str) -> bool:
    return fnmatchcase(value.casefold(), pattern.casefold())
