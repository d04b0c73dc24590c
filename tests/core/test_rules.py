"""Rules: which one decides what is done with a series, and why not the others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from core.config import RuleSettings
from core.database import writing
from core.errors import ConfigError, NoRuleError
from core.records import RECOVERED, Instance, InstanceHeader, Routing
from core.rules import route, route_series, weigh
from core.store import Store
from core.volume import Volume
from tests.support.review_case import MODEL, NOW, put_case, small_geometry
from tests.support.settings import settings_for


def rule(name: str, **when: Any) -> RuleSettings:
    return RuleSettings.model_validate(
        {"name": name, "when": when, "structures": ["Heart"], "destinations": ["TPS"]}
    )


def header(**said: str) -> InstanceHeader:
    return InstanceHeader("1.2.3", "1.2", "1.2.4", "1.2.5", "CT", **said)  # type: ignore[arg-type]


THORAX = header(study_description="Thorax RT", protocol_name="Breast DIBH", patient_name="A^B")


def test_the_first_rule_that_fits_decides_whatever_comes_after() -> None:
    rules = [rule("knee", body_part_examined="KNEE"), rule("thorax"), rule("also")]
    decided = route(rules, THORAX, "TPS")
    assert (decided.rule, decided.because) == ("thorax", "it asks for nothing")


@pytest.mark.parametrize(
    "when",
    [
        {"calling_ae_title": "TPS"},
        {"modality": "ct"},
        {"study_description": "thorax*"},
        {"protocol_name": ["knee*", "*dibh"]},
        {"series_description": "*"},
        {"study_description": "Thorax ??", "modality": "CT"},
    ],
)
def test_a_rule_fits_when_one_pattern_of_every_key_does(when: dict[str, Any]) -> None:
    (weighed,) = weigh([rule("r", **when)], THORAX, "TPS")
    assert weighed.fits, weighed.why
    assert all(key in weighed.why for key in when)


@pytest.mark.parametrize(
    "when",
    [
        {"calling_ae_title": "PACS"},
        {"modality": "MR"},
        {"study_description": "thorax"},
        {"protocol_name": ["knee*", "*hip"]},
        {"body_part_examined": "?*"},
        {"modality": "CT", "series_description": "4D*"},
    ],
)
def test_a_rule_that_does_not_fit_names_the_key_and_never_what_was_found(
    when: dict[str, Any],
) -> None:
    (weighed,) = weigh([rule("r", **when)], THORAX, "TPS")
    assert not weighed.fits
    assert list(when)[-1] in weighed.why
    assert "DIBH" not in weighed.why
    assert "Thorax RT" not in weighed.why


def test_a_series_that_no_rule_fits_is_told_why_for_each_and_what_to_do() -> None:
    rules = [rule("knee", body_part_examined="KNEE"), rule("mr", modality="MR")]
    with pytest.raises(NoRuleError, match=r"knee: body_part.*; mr: modality.*recontour retry"):
        route(rules, THORAX, "TPS")


def test_the_instance_that_came_first_decides_and_a_recovered_one_only_where_no_other_is() -> None:
    def came(number: int, sender: str, minutes: int) -> Instance:
        at = NOW + timedelta(minutes=minutes)
        return Instance(number, THORAX, f"{number}.dcm", "", 1, sender, at, kept_aside=False)

    rules = [rule("of the router", calling_ae_title="ROUTER"), rule("others")]
    late, first, found = came(1, "PACS", 5), came(2, "ROUTER", 1), came(3, RECOVERED, 0)
    assert route_series(rules, [late, first, found]).rule == "of the router"
    assert route_series(rules, [late, found]).rule == "others"
    assert route_series(rules, [found]).rule == "others"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"structures": ["Liver"]}, "names structures Liver; known are Heart"),
        ({"destinations": ["PACS"]}, "names destinations PACS; known are TPS"),
        ({"destinations": []}, r"rules\.0\.destinations"),
        ({"structures": ["Heart", "Heart"]}, "names Heart twice"),
        ({"when": {"colour": "red"}}, r"rules\.0\.when\.colour: this key is not known"),
        ({"priority": "at once"}, r"rules\.0\.priority"),
    ],
)
def test_a_rule_that_could_not_be_followed_is_refused_at_start(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    good = {"name": "r", "structures": ["Heart"], "destinations": ["TPS"]}
    with pytest.raises(ConfigError, match=said):
        settings_for(tmp_path, rules=[{**good, **change}])


def test_a_rule_behind_one_that_fits_everything_is_refused_because_it_could_never_fire(
    tmp_path: Path,
) -> None:
    what = {"structures": ["Heart"], "destinations": ["TPS"]}
    with pytest.raises(ConfigError, match="'knee' can never fire: 'all' before it fits every"):
        settings_for(
            tmp_path,
            rules=[
                {"name": "all", **what},
                {"name": "knee", "when": {"body_part_examined": "KNEE"}, **what},
            ],
        )


# --- what the rules mean for what waits


def put(store: Store, structures: tuple[str, ...], priority: str) -> str:
    geometry = small_geometry()
    case_id = put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    store.cases.routed(case_id, Routing("r", structures, ("TPS",), priority, "it fits"))
    return case_id


def test_only_cases_routed_to_a_structure_wait_for_it_and_the_urgent_ones_come_first(
    store: Store,
) -> None:
    low = put(store, ("Heart",), "low")
    normal = put(store, ("Liver", "Heart"), "normal")
    put(store, ("Liver",), "urgent")
    urgent = put(store, ("Heart",), "urgent")
    waiting = [c.id for c in store.cases.to_predict("Heart", MODEL)]
    assert waiting == [urgent, normal, low]


def test_a_case_assembled_before_there_were_rules_is_found_for_routing(store: Store) -> None:
    routed = put(store, ("Heart",), "normal")
    database_null, json_null = put(store, ("Heart",), "normal"), put(store, ("Heart",), "normal")
    with writing(store.engine) as connection:
        for case_id, value in ((database_null, None), (json_null, "null")):
            connection.execute(
                sa.text('UPDATE "case" SET routing = :value WHERE id = :id'),
                {"value": value, "id": case_id},
            )
    assert {c.id for c in store.cases.to_route()} == {database_null, json_null}
    assert store.cases.get(routed).routing is not None
