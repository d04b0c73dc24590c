"""A model is whole or absent, and its name proves its content."""

import json
from dataclasses import replace

import pytest
import torch

from core.errors import ModelUnavailableError, ObsoleteModelError
from core.files import sweep_temporary
from core.model_files import DESCRIPTION_FILE, WEIGHTS_FILE, require_whole
from model.registry import (
    ModelDescription,
    load,
    publish,
    versions,
)
from model.unet import fresh_network


@pytest.fixture
def weights():
    return fresh_network((8, 16), seed=3).state_dict()


@pytest.fixture
def description(config):
    return ModelDescription(
        roi_name="Heart",
        config=config,
        code_version="0.1.0",
        parent=None,
        training_set=("a", "b"),
        scores={"mean": 0.5, "cases": {"x": 0.5}},
        created_at="2026-01-02T03:04:05+00:00",
    )


def test_what_was_published_is_loaded(tmp_path, weights, description):
    version = publish(tmp_path, weights, description)
    model = load(tmp_path, version)
    assert model.version == version
    assert model.description == description
    assert model.weights.keys() == weights.keys()
    assert all(torch.equal(model.weights[name], weights[name]) for name in weights)
    assert versions(tmp_path) == (version,)
    assert {f.name for f in (tmp_path / version).iterdir()} == {WEIGHTS_FILE, DESCRIPTION_FILE}


def test_the_same_content_published_twice_is_one_version(tmp_path, weights, description):
    first = publish(tmp_path, weights, description)
    later = replace(description, created_at="2027-01-01T00:00:00+00:00")
    assert publish(tmp_path, weights, later) == first
    assert load(tmp_path, first).description.created_at == description.created_at
    assert [p.name for p in tmp_path.iterdir()] == [first]


def test_other_weights_or_another_configuration_are_another_version(tmp_path, weights, description):
    first = publish(tmp_path, weights, description)
    config = replace(description.config, window_hu=(-100.0, 300.0))
    second = publish(tmp_path, weights, replace(description, config=config))
    third = publish(tmp_path, {k: v + 1 for k, v in weights.items()}, description)
    assert len({first, second, third}) == 3
    assert versions(tmp_path) == tuple(sorted((first, second, third)))


@pytest.mark.parametrize("place", [200, -1])
def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path, weights, description, place):
    version = publish(tmp_path, weights, description)
    file = tmp_path / version / WEIGHTS_FILE
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    require_whole(tmp_path, version)
    file.write_bytes(content)
    for check in (load, require_whole):
        with pytest.raises(ModelUnavailableError, match="do not match"):
            check(tmp_path, version)


def test_a_changed_configuration_is_noticed(tmp_path, weights, description):
    version = publish(tmp_path, weights, description)
    file = tmp_path / version / DESCRIPTION_FILE
    values = json.loads(file.read_text())
    values["config"]["window_hu"] = [-500.0, 500.0]
    file.write_text(json.dumps(values))
    for check in (load, require_whole):
        with pytest.raises(ModelUnavailableError, match="do not match"):
            check(tmp_path, version)


def test_a_model_of_the_networks_before_these_is_named_as_such(tmp_path, weights, description):
    version = publish(tmp_path, weights, description)
    file = tmp_path / version / DESCRIPTION_FILE
    values = json.loads(file.read_text())
    values["config"] = {"spacing_mm": [4, 4, 4], "widths": [8, 16], "window_hu": [-100, 300]}
    file.write_text(json.dumps(values))
    for read in (load, require_whole):
        with pytest.raises(ObsoleteModelError, match="an earlier version of Recontour"):
            read(tmp_path, version)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"config": 3}'])
def test_a_broken_description_is_noticed(tmp_path, weights, description, content):
    version = publish(tmp_path, weights, description)
    (tmp_path / version / DESCRIPTION_FILE).write_bytes(content)
    with pytest.raises(ModelUnavailableError):
        load(tmp_path, version)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, DESCRIPTION_FILE])
def test_a_cut_or_missing_file_is_noticed(tmp_path, weights, description, name):
    version = publish(tmp_path, weights, description)
    file = tmp_path / version / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ModelUnavailableError):
        load(tmp_path, version)
    file.unlink()
    for check in (load, require_whole):
        with pytest.raises(ModelUnavailableError, match="not in the registry"):
            check(tmp_path, version)


def test_a_description_from_before_training_sets_had_a_hash_is_readable(
    tmp_path, weights, description
):
    named = replace(description, training_set_hash="ab" * 32)
    version = publish(tmp_path, weights, named)
    assert load(tmp_path, version).description.training_set_hash == "ab" * 32
    file = tmp_path / version / DESCRIPTION_FILE
    values = json.loads(file.read_text())
    del values["training_set_hash"]
    file.write_text(json.dumps(values))
    assert load(tmp_path, version).description.training_set_hash == ""


def test_a_damaged_version_is_mended_by_publishing_again(tmp_path, weights, description):
    version = publish(tmp_path, weights, description)
    (tmp_path / version / WEIGHTS_FILE).write_bytes(b"short")
    assert publish(tmp_path, weights, description) == version
    assert load(tmp_path, version).version == version
    assert versions(tmp_path) == (version,)


def test_what_a_crash_left_is_neither_listed_nor_loaded_and_can_be_swept(
    tmp_path, weights, description
):
    version = publish(tmp_path, weights, description)
    (tmp_path / version).rename(tmp_path / f"{version}.0123.part")
    assert versions(tmp_path) == ()
    with pytest.raises(ModelUnavailableError):
        load(tmp_path, version)
    with pytest.raises(ModelUnavailableError):
        load(tmp_path, f"{version}.0123.part")
    assert sweep_temporary(tmp_path, older_than_s=0) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../secret", "", "A" * 64, "latest"])
def test_only_a_digest_may_name_a_version(tmp_path, name):
    with pytest.raises(ModelUnavailableError, match="no model version"):
        load(tmp_path, name)


def test_an_absent_registry_has_no_versions(tmp_path):
    assert versions(tmp_path / "nowhere") == ()
