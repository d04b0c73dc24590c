"""Processes that train one round together: what they tell each other, and that they agree.

torchrun starts them and gives each its number (rank). The first one, number 0, decides; the others
hear from it what to do. Control goes over the processor, gradients of GPUs over NCCL.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from core.config import ModelSettings
from core.errors import ConfigError, RanksDifferError
from model.predict import choose_device

# Whoever dies ends the others' waiting at once; this bounds only what hangs.
LONGEST_WAIT = timedelta(hours=24)


class Ranks:
    """One process alone: every exchange gives back what went in."""

    rank = 0
    count = 1

    @property
    def first(self) -> bool:
        """Whether this process decides, validates, keeps and publishes."""
        return self.rank == 0

    def share(self, content: bytes) -> bytes:
        """What the first process gives, in all of them."""
        return content

    def gather(self, content: bytes) -> list[bytes]:
        """What each process gives, by rank, in all of them."""
        return [content]

    def average(self, values: Sequence[Tensor]) -> None:
        """Replace float values by their mean over the processes, in place."""

    def agree(self, loss: float, stop: bool) -> tuple[float, bool]:
        """The mean loss, and whether anybody was asked to stop."""
        return loss, stop

    def share_values(self, values: Any) -> Any:
        """What the first process gives, in all of them: anything that JSON can hold."""
        return json.loads(self.share(json.dumps(values).encode())) if self.count > 1 else values

    def gather_values(self, values: Any) -> list[Any]:
        """What each process gives, by rank, in all of them: anything that JSON can hold."""
        return [json.loads(found) for found in self.gather(json.dumps(values).encode())]

    def require_equal(self, digest: str) -> None:
        """Raise `RanksDifferError` unless all processes give the same digest of their weights."""
        if len(set(self.gather(digest.encode()))) > 1:
            raise RanksDifferError(
                f"{self.count} processes that trained together ended with different weights; the "
                "round is not used. Train with processes on equal hardware, or with one."
            )

    def leave(self) -> None:
        """Say goodbye to the others."""


ALONE = Ranks()


class Together(Ranks):
    """Several processes, as torchrun started them."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.count = dist.get_world_size()

    def share(self, content: bytes) -> bytes:
        """What the first process gives, in all of them."""
        size = torch.tensor([len(content)])
        dist.broadcast(size, 0)
        sent = _as_tensor(content, int(size)) if self.first else _as_tensor(b"", int(size))
        dist.broadcast(sent, 0)
        return sent.numpy().tobytes()

    def gather(self, content: bytes) -> list[bytes]:
        """What each process gives, by rank, in all of them."""
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(sizes, torch.tensor([len(content)]))
        longest = max(int(size) for size in sizes)
        found = [_as_tensor(b"", longest) for _ in sizes]
        dist.all_gather(found, _as_tensor(content, longest))
        pairs = zip(found, sizes, strict=True)
        return [one.numpy().tobytes()[: int(size)] for one, size in pairs]

    def average(self, values: Sequence[Tensor]) -> None:
        """Replace float values by their mean over the processes, in place."""
        flat = torch.cat([value.reshape(-1) for value in values])
        dist.all_reduce(flat)
        flat /= self.count
        parts = torch.split(flat, [value.numel() for value in values])
        for value, mean in zip(values, parts, strict=True):
            value.copy_(mean.view_as(value))

    def agree(self, loss: float, stop: bool) -> tuple[float, bool]:
        """The mean loss, and whether anybody was asked to stop."""
        told = torch.tensor([loss, float(stop)], dtype=torch.float64)
        dist.all_reduce(told)
        return float(told[0]) / self.count, bool(told[1] > 0)

    def leave(self) -> None:
        """Say goodbye to the others."""
        dist.destroy_process_group()


def join(settings: ModelSettings) -> Ranks:
    """The processes that torchrun started with this one; one alone without it.

    Each takes the GPU of its number on its machine. Raises `ConfigError` where there are too few.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Ranks()
    on_gpu = choose_device(settings).type == "cuda"
    if on_gpu:
        number, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= gpus:
            raise ConfigError(
                f"training.processes: {number + 1} processes or more train on this machine, which "
                f"has {gpus} GPUs. Start one for each, or set model.device to cpu."
            )
        torch.cuda.set_device(number)
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    store, rank, count = next(rendezvous("env://", timeout=LONGEST_WAIT))
    # torchrun keeps its store over restarts: without a name of its own, whoever comes first reads
    # where a process listened that is dead.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(
        backend,
        store=PrefixStore(f"attempt {attempt}", store),
        rank=rank,
        world_size=count,
        timeout=LONGEST_WAIT,
    )
    return Together()


def _as_tensor(content: bytes, size: int) -> Tensor:
    return torch.frombuffer(bytearray(content.ljust(max(size, 1), b"\0")), dtype=torch.uint8)
