"""Settings for tests: config.yaml of the repository with a folder and ports of their own."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Any

import yaml

from core.config import ModelSettings, Settings, load_settings
from model.registry import NetworkConfig

REPOSITORY = Path(__file__).parents[2]


def settings_for(folder: Path, **changes: Any) -> Settings:
    """Settings with their data in `folder`; `changes` like dicom={"quiet_time_s": 1}."""
    return load_settings(write_config(folder, **changes))


def write_config(folder: Path, **changes: Any) -> Path:
    """Write such a configuration; returns its path."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    values["data_folder"] = str(folder / "data")
    values["review"]["hold_s"] = 0  # few tests are about the hold
    for section, change in changes.items():
        if isinstance(change, dict):
            values[section] = {**values[section], **change}
        else:
            values[section] = change
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def under_the_name(roi_name: str) -> dict[str, Any]:
    """Changes for `write_config`: the structure of config.yaml is called otherwise."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    return {
        "structures": [{**values["structures"][0], "name": roi_name}],
        "rules": [{**rule, "structures": [roi_name]} for rule in values["rules"]],
    }


def config_of(settings: ModelSettings, roi_name: str = "Heart") -> NetworkConfig:
    """What a model of a structure of config.yaml looks like with `settings`."""
    structure = load_settings(REPOSITORY / "config.yaml").structure_named(roi_name)
    return NetworkConfig.of(settings, structure)


def small_model(spacing_mm: float = 12.0, *, fine_mm: float | None = None) -> dict[str, Any]:
    """The section `model` for networks that learn nothing, fast; `fine_mm` is the same if None."""
    coarse, fine = (
        {"spacing_mm": [mm] * 3, "widths": [8, 16], "patch_voxels": [16] * 3}
        for mm in (spacing_mm, fine_mm or spacing_mm)
    )
    return {
        "device": "cpu",
        "threads": 1,
        "engine": "torch",
        "coarse": coarse,
        "fine": fine,
        "box_margin_mm": 18.0,
        "window_hu": [-250.0, 350.0],
    }


def peer_values(ae_title: str = "TPS", *, port: int = 11113, **changes: Any) -> dict[str, Any]:
    """An entry of `peers` that may do everything."""
    return {
        "name": ae_title,
        "ae_title": ae_title,
        "host": "127.0.0.1",
        "port": port,
        "rights": ["echo", "store", "query", "commit"],
        **changes,
    }


def ports_of_its_own() -> dict[str, Any]:
    """Changes for `write_config`: no other node on this machine has these ports.

    Two nodes that start at the same moment both find the usual ports free, and one clinic would
    push to the node of the other.
    """
    return {
        "dicom": {"port": free_port()},
        "review": {"port": free_port()},
        "peers": [peer_values(port=free_port())],
    }


def free_port() -> int:
    """A TCP port that nobody uses at this moment.

    Below the range from which the system takes ports for outgoing connections: one of those could
    take it before whoever asked listens on it.
    """
    for _ in range(100):
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no TCP port is free")
