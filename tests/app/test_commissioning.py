"""The physicist's acceptance: what it finds, what fails, and the page that is signed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.clinic import running_tps
from app.commissioning import known, peers
from app.commissioning.bodies import BODIES
from app.commissioning.check import State, measured
from app.commissioning.known import TOLERANCES, known_checks
from app.commissioning.models import against_record, model_checks
from app.commissioning.page import as_page
from app.room import Room
from app.synthetic_cases import sentinel_cases
from core.config import load_settings
from core.errors import ConfigError
from core.files import sha256_of
from core.model_files import WEIGHTS_FILE
from core.records import ModelVersion, Round
from core.store import open_store
from core.structures import StructureSet
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.metrics import RoiDose, roi_dose
from model.metrics import CaseScore, score_weights
from model.predict import choose_device
from model.registry import ModelDescription, publish
from tests.app.doctor_cases import configured
from tests.support.brightness import brightness_cascade
from tests.support.settings import config_of, free_port, small_model

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def commission(config: Path, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and record of a rehearsal."""
    words = ["commission", "--out", str(out), "--rehearsal", "--config", str(config), *options]
    code = CliRunner().invoke(app, words).exit_code
    return code, json.loads((out / "commissioning.json").read_text())


def states(record: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["state"] for check in record["checks"]}


