"""Cases of another group are not there: on every route, in every list, for whoever asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import yaml
from flask import Flask
from werkzeug.test import TestResponse

from core.config import Settings
from core.errors import AccountError, ConfigError
from core.journal import encode_runs, mask_crc32
from core.records import CorrectionCheck, Routing
from core.store import Store
from core.tables import audit, delivery
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user, set_groups
from review_ui.groups import require_complete
from review_ui.roles import (
    CLOSED_ENDPOINTS,
    OWN_ENDPOINTS,
    PHYSICIAN,
    PHYSICIST,
    PUBLIC_ENDPOINTS,
    VIEWER,
)
from tests.support.review_case import NOW, PASSWORD, ROUTING, Reviewer, put_case, small_geometry
from tests.support.settings import settings_for

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
SECRET = "Foreign"
NO_ID = "f" * 32


def of_group(group: str) -> Routing:
    return Routing("heart", ("Heart",), ("TPS",), "normal", "modality fits CT", group)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A case of the group breast, approved there, with everything that names it in an address."""

    case_id: str
    observation_id: str
    delivery_id: str
    correction_id: str

    def secrets(self) -> tuple[str, ...]:
        return (SECRET, "F-777", self.case_id, self.delivery_id, self.correction_id)


@pytest.fixture
def settings(tmp_path: Path, settings: Settings) -> Settings:
    values = yaml.safe_load((tmp_path / "config.yaml").read_text())
    rule = values["rules"][0]
    of_lung = {**rule, "name": "lung", "group": "lung", "when": {"protocol_name": "L*"}}
    return settings_for(tmp_path, rules=[of_lung, {**rule, "group": "breast"}])


@pytest.fixture
def bert(app: Flask) -> Reviewer:
    """A physician of the group lung."""
    create_user(app, "bert", PASSWORD, PHYSICIAN)
    set_groups(app, "bert", ["lung"])
    return Reviewer.log_in(app, "bert")


@pytest.fixture
def foreign(app: Flask, anna: Reviewer, store: Store) -> Foreign:
    """anna, of the group breast, approved it; what she did waits for a second person."""
    set_groups(app, "anna", ["breast"])
    case_id = put_case(
        store, CT, patient_id="F-777", patient_name=f"{SECRET}^Zoe", routing=of_group("breast")
    )
    create_user(app, "phil", PASSWORD, PHYSICIST)
    asked = store.observations.assign(case_id, "Heart", "phil", who="otto", now=NOW)
    assert anna.open(case_id).status_code == 200
    drawn = np.zeros(GEOMETRY.shape, bool)
    drawn[3, 4:8, 4:8] = True
    seen = anna.stroke(case_id, 1, encode_runs(np.flatnonzero(drawn)), slice=3)
    assert seen.status_code == 200, seen.text
    done = anna.post(
        f"/api/cases/{case_id}/approve",
        tab=anna.tab,
        seq=1,
        voxels=int(drawn.sum()),
        crc32=mask_crc32(drawn),
        slices_seen=[3],
    )
    assert done.status_code == 200, done.text
    approved = store.reviews.correction_of(case_id, "Heart")
    assert approved is not None
    store.checks.record(
        CorrectionCheck(approved.id, case_id, "Heart", ("much larger than usual",), {}, NOW)
    )
    with store.engine.connect() as connection:
        sent = connection.scalar(sa.select(delivery.c.id).where(delivery.c.case_id == case_id))
    return Foreign(case_id, asked.id, str(sent), approved.id)


