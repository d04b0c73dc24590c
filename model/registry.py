"""Model versions on disk: a folder per version, named after its content, whole or absent.

`<root>/<version>/` holds weights.safetensors and model.json. A version is the SHA-256 of the
weights and of the configuration they need, so the same model published twice is one version and a
damaged file is noticed. No pickle: a model file cannot run code.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from core.config import ModelSettings, StageSettings, StructureSettings
from core.errors import ModelUnavailableError
from core.files import TEMPORARY_SUFFIX, sync_folder, write_whole
from core.model_files import (
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    content_digest,
    damaged,
    missing,
    require_in_use,
)

Weights = dict[str, Tensor]
_VERSION = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One network: the spacing it works at, and its channels on each level."""

    spacing_mm: tuple[float, float, float]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, settings: StageSettings) -> StageConfig:
        """The part of a stage's settings that weights depend on."""
        return cls(settings.spacing_mm, settings.widths)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What one must know to use the weights: both networks, the box, HU window, what follows."""

    coarse: StageConfig
    fine: StageConfig
    box_margin_mm: float
    window_hu: tuple[float, float]
    keep_largest: bool = True
    fill_holes: bool = True

    @classmethod
    def of(cls, settings: ModelSettings, structure: StructureSettings) -> NetworkConfig:
        """The part of the settings that a prediction of `structure` depends on."""
        return cls(
            coarse=StageConfig.of(settings.coarse),
            fine=StageConfig.of(settings.fine),
            box_margin_mm=settings.box_margin_mm,
            window_hu=settings.window_hu,
            keep_largest=structure.keep_largest,
            fill_holes=structure.fill_holes,
        )


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """Where a model comes from; `created_at` is ISO 8601 with its time zone.

    `training_set_hash` names what it learned from by content, empty in what is older than that.
    """

    roi_name: str
    config: NetworkConfig
    code_version: str
    parent: str | None
    training_set: tuple[str, ...]
    scores: dict[str, Any]
    created_at: str
    training_set_hash: str = ""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version whose files are whole: weights on the CPU and their description."""

    version: str
    weights: Weights
    description: ModelDescription


def publish(root: Path, weights: Mapping[str, Tensor], description: ModelDescription) -> str:
    """Keep a model under `root` and return its version; a version already there stays as it is."""
    content = safetensors.torch.save({k: v.contiguous() for k, v in weights.items()})
    version = content_digest(content, asdict(description.config))
    folder = root / version
    if _is_whole(root, version):
        return version
    aside = f"{version}.{uuid.uuid4().hex}"
    part = root / f"{aside}{TEMPORARY_SUFFIX}"
    part.mkdir(parents=True)
    write_whole(part / WEIGHTS_FILE, content)
    write_whole(part / DESCRIPTION_FILE, _to_json(description))
    if folder.exists():
        # Damaged, or it would have been returned above: out of the way, swept with the rest.
        folder.rename(root / f"{aside}.damaged{TEMPORARY_SUFFIX}")
    try:
        part.rename(folder)
    except OSError:
        # Another process may have published the same content a moment ago.
        if not _is_whole(root, version):
            raise
    sync_folder(root)
    return version


def load(root: Path, version: str) -> LoadedModel:
    """The model of `version`; raises `ModelUnavailableError` where it is absent or damaged.

    `ObsoleteModelError`, one of these, where it is of networks that are no longer used.
    """
    if not _VERSION.fullmatch(version):
        raise ModelUnavailableError(
            f"{version[:80]!r} is no model version (64 hexadecimal digits); name one that "
            "was released."
        )
    folder = root / version
    try:
        content = (folder / WEIGHTS_FILE).read_bytes()
        description = _from_json((folder / DESCRIPTION_FILE).read_bytes(), version)
        weights = safetensors.torch.load(content)
    except FileNotFoundError:
        raise ModelUnavailableError(missing(version)) from None
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise ModelUnavailableError(damaged(version)) from error
    if content_digest(content, asdict(description.config)) != version:
        raise ModelUnavailableError(damaged(version))
    return LoadedModel(version, weights, description)


def versions(root: Path) -> tuple[str, ...]:
    """Versions with a folder under `root`, sorted; nothing that a crash left half written."""
    if not root.is_dir():
        return ()
    names = (entry.name for entry in os.scandir(root) if entry.is_dir())
    return tuple(sorted(name for name in names if _VERSION.fullmatch(name)))


def _is_whole(root: Path, version: str) -> bool:
    try:
        load(root, version)
    except ModelUnavailableError:
        return False
    return True


def _to_json(description: ModelDescription) -> bytes:
    return json.dumps(asdict(description), indent=1, sort_keys=True).encode()


def _from_json(content: bytes, version: str) -> ModelDescription:
    values = json.loads(content)
    require_in_use(values["config"], version)
    return ModelDescription(
        roi_name=str(values["roi_name"]),
        config=_config_from_json(values["config"]),
        code_version=str(values["code_version"]),
        parent=None if values["parent"] is None else str(values["parent"]),
        training_set=tuple(str(c) for c in values["training_set"]),
        scores=dict(values["scores"]),
        created_at=str(values["created_at"]),
        training_set_hash=str(values.get("training_set_hash", "")),
    )


def _config_from_json(values: dict[str, Any]) -> NetworkConfig:
    low_hu, high_hu = (float(hu) for hu in values["window_hu"])
    return NetworkConfig(
        coarse=_stage_from_json(values["coarse"]),
        fine=_stage_from_json(values["fine"]),
        box_margin_mm=float(values["box_margin_mm"]),
        window_hu=(low_hu, high_hu),
        keep_largest=bool(values["keep_largest"]),
        fill_holes=bool(values["fill_holes"]),
    )


def _stage_from_json(values: dict[str, Any]) -> StageConfig:
    slice_mm, row_mm, column_mm = (float(mm) for mm in values["spacing_mm"])
    return StageConfig((slice_mm, row_mm, column_mm), tuple(int(n) for n in values["widths"]))
