"""The files for systemd and containers name what exists."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli import app as commands
from app.supervisor import GRACE_S, ROLES
from core.config import Settings, load_settings
from tests.support.settings import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
INSTALLED = "/opt/recontour/.venv/bin/"


def options_of(words: list[str]) -> set[str]:
    """The options of `recontour run ...`, each of which the command must know."""
    assert words[:1] == ["run"]
    run: Any = get_command(commands)
    known = {option for p in run.commands["run"].params for option in p.opts}
    used = {word for word in words if word.startswith("--")}
    assert used <= known
    return used


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_the_node_watches_it_and_ends_it_as_a_whole(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(unit)
    service = parser["Service"]
    program, *words = service["ExecStart"].split()
    assert program == f"{INSTALLED}recontour"
    assert ("--only" in options_of(words)) == ("@" in unit.name)
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert int(service["WatchdogSec"]) > 0
    assert service["KillMode"] == "mixed"  # whatever the supervisor leaves goes too
    assert int(service["TimeoutStopSec"]) > GRACE_S


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed.")
    here = tmp_path / unit.name.replace("@", "@worker")
    here.write_text(unit.read_text().replace(f"{INSTALLED}recontour", "/bin/true"))
    found = subprocess.run(
        [verify, "verify", "--man=no", str(here)], check=False, capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_the_layout_in_containers_runs_every_process_with_settings_that_exist() -> None:
    layout = yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text())
    ours = {n: s for n, s in layout["services"].items() if s.get("image") == "recontour"}
    started = [service["command"] for service in ours.values()]
    assert sorted(words[words.index("--only") + 1] for words in started) == sorted(ROLES)
    for words in started:
        options_of(words)
    for service in ours.values():
        for name in service["environment"]:
            if name.startswith("RECONTOUR_"):
                key, _, below = name.removeprefix("RECONTOUR_").lower().partition("__")
                assert key in Settings.model_fields
                settings = load_settings(REPOSITORY / "config.yaml")
                assert not below or hasattr(getattr(settings, key), below)
        assert (service["init"], service["restart"]) == (True, "unless-stopped")


def test_the_image_holds_every_package_and_installs_by_hash() -> None:
    lines = (DEPLOY / "container" / "Containerfile").read_text().splitlines()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {f"COPY {name.rstrip('*')} {name.rstrip('*')}" for name in packages} <= set(lines)
    # As on a machine: without the hashes of what they depend on, and without torch, none was built.
    assert "RUN scripts/install-packages python" in lines
    assert "scripts/install-packages .venv/bin/python" in (REPOSITORY / "scripts/setup").read_text()
    assert "USER recontour" in lines


def test_only_what_the_image_copies_is_given_to_its_build() -> None:
    """Else an environment of 2 GB and the demo's data are; patients' too where they lie there."""
    lines = (DEPLOY / "container" / "Containerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    given = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert given[0] == "*"
    assert {line.removeprefix("!") for line in given if line.startswith("!")} == copied
    assert "review_ui/node_modules" in given
