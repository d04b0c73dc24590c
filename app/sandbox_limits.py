"""How much a process that reads untrusted files may take, and how it gives up the rest."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

# The largest volume that is accepted has 250 million voxels: 1 GB as float32. While it is made,
# the file, its pixels, the volume and a turned copy may stand side by side.
MEMORY_MB = 4096
FILE_MB = 1100
OPEN_FILES = 64
NICE = 5
_CPU_S, _CPU_S_PER_FILE = 60, 0.5
_WALL_FACTOR = 3

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_FIRST_TO_GO = "1000"


@dataclass(frozen=True, slots=True)
class Limits:
    """Address space, processor time, time, and size of a written file."""

    memory_mb: int
    cpu_s: int
    wall_s: int
    file_mb: int = FILE_MB

    def to_json(self) -> dict[str, int]:
        """Plain values, for the other process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The limits that `to_json` wrote."""
        return cls(**values)


def limits_for(paths: Sequence[Path]) -> Limits:
    """What reading `paths` may take: far more than any real object was seen to need."""
    cpu_s = _CPU_S + int(_CPU_S_PER_FILE * len(paths))
    return Limits(memory_mb=MEMORY_MB, cpu_s=cpu_s, wall_s=_WALL_FACTOR * cpu_s)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its `parent` dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def confine(limits: Limits) -> None:
    """Put this process under `limits`, for good; it also loses the network where it may."""
    with suppress(OSError):
        # If the machine runs out of memory, this process is the one to go.
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Root may leave the network by itself; others in a user namespace, where the system lets them.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    os.nice(NICE)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, limits.file_mb * 1_000_000),
        (resource.RLIMIT_AS, limits.memory_mb * 1_000_000),
    ):
        resource.setrlimit(what, (most, most))
    # The soft limit says which one it was (SIGXCPU); the hard one only kills.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    # Python ignores SIGXFSZ; here it ends the process, and says so.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limits.wall_s)
