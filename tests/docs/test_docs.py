"""The documentation says what the code does: nothing is missing and nothing is made up."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom.pixels.decoders.base import get_decoder
from typer.main import get_command

from app.cli import app as commands
from core import errors
from core.case import PERMITTED
from core.errors import RecontourError
from core.store import open_store
from dicom_node.network.contexts import TRANSFER_SYNTAXES
from review_ui import create_app
from tests.docs.pages import (
    PAGES,
    REPOSITORY,
    anchors,
    code,
    fenced_lines,
    links,
    page,
    rows,
    sections,
)
from tests.support.settings import settings_for

FOLDERS = "core|dose|dicom_node|model|review_ui|app|tests|docs|scripts|benchmarks"
PATH = re.compile(rf"(?:{FOLDERS})/[\w./-]*|[\w-]+\.(?:md|toml|yaml|lock)")
LARGEST_PICTURE_BYTES = 500_000
EFFECTS = ("none", "changes contours", "changes dose figures")


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


# --- configuration


def shipped_keys() -> dict[str, Any]:
    """Dotted keys of config.yaml and their values; `[]` stands for the items of a list."""
    found: dict[str, Any] = {}

    def walk(values: dict[str, Any], before: str) -> None:
        for name, value in values.items():
            if isinstance(value, dict) and value:
                walk(value, f"{before}{name}.")
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                walk(value[0], f"{before}{name}[].")
            else:
                found[before + name] = value

    walk(yaml.safe_load(page("config.yaml")), "")
    return found


def test_every_setting_is_explained_with_the_value_it_is_shipped_with() -> None:
    table = [row for row in rows(page("docs/reference/configuration.md")) if len(row) == 4]
    documented = {row[0].strip("`"): yaml.safe_load(row[1].strip("`")) for row in table}
    assert documented == shipped_keys()
    assert all(row[2] and row[3] for row in table), "a unit or a meaning is missing"


# --- commands


def command_options() -> dict[str, dict[str, str]]:
    """Options of every command with their default, in the words of the page."""
    found: dict[str, dict[str, str]] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, below in command.commands.items():
                walk(below, (*words, name))
            return
        options = [p for p in command.params if p.param_type_name == "option"]
        found[" ".join(words)] = {p.opts[0]: default_in_words(p) for p in options}

    walk(get_command(commands), ("recontour",))
    return found


def default_in_words(option: Any) -> str:
    if option.required:
        return "required"
    if option.default is False:
        return "off"
    return "" if option.default is None else f"`{option.default}`"


def test_every_command_and_option_is_explained_with_its_default() -> None:
    documented = {
        heading: {row[0].strip("`"): row[1] for row in rows(text)}
        for heading, text in sections(page("docs/reference/cli.md"), 2).items()
    }
    existing = command_options()
    assert documented.keys() == existing.keys()
    for command, options in existing.items():
        assert documented[command].keys() == options.keys(), command
        for option, default in options.items():
            # Where there is no default the page says in words what happens.
            assert documented[command][option] == default or not default, f"{command} {option}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_in_examples_exist(path: Path) -> None:
    existing = command_options()
    for line in [*fenced_lines(path.read_text()), *code(path.read_text())]:
        words = line.removeprefix(".venv/bin/").split()
        if len(words) < 2 or words[0] != "recontour":
            continue
        of_a_group = " ".join(words[:3])
        command = of_a_group if of_a_group in existing else " ".join(words[:2])
        assert command in existing, line
        unknown = {w for w in words if w.startswith("--")} - existing[command].keys() - {"--help"}
        assert not unknown, line


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), flags=re.MULTILINE))
    text = path.read_text()
    lines = [*fenced_lines(text), *code(text)]
    named = {found[1] for line in lines if (found := re.match(r"make ([a-z]+)\b", line))}
    assert named <= targets


# --- routes and errors


def test_every_route_is_listed_with_its_method(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    store = open_store(settings)
    existing = {
        (method, rule.rule)
        for rule in create_app(settings, store).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    store.engine.dispose()
    listed = {(row[0], row[1].strip("`")) for row in rows(page("docs/reference/routes.md"))}
    assert listed == existing


def test_every_error_says_what_it_means_and_what_to_do() -> None:
    existing = {
        name
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, RecontourError)
    }
    text = page("docs/reference/errors.md").split("## Elsewhere")[0]
    explained = {heading.strip("`"): body for heading, body in sections(text, 3).items()}
    assert explained.keys() == existing
    silent = [name for name, body in explained.items() if "**Do**" not in body]
    assert silent == ["RecontourError"]


# --- architecture


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_file_that_a_page_names_exists(path: Path) -> None:
    named = [word for word in code(path.read_text()) if PATH.fullmatch(word)]
    built = "docs/_build"  # by `make docs`
    missing = [word for word in named if not (word == built or (REPOSITORY / word).exists())]
    assert missing == []


def test_the_table_of_states_is_that_of_the_code() -> None:
    text = sections(page("docs/architecture.md"), 2)["States of a case"]
    listed = {row[0]: set(row[1].split(", ")) - {"nowhere"} for row in rows(text)}
    assert listed == {str(a): {str(b) for b in after} for a, after in PERMITTED.items()}


def test_the_picture_names_the_processes_that_exist() -> None:
    picture = page("docs/images/architecture.svg")
    named = re.findall(r"app/\w+\.py", picture)
    assert sorted(named) == ["app/node.py", "app/review.py", "app/trainer.py", "app/worker.py"]
    assert all((REPOSITORY / name).is_file() for name in named)


def test_every_decision_is_listed_and_has_context_choice_and_price() -> None:
    listed = links(page("docs/adr/README.md"))
    decisions = sorted((REPOSITORY / "docs/adr").glob("0*.md"))
    assert listed == [path.name for path in decisions]
    for path in decisions:
        assert list(sections(path.read_text(), 2)) == ["Context", "Choice", "Price"], path.name


# --- DICOM


def test_every_compression_that_is_accepted_can_be_decoded_here() -> None:
    compressed = [uid for uid in TRANSFER_SYNTAXES if uid.is_compressed]
    assert len(compressed) == 5
    assert all(get_decoder(uid).is_available for uid in compressed)


# --- README, changelog, links


def test_the_readme_lists_every_key_of_the_review_page() -> None:
    table = sections(page("README.md"), 2)["Keys of the review page"]
    listed = {key.lower().replace(" ", "") for key in code(table)}
    script = page("review_ui/static/js/keyboard.js")
    bound = [json.loads(keys) for keys in re.findall(r"keys: (\[.*?\]), action", script)]
    assert len(bound) > 15
    assert listed == {keys[0] for keys in bound}


def test_the_changelog_begins_with_this_version_and_tells_each_clinical_effect() -> None:
    version = tomllib.loads(page("pyproject.toml"))["project"]["version"]
    released = [h for h in sections(page("CHANGELOG.md"), 2) if h != "[Unreleased]"]
    assert released[0].startswith(f"[{version}] - ")
    entries = re.split(r"^- ", page("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        text = " ".join(entry.split("\n#")[0].split())
        assert text.endswith(tuple(f"Clinical effect: {effect}." for effect in EFFECTS)), text


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    dead = []
    for link in links(path.read_text()):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            dead.append(link)
    assert dead == []


def test_pictures_are_small() -> None:
    pictures = [p for p in (REPOSITORY / "docs/images").iterdir() if p.is_file()]
    assert REPOSITORY / "docs/images/architecture.svg" in pictures
    assert [p.name for p in pictures if p.stat().st_size > LARGEST_PICTURE_BYTES] == []
