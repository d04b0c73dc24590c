"""Where a round stands, on disk: a process that was killed goes on from its last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from core.files import write_whole


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name, and what else is needed (numbers, random state) as plain values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Keep a checkpoint under `path`, whole: a crash leaves the one before."""
    metadata = {"values": json.dumps(values)}
    write_whole(path, safetensors.torch.save(dict(tensors), metadata=metadata))


def read_checkpoint(path: Path, *, key: str) -> Checkpoint | None:
    """The checkpoint under `path` if it was written for `key`; None without, or where damaged."""
    try:
        with safetensors.safe_open(path, framework="pt") as kept:
            values = json.loads(kept.metadata()["values"])
            if values["key"] != key:
                return None
            names = list(kept.keys())
            return Checkpoint({name: kept.get_tensor(name) for name in names}, values)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None
