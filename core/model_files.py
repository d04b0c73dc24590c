"""Whether the files of a model version are whole: checked without the network they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import ModelUnavailableError, ObsoleteModelError

WEIGHTS_FILE = "weights.safetensors"
DESCRIPTION_FILE = "model.json"


def content_digest(weights: bytes, config: Mapping[str, Any]) -> str:
    """The version of a model: SHA-256 of its weights and of the configuration they need."""
    digest = hashlib.sha256(weights)
    digest.update(json.dumps(config, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


def require_whole(root: Path, version: str) -> None:
    """Raise `ModelUnavailableError` unless the files of `version` are what was published.

    `ObsoleteModelError`, one of these, where they are of networks that are no longer used.
    """
    folder = root / version
    try:
        weights = (folder / WEIGHTS_FILE).read_bytes()
        config = json.loads((folder / DESCRIPTION_FILE).read_bytes())["config"]
    except FileNotFoundError:
        raise ModelUnavailableError(missing(version)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(damaged(version)) from error
    require_in_use(config, version)
    if content_digest(weights, config) != version:
        raise ModelUnavailableError(damaged(version))


def require_in_use(config: Mapping[str, Any], version: str) -> None:
    """Raise `ObsoleteModelError` for the configuration of the one network that was before two."""
    if "spacing_mm" in config and "fine" not in config:
        raise ObsoleteModelError(
            f"Model {version[:12]} is of an earlier version of Recontour, whose networks are no "
            "longer used; build a starting model (recontour train --cold-start), or wait until the "
            "trainer has made one from what was approved."
        )


def missing(version: str) -> str:
    """What is said of a version without files."""
    return (
        f"Model {version[:12]} is not in the registry; restore its folder from the backup or "
        "roll back to another version."
    )


def damaged(version: str) -> str:
    """What is said of a version whose files are not what was published."""
    return (
        f"The files of model {version[:12]} do not match its version; restore its folder from "
        "the backup or roll back to another version."
    )
