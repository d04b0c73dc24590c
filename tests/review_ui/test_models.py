"""The Models page: everybody sees, administrators change, a second person decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.room import Room
from core.config import Settings
from core.model_files import DESCRIPTION_FILE, WEIGHTS_FILE, content_digest
from core.records import IMPORTED, Correction, CorrectionCheck, Prediction
from core.store import Store, open_store
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import ADMIN, PHYSICIAN
from tests.support.bodies import CT, HEART
from tests.support.review_case import ASSEMBLY, NOW, PASSWORD, Reviewer, put_case, put_prediction
from tests.support.room import approve_mask
from tests.support.settings import settings_for
from tests.support.versions import A, B, C, put_version


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.engine.dispose()


def logged_in(settings: Settings, store: Store, role: str, name: str = "otto") -> Reviewer:
    app = create_app(settings, store)
    create_user(app, name, PASSWORD, role)
    return Reviewer.log_in(app, name)


def test_a_structure_that_synthetic_patients_lack_is_not_advised_to_learn_from_them(
    settings: Settings, store: Store
) -> None:
    (heart,) = settings.structures
    both = (heart, heart.model_copy(update={"name": "Lung_L"}))
    otto = logged_in(settings.model_copy(update={"structures": both}), store, ADMIN)
    for path, before in (("/models/", "<h2>Lung_L</h2>"), ("/account/", "Give Lung_L")):
        of_heart, of_lung = otto.get(path).text.split(before)
        assert "recontour train --cold-start" in of_heart
        assert "--cold-start" not in of_lung
        assert "recontour import-labels FOLDER --roi Lung_L" in of_lung
    put_case(store, CT)
    (case_id,) = (c.id for c in store.cases.all())
    assert "no model yet, contour from scratch" in otto.get(f"/cases/{case_id}/figures").text


def put_files(settings: Settings, name: str) -> str:
    """A version whose files are whole, as far as one can tell without a network."""
    weights, config = name.encode(), {"fine": name}
    version = content_digest(weights, config)
    folder = settings.data_folder / "models" / version
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).write_bytes(weights)
    (folder / DESCRIPTION_FILE).write_text(json.dumps({"config": config}))
    return version


def held_correction(settings: Settings, store: Store) -> str:
    """What anna approved and the node holds back; returns its id."""
    case_id = put_case(store, CT)
    made = approve_mask(Room(settings, store), case_id, HEART)
    doubt = "Heart lies <24 mm> to the right of the middle of the body."
    store.checks.record(CorrectionCheck(made.id, case_id, "Heart", (doubt,), {}, NOW))
    return made.id


def in_service(store: Store) -> str | None:
    return store.models.state("Heart").in_service


def test_an_empty_node_says_how_the_first_model_comes(settings: Settings, store: Store) -> None:
    text = logged_in(settings, store, PHYSICIAN).get("/models/").text
    for said in ("No model yet", "recontour train --cold-start", "Nothing waits."):
        assert said in text
    assert "No round has ended yet." in text
    assert "No version runs in shadow." in text


def test_everybody_sees_the_versions_and_only_administrators_the_buttons(
    settings: Settings, store: Store
) -> None:
    put_version(store, A, 1)
    put_version(store, B, 2)
    seen = logged_in(settings, store, PHYSICIAN, "anna").get("/models/").text
    assert A[:12] in seen
    assert "Promoted: mean Dice 0.910" in seen
    assert "Roll back to it" not in seen
    assert "Roll back to it" in logged_in(settings, store, ADMIN).get("/models/").text


def test_one_click_rolls_back_and_cases_get_the_older_prediction_again(
    settings: Settings, store: Store
) -> None:
    first = put_files(settings, "first")
    put_version(store, first, 1)
    case_id = put_case(store, CT)
    older = put_prediction(store, case_id, HEART, version=first)
    put_version(store, B, 2)
    newer = put_prediction(store, case_id, HEART, version=B)

    def shown() -> Prediction | None:
        return store.cases.latest_prediction(store.cases.get(case_id), "Heart")

    assert shown() == newer
    otto = logged_in(settings, store, ADMIN)
    assert otto.post(f"/models/{first}/rollback").status_code == 303
    assert in_service(store) == first
    assert shown() == older
    anna = logged_in(settings, store, PHYSICIAN, "anna")
    assert anna.open(case_id).status_code == 200
    assert store.reviews.base_prediction(case_id, "Heart") == older.id
    # A case that only the withdrawn version predicted is predicted again.
    other = put_case(store, CT)
    put_prediction(store, other, HEART, version=B)
    assert [c.id for c in store.cases.to_predict("Heart", first)] == [other]
    with store.engine.connect() as connection:
        query = "select who, detail from audit where event = 'model.rolled_back'"
        ((who, detail),) = connection.execute(sa.text(query)).all()
    assert who == "otto"
    assert json.loads(detail)["before"]["in_service"] == B
    assert json.loads(detail)["after"]["in_service"] == first


def test_pin_unpin_and_shadow_by_click(settings: Settings, store: Store) -> None:
    first = put_files(settings, "first")
    put_version(store, first, 1)
    put_version(store, B, 2)
    otto = logged_in(settings, store, ADMIN)
    otto.post(f"/models/{B}/pin")
    put_version(store, C, 3)
    text = otto.get("/models/").text
    assert "in service, pinned" in text
    assert f"{C[:12]}, which waits, goes into service." in text
    otto.post(f"/models/{first}/shadow")
    assert store.models.state("Heart").shadow == first
    otto.post(f"/models/{first}/unshadow")
    otto.post(f"/models/{B}/unpin")
    assert (in_service(store), store.models.state("Heart").shadow) == (C, None)


def test_only_administrators_with_a_token_change_what_is_in_service(
    settings: Settings, store: Store
) -> None:
    first = put_files(settings, "first")
    put_version(store, first, 1)
    put_version(store, B, 2)
    anna = logged_in(settings, store, PHYSICIAN, "anna")
    otto = logged_in(settings, store, ADMIN)
    for operation in ("pin", "unpin", "rollback", "shadow", "unshadow"):
        assert anna.post(f"/models/{first}/{operation}").status_code == 403
        assert otto.client.post(f"/models/{first}/{operation}").status_code == 400
    assert store.models.state("Heart").in_service == B
    nobody = create_app(settings, store).test_client()
    assert nobody.get("/models/").status_code == 302
    assert nobody.get(f"/api/models/{B}").status_code == 401


def test_a_version_whose_files_are_not_whole_does_not_go_into_service(
    settings: Settings, store: Store
) -> None:
    first = put_files(settings, "first")
    put_version(store, first, 1)
    put_version(store, B, 2)
    (settings.data_folder / "models" / first / WEIGHTS_FILE).write_bytes(b"x")
    otto = logged_in(settings, store, ADMIN)
    answer = otto.post(f"/models/{first}/rollback")
    assert answer.status_code == 409
    assert "do not match its version" in answer.text
    assert in_service(store) == B
    assert otto.post(f"/models/{C}/rollback").status_code == 404
    assert otto.post(f"/models/{B}/explode").status_code == 404


def test_who_approved_it_cannot_decide_and_another_account_can(
    settings: Settings, store: Store
) -> None:
    held = held_correction(settings, store)
    anna = logged_in(settings, store, PHYSICIAN, "anna")
    ben = logged_in(settings, store, PHYSICIAN, "ben")
    text = anna.get("/models/").text
    assert "Heart lies &lt;24 mm&gt; to the right" in text
    assert "You approved it: another account must decide." in text
    assert "Learn from it" not in text
    assert "Learn from it" in ben.get("/models/").text
    form = {"why": "seen, it is right", "csrf_token": anna.csrf_token}
    path = f"/models/corrections/{held}/release"
    assert anna.client.post(path, data=form).status_code == 409
    assert ben.client.post(path, data={"why": "x"}).status_code == 400
    form["csrf_token"] = ben.csrf_token
    assert ben.client.post(path, data={**form, "why": " "}).status_code == 409
    assert store.learning.learning_set("Heart").ids() == ()
    assert ben.client.post(path, data=form).status_code == 303
    assert store.learning.learning_set("Heart").ids() == (held,)
    assert "seen, it is right" in anna.get("/models/").text
    assert ben.client.post(path, data=form).status_code == 409


def test_an_imported_contour_that_waits_was_not_approved_by_anybody(
    settings: Settings, store: Store
) -> None:
    case_id = put_case(store, CT)
    digest = store.files.write_mask(case_id, "correction-i", HEART)
    made = Correction(
        "i", case_id, ASSEMBLY, "Heart", None, "otto", NOW, digest, (), 0, IMPORTED
    )  # fmt: skip
    store.teaching.import_correction(made, instance_id=1)
    store.checks.record(CorrectionCheck("i", case_id, "Heart", ("Far too large.",), {}, NOW))
    text = logged_in(settings, store, PHYSICIAN, "anna").get("/models/").text
    assert "imported by otto" in text
    assert "delivered as approved" not in text


def test_the_worklist_says_that_a_correction_waits(settings: Settings, store: Store) -> None:
    held = held_correction(settings, store)
    anna = logged_in(settings, store, PHYSICIAN, "anna")

    def flags() -> list[str]:
        return list(anna.get("/api/worklist").json["cases"][0]["flags"])  # type: ignore[index]

    (flag,) = flags()
    assert flag.startswith("Not learned from until a second person looks: Heart lies <24 mm>")
    store.checks.decide(held, let_in=False, who="ben", why="wrong", now=NOW)
    assert flags() == []


def test_the_card_tells_everything_and_names_no_case_and_no_correction(
    settings: Settings, store: Store
) -> None:
    put_version(store, A, 1, scores={"origin": "synthetic patients alone; it never saw a patient"})
    put_version(store, B, 2)
    anna = logged_in(settings, store, PHYSICIAN, "anna")
    told = anna.get(f"/api/models/{B[:12]}").json
    assert told is not None
    assert (told["standing"], told["structure"]) == ("in service", "Heart")
    assert told["chain"] == [A, B]
    assert told["training_set_hash"] == "9f" * 32
    assert told["learned_from"] == {"corrections": 5, "synthetic": 24, "judged on": 1}
    assert told["gate"]["figures"]["worst case"] == 0.01
    (score,) = told["gate"]["scores"]["released"].values()
    assert score["dice"] == 0.88
    assert told["not_a_medical_device"] is True
    page = anna.get(f"/models/{B}").text
    for said in (A[:12], "0.910", "Not a medical device", "9f9f", "judged on", "0.1.0"):
        assert said in page
    for text in (page, json.dumps(told)):
        assert "case-1" not in text
        assert "correction-1" not in text
    assert "it never saw a patient" in anna.get(f"/models/{A}").text
    assert anna.get("/api/models/zzz").status_code == 404


def test_a_version_from_before_cards_has_one_that_says_what_is_not_known(
    settings: Settings, store: Store
) -> None:
    put_version(store, A, 1, detail={}, scores={})
    anna = logged_in(settings, store, PHYSICIAN, "anna")
    text = anna.get(f"/models/{A}").text
    assert "not recorded" in text
    assert "It began from fresh weights." in text
