"""What is in service changes by the gate or by a person, and every change is written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from core.database import MIGRATIONS, open_engine
from core.errors import ModelUnavailableError
from core.records import RELEASED, WAITS, WITHDRAWN, ModelVersion, Round
from core.store import Store

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
A, B, C, D = ("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32)


class Trainer:
    """Rounds that end with a version, one an hour."""

    def __init__(self, store: Store) -> None:
        self.store, self.rounds = store, 0

    def begin(self) -> Round:
        self.rounds += 1
        at = NOW + timedelta(hours=self.rounds)
        made = Round(f"{self.rounds:032x}", "Heart", (), "RUNNING", 0, 9, None, None, "", at, None)
        self.store.learning.start_round(made)
        return made

    def end(self, begun: Round, version: str | None) -> str | None:
        at = begun.started_at + timedelta(minutes=30)
        made = version and ModelVersion(version, "Heart", begun.parent, 0.8, {}, ("x",), at)
        return self.store.learning.finish_round(
            begun.id, verdict="Promoted: better.", now=at, released=made or None
        )

    def release(self, *versions: str) -> None:
        for version in versions:
            self.end(self.begin(), version)


@pytest.fixture
def trainer(store: Store) -> Trainer:
    return Trainer(store)


def in_service(store: Store) -> str | None:
    released = store.learning.released("Heart")
    return None if released is None else released.version


def statuses(store: Store) -> dict[str, str]:
    return {v.version: v.status for v in store.learning.versions("Heart")}


def verdict(store: Store) -> str:
    return store.learning.rounds("Heart", newest=1)[0].verdict


def audited(store: Store, event: str) -> list[tuple[str, dict[str, Any]]]:
    with store.engine.connect() as connection:
        query = sa.text("select who, detail from audit where event = :event order by id")
        return [(r.who, json.loads(r.detail)) for r in connection.execute(query, {"event": event})]


def test_a_promoted_version_goes_into_service_and_the_next_round_goes_on_from_it(
    store: Store, trainer: Trainer
) -> None:
    assert store.learning.released("Heart") is None
    trainer.release(A, B)
    assert in_service(store) == B
    trainer.begin()
    assert [r.parent for r in store.learning.rounds("Heart", newest=3)] == [B, A, None]


def test_nothing_replaces_a_pinned_version_and_what_passed_waits(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A)
    store.models.pin(A, who="otto", now=NOW)
    begun = trainer.begin()
    assert trainer.end(begun, B) == WAITS
    assert in_service(store) == A
    assert verdict(store) == f"Promoted: better; it waits: version {A[:12]} is pinned."
    assert statuses(store) == {A: RELEASED, B: WAITS}
    # The trainer goes on: from what waits, not from the pinned one again and again.
    tip = store.models.tip("Heart")
    assert tip is not None
    assert tip.version == B
    trainer.release(C)
    assert store.models.unpin(A, who="otto", now=NOW).in_service == C
    assert in_service(store) == C
    assert statuses(store) == {A: RELEASED, B: RELEASED, C: RELEASED}


def test_without_anything_that_waits_unpinning_changes_nothing_else(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A)
    store.models.pin(A, who="otto", now=NOW)
    store.models.unpin(A, who="otto", now=NOW)
    assert in_service(store) == A
    trainer.release(B)
    assert in_service(store) == B


def test_a_rollback_withdraws_what_is_newer_and_it_never_comes_back_by_itself(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A, B, C)
    store.models.roll_back(A, who="otto", now=NOW)
    assert in_service(store) == A
    assert statuses(store) == {A: RELEASED, B: WITHDRAWN, C: WITHDRAWN}
    assert trainer.end(trainer.begin(), C) is None
    assert in_service(store) == A
    assert f"Not promoted: version {C[:12]} was rolled back before" in verdict(store)
    assert store.learning.rounds("Heart", newest=1)[0].version is None
    trainer.release(D)
    assert in_service(store) == D


def test_a_person_may_put_a_withdrawn_version_into_service_again(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A, B, C)
    store.models.roll_back(A, who="otto", now=NOW)
    store.models.roll_back(B, who="otto", now=NOW)
    assert in_service(store) == B
    assert statuses(store) == {A: RELEASED, B: RELEASED, C: WITHDRAWN}


def test_a_round_that_learned_while_a_person_rolled_back_changes_nothing(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A, B)
    begun = trainer.begin()
    store.models.roll_back(A, who="otto", now=NOW)
    assert trainer.end(begun, C) is None
    assert in_service(store) == A
    assert "the version in service was changed while it was learned" in verdict(store)
    assert C not in statuses(store)


def test_what_waits_is_withdrawn_with_the_rest_by_a_rollback_and_the_pin_stays(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A, B)
    store.models.pin(B, who="otto", now=NOW)
    trainer.release(C)
    state = store.models.roll_back(A, who="otto", now=NOW)
    assert (state.in_service, state.pinned) == (A, True)
    assert statuses(store) == {A: RELEASED, B: WITHDRAWN, C: WITHDRAWN}


def test_every_change_by_hand_says_who_and_what_was_before_and_after(
    store: Store, trainer: Trainer
) -> None:
    trainer.release(A, B)
    store.models.pin(B, who="otto", now=NOW)
    store.models.roll_back(A, who="petra", now=NOW)
    store.models.run_in_shadow(B, who="otto", now=NOW)
    store.models.end_shadow(B, who="otto", now=NOW)
    ((who, detail),) = audited(store, "model.rolled_back")
    assert who == "petra"
    assert detail["before"] == {"in_service": B, "pinned": True, "shadow": None}
    assert detail["after"] == {"in_service": A, "pinned": True, "shadow": None}
    for event in ("model.pinned", "model.shadow_started", "model.shadow_ended"):
        assert [who for who, _ in audited(store, event)] == ["otto"]


def test_what_makes_no_sense_is_refused_with_a_sentence(store: Store, trainer: Trainer) -> None:
    trainer.release(A, B)
    with pytest.raises(ModelUnavailableError, match="not in service, so it cannot be pinned"):
        store.models.pin(A, who="otto", now=NOW)
    with pytest.raises(ModelUnavailableError, match="is not pinned"):
        store.models.unpin(B, who="otto", now=NOW)
    with pytest.raises(ModelUnavailableError, match="only another one can run in shadow"):
        store.models.run_in_shadow(B, who="otto", now=NOW)
    with pytest.raises(ModelUnavailableError, match="does not run in shadow"):
        store.models.end_shadow(A, who="otto", now=NOW)
    with pytest.raises(ModelUnavailableError, match="There is no model version"):
        store.models.roll_back(D, who="otto", now=NOW)


def test_a_version_is_found_by_its_first_digits(store: Store, trainer: Trainer) -> None:
    trainer.release(A, "a1" * 31 + "ff")
    assert store.models.find("a1" * 31 + "ff").version.endswith("ff")
    with pytest.raises(ModelUnavailableError, match="more than one"):
        store.models.find("a1a1a1")
    with pytest.raises(ModelUnavailableError, match="There is no model version"):
        store.models.find("b2b2b2")
    for unfit in ("", "a1", "latest", "../../x"):
        with pytest.raises(ModelUnavailableError, match="names no model version"):
            store.models.find(unfit)


def test_an_older_database_keeps_its_newest_model_in_service(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    insert = sa.text(
        "insert into model_version (version, roi_name, validation_dice, scores, training_set, "
        "released_at) values (:v, :roi, 0.5, '{}', '[]', :at)"
    )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for version, roi, at in (
            (A, "Heart", NOW),
            (B, "Heart", NOW + timedelta(1)),
            (C, "Lung", NOW),
        ):
            connection.execute(insert, {"v": version, "roi": roi, "at": at.replace(tzinfo=None)})
        command.upgrade(config, "head")
        rows = connection.execute(sa.text("select roi_name, in_service, pinned from model_state"))
        assert sorted(tuple(row) for row in rows) == [("Heart", B, 0), ("Lung", C, 0)]
    engine.dispose()