def requests(app: Flask, ids: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Method, path and rule of every route but the public ones; other arguments are made up."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC_ENDPOINTS | OWN_ENDPOINTS | CLOSED_ENDPOINTS:
            continue
        path = re.sub(r"<int:\w+>", "1", rule.rule)
        path = re.sub(r"<(\w+)>", lambda found: ids.get(found[1], "x"), path)
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            yield method, path, rule.rule


def ask(who: Reviewer, method: str, path: str) -> TestResponse:
    return who.get(path) if method == "GET" else who.post(path, tab=who.tab)


def without_ids(answer: TestResponse, *ids: str) -> tuple[Any, ...]:
    """What can be told apart of an answer; the address itself may stand in it."""
    text = answer.get_data(as_text=True)
    for one in ids:
        text = text.replace(one, "ID")
    return answer.status_code, dict(answer.headers), re.sub(r'content="[^"]+"', "", text)


def test_every_route_answers_as_if_the_case_of_another_group_were_not_there(
    app: Flask, bert: Reviewer, foreign: Foreign
) -> None:
    names = ("case_id", "observation_id", "delivery_id", "correction_id")
    real = {name: getattr(foreign, name) for name in names}
    tried = 0
    nothing = dict.fromkeys(names, NO_ID)
    for (method, path, rule), (_, elsewhere, _) in zip(
        requests(app, real), requests(app, nothing), strict=True
    ):
        if path == elsewhere:
            continue
        answer, none = ask(bert, method, path), ask(bert, method, elsewhere)
        refused_by_role = answer.status_code == 403 and none.status_code == 403
        assert answer.status_code == 404 or refused_by_role, (method, rule)
        assert without_ids(answer, path) == without_ids(none, elsewhere), (method, rule)
        tried += answer.status_code == 404
    assert tried >= 30


def test_no_page_list_or_table_tells_of_another_groups_case(
    app: Flask, bert: Reviewer, anna: Reviewer, foreign: Foreign, store: Store
) -> None:
    mine = put_case(store, CT, patient_name="Mine^Own", routing=of_group("lung"))
    paths = {
        path for method, path, rule in requests(app, {}) if method == "GET" and "<" not in rule
    }
    paths |= {"/?show=finished", f"/api/next?after={foreign.case_id}", "/deliveries/?state=waiting"}
    for path in sorted(paths):
        told = bert.get(path).get_data(as_text=True)
        assert not [secret for secret in foreign.secrets() if secret in told], path
    assert bert.get("/api/next").json == {"next": mine}
    assert [c["id"] for c in bert.get("/api/worklist").json["cases"]] == [mine]  # type: ignore[index]
    seen = [path for path in sorted(paths) if SECRET in anna.get(path).get_data(as_text=True)]
    assert {"/", "/api/worklist", "/deliveries/", "/models/", "/status"} <= set(seen)


def test_what_was_refused_stands_in_the_audit_once_for_what_is_there_and_what_is_not(
    bert: Reviewer, foreign: Foreign, store: Store
) -> None:
    for case_id in (foreign.case_id, NO_ID):
        assert bert.get(f"/api/cases/{case_id}").status_code == 404
    with store.engine.connect() as connection:
        query = sa.select(audit.c.who, audit.c.case_id).where(audit.c.event == "case.not_shown")
        assert connection.execute(query).all() == [("bert", foreign.case_id), ("bert", NO_ID)]


@pytest.mark.parametrize("role", [VIEWER, PHYSICIST])
def test_who_sees_what(app: Flask, store: Store, foreign: Foreign, role: str) -> None:
    create_user(app, "wanda", PASSWORD, role)
    everybodys = put_case(store, CT, routing=ROUTING)
    undecided = put_case(store, CT, routing=None)
    wanda = Reviewer.log_in(app, "wanda")

    def seen() -> set[str]:
        return {
            one
            for one in (foreign.case_id, everybodys, undecided)
            if wanda.get(f"/cases/{one}").status_code == 200
        }

    every = {foreign.case_id, everybodys, undecided}
    assert seen() == (every if role == PHYSICIST else {everybodys})
    set_groups(app, "wanda", ["breast"], who="otto")
    assert seen() == (every if role == PHYSICIST else {foreign.case_id, everybodys})
    set_groups(app, "wanda", [], who="otto")  # counts from the next request on
    assert seen() == (every if role == PHYSICIST else {everybodys})
    with store.engine.connect() as connection:
        query = sa.select(audit.c.detail).where(
            audit.c.event == "account.groups", audit.c.who == "otto"
        )
        changes = [(d["before"], d["after"]) for d in connection.scalars(query)]
    assert changes == [([], ["breast"]), (["breast"], [])]


def test_a_case_is_passed_on_and_observed_within_its_group(
    app: Flask, anna: Reviewer, foreign: Foreign
) -> None:
    create_user(app, "bert", PASSWORD, PHYSICIAN)
    set_groups(app, "bert", ["lung"])
    create_user(app, "berta", PASSWORD, PHYSICIAN)
    set_groups(app, "berta", ["breast"])
    answer = anna.get(f"/api/cases/{foreign.case_id}/colleagues")
    assert answer.json == {"colleagues": ["berta", "phil"]}


def test_without_groups_in_the_configuration_everybody_sees_what_no_rule_decided_on(
    tmp_path: Path, app: Flask, bert: Reviewer, store: Store
) -> None:
    undecided = put_case(store, CT, routing=None)
    assert bert.get(f"/cases/{undecided}").status_code == 404
    open_to_all = create_app(settings_for(tmp_path), store)
    someone = Reviewer.log_in(open_to_all, "bert")
    assert someone.get(f"/cases/{undecided}").status_code == 200


def test_a_group_that_only_cases_still_name_can_be_given(app: Flask, store: Store) -> None:
    put_case(store, CT, routing=of_group("thorax"))  # the rules say lung and breast by now
    put_case(store, CT, routing=of_group(""))
    create_user(app, "otto", PASSWORD, "admin")
    otto = Reviewer.log_in(app, "otto")
    assert 'value="thorax"' in otto.get("/users/").text
    set_groups(app, "anna", ["thorax"])
    assert store.groups.of("anna") == {"thorax"}
    with pytest.raises(AccountError, match="cases: breast, lung, thorax"):
        set_groups(app, "anna", ["heart"])


def test_groups_are_changed_on_the_page_and_one_that_no_rule_names_is_refused(
    app: Flask, store: Store
) -> None:
    create_user(app, "otto", PASSWORD, "admin")
    otto = Reviewer.log_in(app, "otto")
    token = {"csrf_token": otto.csrf_token}
    sent = otto.client.post("/users/anna/groups", data={**token, "groups": ["lung", "breast"]})
    assert sent.status_code == 303
    assert store.groups.of("anna") == {"lung", "breast"}
    assert otto.client.post("/users/anna/groups", data={**token, "groups": "x"}).status_code == 422
    with pytest.raises(AccountError, match="breast, lung"):
        set_groups(app, "anna", ["brest"])


def test_a_route_that_says_nothing_of_groups_does_not_come_up(app: Flask) -> None:
    app.add_url_rule("/new", "new.page", lambda: "of whom?")
    with pytest.raises(ConfigError, match=r"new\.page"):
        require_complete(app)