class Rows(HTMLParser):
    """What the page shows of each check: its name and the texts of its cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.checks: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self._inside: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            name = dict(attrs).get("data-check")
            self._inside = None if name is None else self.checks.setdefault(name, [])
        assert tag not in {"script", "link", "img", "iframe"}

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._inside = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._inside is not None:
            self._inside.append(data)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, int]]:
    """Exit code, folder, and what the TPS got, of a node without a model."""
    folder, port = tmp_path_factory.mktemp("accepted"), free_port()
    config = configured(folder, tps_port=port)
    with running_tps(folder / "tps", ae_title="TPS", port=port) as tps:
        code, _ = commission(
            config, folder / "out", "--site", "Bay <2>", "--peers", "--send", "TPS"
        )
        yield code, folder / "out", len(tps.received)


def test_what_nothing_speaks_against_passes_and_the_rest_says_why_it_was_not_run(
    accepted: tuple[int, Path, int],
) -> None:
    code, out, received = accepted
    record = json.loads((out / "commissioning.json").read_text())
    assert code == 0
    assert (record["counts"]["fail"], received) == (0, 22)
    left_out = [check for check in record["checks"] if check["state"] == State.NOT_RUN]
    assert {check["group"] for check in left_out} == {"Time", "Model in service"}
    assert all(check["found"] == "No model is in service." for check in left_out)
    assert all(check["reason"] for check in record["checks"] if check not in left_out)
    groups = {check["group"] for check in record["checks"]}
    assert {"Environment", "Known volume and dose", "Mask to RTSTRUCT and back", "Peers"} < groups
    assert not (out.parent / "data").exists()


def test_the_page_to_sign_has_the_numbers_of_its_record(accepted: tuple[int, Path, int]) -> None:
    _, out, _ = accepted
    content = (out / "commissioning.json").read_bytes()
    record, page = json.loads(content), Rows((out / "commissioning.html").read_text())
    assert list(page.checks) == [check["name"] for check in record["checks"]]
    for check in record["checks"]:
        name, *cells, state = page.checks[check["name"]]
        assert (name, state) == (check["name"], check["state"])
        if check["value"] is None:
            continue
        tolerance, reason, figure, *found = cells
        bound, number = tolerance.removeprefix(check["bound"]), figure.split()[0]
        assert float(bound.split()[0]) == check["limit"]
        assert float(number) == check["value"]
        assert (reason, "".join(found)) == (check["reason"], check["found"])
    shown = " ".join(page.texts)
    told = [record["site"], record["config_sha256"], record["begun_at"], sha256_of(content)]
    told += [*record["machine"].values(), "Signature", "Date", "rehearsal"]
    assert all(word in shown for word in told)
    assert "@media print" in shown


def test_a_record_is_never_written_over(accepted: tuple[int, Path, int]) -> None:
    _, out, _ = accepted
    before = (out / "commissioning.json").read_bytes()
    words = ["commission", "--out", str(out), "--config", str(out.parent / "config.yaml")]
    answer = CliRunner().invoke(app, words)
    assert isinstance(answer.exception, ConfigError)
    assert "name a new folder" in str(answer.exception)
    assert (out / "commissioning.json").read_bytes() == before


def room_with_model(folder: Path, change: float = 0.0) -> tuple[Path, Room]:
    """A node whose model finds what is bright, and what was recorded of it, `change` off."""
    config = configured(folder, model=small_model(12.0))
    settings = load_settings(config)
    room = Room(settings, open_store(settings))
    settings.data_folder.chmod(0o700)
    network = config_of(settings.model)
    weights = brightness_cascade(network, bias=-26.0).state_dict()
    cases = sentinel_cases(settings.data_folder, settings.model, 2)
    now = score_weights(weights, network, cases, choose_device(settings.model))
    scores = {"synthetic": {k: replace(s, dice=s.dice + change).to_json() for k, s in now.items()}}
    description = ModelDescription("Heart", network, "0.1.0", None, (), scores, NOW.isoformat())
    version = publish(room.models_folder, weights, description)
    store = room.store.learning
    store.start_round(Round("r", "Heart", (), "RUNNING", 0, 1, None, None, "", NOW, None))
    released = ModelVersion(version, "Heart", None, 0.9, scores, (), NOW)
    store.finish_round("r", verdict="better", now=NOW, released=released)
    return config, room


def test_what_fails_is_told_and_the_exit_code_is_one(tmp_path: Path) -> None:
    """A model that finds bones instead of hearts, and a TPS that does not answer."""
    config, _ = room_with_model(tmp_path)
    code, record = commission(config, tmp_path / "out", "--peers", "--send", "TPS")
    assert code == 1
    failed = {name for name, state in states(record).items() if state == State.FAIL}
    assert failed == {
        "C-ECHO to TPS",
        "A phantom to TPS",
        "Heart: sentinel patients, mean Dice",
    }
    assert states(record)["Heart: sentinel patients, change of Dice"] == State.PASS
    assert states(record)["Prediction on 128 x 128 x 48 voxels"] == State.PASS
    found = {check["name"]: check["found"] for check in record["checks"]}
    assert "cannot be reached" in found["C-ECHO to TPS"]
    assert found["Heart: fingerprint"] == record["models"]["Heart"]
    page = Rows((tmp_path / "out" / "commissioning.html").read_text())
    assert f"{record['counts']['fail']} failed" in " ".join(page.texts)


def test_a_model_that_is_no_longer_what_it_was_fails(tmp_path: Path) -> None:
    _, room = room_with_model(tmp_path, change=0.02)
    by_name = {check.name: check for check in model_checks(room, "Heart", 2)}
    changed = by_name["Heart: sentinel patients, change of Dice"]
    assert (changed.state, changed.value) == (State.FAIL, 0.02)

    version = room.store.learning.released("Heart")
    assert version is not None
    weights = room.models_folder / version.version / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-4] + b"\1\2\3\4")
    (damaged,) = model_checks(room, "Heart", 2)
    assert (damaged.name, damaged.state) == ("Heart: fingerprint", State.FAIL)


def test_a_model_of_which_not_every_sentinel_patient_is_on_record_is_not_run() -> None:
    now = {"a": CaseScore(0.9, 0.9, 1.0), "b": CaseScore(0.8, 0.9, 1.0)}
    states = {
        change: against_record("n", now, {"a": {"dice": 0.9 + change}})
        for change in (0.0, 0.02, math.nan)
    }
    assert [check.state for check in states.values()] == [State.NOT_RUN, State.FAIL, State.FAIL]
    assert "1 of 2" in states[0.0].found
    assert "1 of 2" in states[0.02].found
    both = {"a": {"dice": 0.9}, "b": {"dice": math.nan}}
    assert against_record("n", now, both).state is State.FAIL
    both["b"]["dice"] = 0.8
    assert against_record("n", now, both).state is State.PASS


def test_a_tolerance_that_cannot_be_kept_fails_and_says_by_how_much(tmp_path: Path) -> None:
    mean = "mean dose"
    strict = {**TOLERANCES, mean: replace(TOLERANCES[mean], limit=1e-6)}
    checks = {c.name: c for c in known_checks(tmp_path, (3.0,), ("steep",), strict)}
    failed = {name for name, check in checks.items() if check.state is State.FAIL}
    assert failed == {f"{body}: {mean}" for body in ("ball 20 mm", "cylinder", "cone", "heart")}
    cone = checks[f"cone: {mean}"]
    assert cone.tolerance == "at most 1e-06 %"
    assert cone.value is not None
    assert 1e-6 < cone.value < 0.1
    record = {
        **dict.fromkeys(("site", "software_version", "config_sha256", "begun_at"), ""),
        "rehearsal": False,
        "took_s": 1.0,
        "machine": {},
        "models": {},
        "counts": {"pass": 0, "fail": 1, "not run": 0},
        "checks": [cone.to_json() | {"tolerance": cone.tolerance}],
    }
    row = Rows(as_page(record, "")).checks[cone.name]
    assert row[1] == cone.tolerance
    assert row[-1] == "fail"


def test_a_body_that_is_not_read_back_or_has_no_figure_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader loses all bodies but two, and one of those has a dose that is no number once."""
    means = iter([math.nan])

    def losing(path: Path, *, frame_of_reference_uid: str) -> StructureSet:
        whole = read_structure_set(path, frame_of_reference_uid=frame_of_reference_uid)
        return replace(whole, rois=tuple(r for r in whole.rois if r.roi_name in {"cone", "heart"}))

    def failing(*of: Any) -> RoiDose:
        figures = roi_dose(*of)
        return replace(figures, mean_gy=next(means, figures.mean_gy))

    monkeypatch.setattr(known, "read_structure_set", losing)
    monkeypatch.setattr(known, "roi_dose", failing)
    checks = {c.name: c for c in known_checks(tmp_path, (3.0,), ("linear", "steep"), TOLERANCES)}
    assert len(checks) == 5 * len(BODIES)
    unread = {name for name, check in checks.items() if check.value is None}
    lost = {name for name in checks if name.split(":")[0] not in {"cone", "heart"}}
    assert unread == {*lost, "cone: mean dose on the page"}
    assert all(checks[name].state is State.FAIL for name in unread)
    assert "read without it" in checks["cylinder: volume"].found
    assert "nan" in checks["cone: mean dose on the page"].found


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_fails_and_is_written_as_null(value: float) -> None:
    for at_least in (False, True):
        check = measured("g", "n", value, replace(TOLERANCES["volume"], at_least=at_least))
        assert check.state is State.FAIL
        assert json.loads(json.dumps(check.to_json(), allow_nan=False))["value"] is None


def test_two_peers_of_one_ae_title_both_get_their_phantom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(configured(tmp_path))
    tps = settings.peers[0]
    twice = settings.model_copy(update={"peers": (tps, tps.model_copy(update={"name": "second"}))})
    monkeypatch.setattr(peers, "send_instances", lambda paths, *_, **__: paths)
    found = peers.peer_checks(twice, tmp_path / "sent", echo=False, send=(tps.name, "second"))
    assert [check.state for check in found][2:] == [State.PASS, State.PASS]


def test_a_figure_is_judged_as_it_is_printed() -> None:
    allowed = replace(TOLERANCES["volume"], limit=0.2)
    assert measured("g", "n", 0.20004, allowed).state is State.PASS
    assert measured("g", "n", 0.2001, allowed).state is State.FAIL
    assert measured("g", "n", 0.1, replace(allowed, at_least=True)).state is State.FAIL
