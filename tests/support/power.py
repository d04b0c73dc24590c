"""A power cut after any step: what the disk may then hold, by what the system was asked to sync.

Between two syncs nothing is promised: of the names changed in a folder any may be on disk and any
not, in either order, and of a file that was not synced nothing, half, zeros or all. What was synced
stays. Every sync, rename, link, removal and new name is a moment at which the power may go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

CHANGES = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link"})
Left = dict[str, bytes]
"""Files by their path in the watched folder."""

_watching: list[Callable[[], None]] = []


def _on_audit(event: str, _arguments: tuple[object, ...]) -> None:
    if event in CHANGES and _watching:
        _watching[-1]()


sys.addaudithook(_on_audit)  # for good: Python has no way to take one away


@dataclass
class Disk:
    """What is below `folder`, and what of it is certain to be there after a cut."""

    folder: Path
    cuts: list[list[Left]] = field(default_factory=list)
    """For each moment all that may be left then."""
    _handles: dict[int, int] = field(default_factory=dict)
    _synced: dict[int, bytes] = field(default_factory=dict)
    _names: dict[int, dict[str, list[int | None]]] = field(default_factory=dict)
    _busy: bool = False

    def possible(self) -> list[Left]:
        """All that may be left if the power goes now."""
        with self.not_watching_itself():
            self._look()
        found = {tuple(sorted(left.items())) for left in self._of_folder(self._inode(self.folder))}
        return [dict(left) for left in sorted(found)]

    def certain(self) -> Left:
        """What is there whatever happens."""
        first, *others = self.possible()
        return {n: c for n, c in first.items() if all(o.get(n) == c for o in others)}

    def begin(self) -> None:
        """All that is there by now is on disk."""
        self._look()
        for inode, names in self._names.items():
            self._names[inode] = {name: [values[-1]] for name, values in names.items()}
        for inode in self._handles.keys() - self._names.keys():
            self._synced[inode] = self._content(inode)

    def may_go_now(self) -> None:
        """Note what a cut at this moment may leave."""
        if not self._busy:
            self.cuts.append(self.possible())

    def sync(self, handle: int) -> None:
        """What `handle` is open on is on disk."""
        inode = os.fstat(handle).st_ino
        if inode in self._names:
            names = self._names[inode]
            self._names[inode] = {name: [values[-1]] for name, values in names.items()}
        elif not Path(f"/proc/self/fd/{handle}").is_dir():
            self._hold(inode, Path(f"/proc/self/fd/{handle}"))
            self._synced[inode] = self._content(inode)

    @contextmanager
    def not_watching_itself(self) -> Iterator[None]:
        """Looking opens files, too."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def close(self) -> None:
        for handle in self._handles.values():
            os.close(handle)

    def _look(self) -> None:
        folders = [self.folder]
        while folders:
            folder = folders.pop()
            names = self._names.setdefault(self._inode(folder), {})
            there = {entry.name: Path(entry.path) for entry in os.scandir(folder)}
            for name in names.keys() | there.keys():
                value = self._inode(there[name]) if name in there else None
                values = names.setdefault(name, [None])
                if values[-1] != value:
                    values.append(value)
            folders += [path for path in there.values() if path.is_dir()]

    def _inode(self, path: Path) -> int:
        inode = path.stat().st_ino
        self._hold(inode, path)
        return inode

    def _hold(self, inode: int, path: Path) -> None:
        if inode not in self._handles:  # held, so that its number is not given to another
            self._handles[inode] = os.open(path, os.O_RDONLY)

    def _content(self, inode: int) -> bytes:
        handle = self._handles[inode]
        return os.pread(handle, os.fstat(handle).st_size, 0)

    def _of_folder(self, inode: int) -> Iterator[Left]:
        choices = [
            [left for value in dict.fromkeys(values) for left in self._of_name(name, value)]
            for name, values in self._names.get(inode, {}).items()
        ]
        for chosen in product(*choices):
            yield {path: content for left in chosen for path, content in left.items()}

    def _of_name(self, name: str, inode: int | None) -> Iterator[Left]:
        if inode is None:
            yield {}
        elif inode in self._names:
            for left in self._of_folder(inode):
                yield {f"{name}/{path}": content for path, content in left.items()}
        else:
            for content in self._of_file(inode):
                yield {name: content}

    def _of_file(self, inode: int) -> set[bytes]:
        now, synced = self._content(inode), self._synced.get(inode, b"")
        if now == synced and inode in self._synced:
            return {now}
        return {synced, now[: len(now) // 2], bytes(len(now)), now}


@contextmanager
def power_may_go(folder: Path) -> Iterator[Disk]:
    """Watch `folder`, all of which is on disk now; the block's end is the last moment."""
    disk = Disk(folder)
    disk.begin()
    sync = os.fsync

    def noted_sync(fd: Any) -> None:
        disk.may_go_now()
        sync(fd)
        with disk.not_watching_itself():
            disk.sync(fd)

    _watching.append(disk.may_go_now)
    os.fsync = noted_sync
    try:
        yield disk
        disk.may_go_now()
    finally:
        os.fsync = sync
        _watching.remove(disk.may_go_now)
        disk.close()


def built(left: Left, folder: Path) -> Path:
    """`folder`, made to hold what is left."""
    for name, content in left.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def anything(disk: Disk, name: str) -> set[Any]:
    """What may be under `name` after a cut at any moment; None for no such file."""
    return {left.get(name) for cut in disk.cuts for left in cut}
