"""Which rule decides what is done with a series, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from core.config import RuleCondition, RuleSettings
from core.errors import NoRuleError
from core.records import RECOVERED, Case, Instance, InstanceHeader, Routing

# No rule of config.yaml: its name could not be one that a person gives.
FOR_TRAINING = "(imported for training)"
URGENT = 1
_URGENCY = {"urgent": URGENT, "normal": 2, "low": 3}


@dataclass(frozen=True, slots=True)
class Weighed:
    """One rule held against one series; `why` says what fitted, or the first key that did not."""

    rule: RuleSettings
    fits: bool
    why: str


def found_in(header: InstanceHeader, calling_ae_title: str) -> dict[str, str]:
    """What a series says for each key that a rule may ask for (see `RuleCondition`)."""
    return {
        "calling_ae_title": calling_ae_title,
        "modality": header.modality,
        "study_description": header.study_description,
        "protocol_name": header.protocol_name,
        "body_part_examined": header.body_part_examined,
        "series_description": header.series_description,
    }


def weigh(
    rules: Sequence[RuleSettings], header: InstanceHeader, calling_ae_title: str
) -> list[Weighed]:
    """Every rule held against a series, in order; the first that fits decides."""
    found = found_in(header, calling_ae_title)
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
        group=decided.rule.group,
    )


def route_series(rules: Sequence[RuleSettings], instances: Sequence[Instance]) -> Routing:
    """What the rules say for a series, by the instance of it that came first.

    Of the instances of one series another sender may bring the late ones; the first decides, so
    that the answer does not change with them. A file found again on disk no longer knows who
    sent it; it is asked only where no other is there.
    """
    first = min(instances, key=lambda i: (i.calling_ae_title == RECOVERED, i.received_at, i.id))
    return route(rules, first.header, first.calling_ae_title)


def for_training(roi_name: str) -> Routing:
    """The routing of a case that was imported to be learned from: it is sent nowhere."""
    return Routing(FOR_TRAINING, (roi_name,), (), "low", "it was imported to be learned from")


def is_imported(current: Case) -> bool:
    """Whether a case was imported to be learned from or to judge, and is nobody's work."""
    return current.routing is not None and current.routing.rule == FOR_TRAINING


def training_alone(current: Case, instances: Sequence[Instance]) -> Routing | None:
    """The routing of a case that was imported and that no peer has sent; None for others."""
    sent = any(instance.calling_ae_title != RECOVERED for instance in instances)
    return current.routing if is_imported(current) and not sent else None


def urgency(current: Case) -> int:
    """Place of a case in a queue: 1 urgent, 2 normal, 3 low."""
    return _URGENCY["normal" if current.routing is None else current.routing.priority]


def structure_under_review(current: Case, default: str) -> str:
    """Name of the structure that is corrected on a case: the first its rule names, until turned."""
    if current.under_review is not None:
        return current.under_review
    return default if current.routing is None else current.routing.structures[0]


def is_under_review(current: Case, roi_name: str) -> bool:
    """Whether a structure is the one that is corrected on a case now, and not one beside it."""
    return structure_under_review(current, roi_name) == roi_name


def is_wanted(current: Case, roi_name: str) -> bool:
    """Whether a structure is to be predicted on a case; what was imported waits for nobody."""
    routing = current.routing
    return routing is not None and roi_name in routing.structures and not is_imported(current)


def returning_of(rules: Sequence[RuleSettings], current: Case) -> str:
    """What the rule of a case says of structure sets that come back: compare or learn.

    Compare where no rule has decided, or where the rule is gone from config.yaml.
    """
    decided = None if current.routing is None else current.routing.rule
    return next((rule.returning for rule in rules if rule.name == decided), "compare")


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
