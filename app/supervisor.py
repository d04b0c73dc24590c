"""Starts the processes of a machine, starts again what dies, ends all when asked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from app.alerting.restarts import Ends, Restarts
from app.watchdog import Watchdog
from core.config import load_settings
from core.errors import ConfigError

log = structlog.get_logger()

ROLES = ("node", "worker", "trainer", "review")
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0
STEADY_S = 30.0
GRACE_S = 10.0
LOOK_AT_CONFIG_S = 5.0


@dataclass
class _Child:
    role: str
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    restart_at: float | None = None


class _ConfigFile:
    """Says once that the configuration was changed: the processes go on with what they read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._content()
        self._looked_at = time.monotonic()

    def tell_if_changed(self) -> None:
        if time.monotonic() - self._looked_at < LOOK_AT_CONFIG_S:
            return
        self._looked_at = time.monotonic()
        content = self._content()
        if content == self._known:
            return
        self._known = content
        try:
            load_settings(self._path)
        except ConfigError as error:
            log.warning("config.changed", todo="Do not restart the node yet.", wrong=str(error))
        else:
            log.warning("config.changed", todo="Restart the node to use it.")

    def _content(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""


@dataclass
class Supervisor:
    """Keeps one process of each of `roles` alive until `stop` is set."""

    config: Path
    stop: threading.Event
    roles: Sequence[str] = ROLES
    watchdog: Watchdog = field(default_factory=Watchdog)
    _children: dict[str, _Child] = field(default_factory=dict)
    _alarm: subprocess.Popen[bytes] | None = None
    _restarts: Restarts = field(init=False)
    _ends: Ends = field(default_factory=Ends)
    _told: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Return when `stop` is set and every child has ended."""
        config = _ConfigFile(self.config)
        self._restarts = Restarts(load_settings(self.config).data_folder)
        self._restarts.begin()
        for role in self.roles:
            self._children[role] = self._start(role, failures=0)
        self.watchdog.ready()
        try:
            while not self.stop.wait(0.1):
                for child in list(self._children.values()):
                    self._look_after(child)
                self.watchdog.lives()
                config.tell_if_changed()
        finally:
            self.watchdog.ends()
            self._end_all()

    def _start(self, role: str, *, failures: int) -> _Child:
        process = self._run(role)
        log.info("process.started", process=role, pid=process.pid)
        return _Child(role, process, time.monotonic(), failures)

    def _run(self, module: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (our own module, no input from outside)
            [sys.executable, "-m", f"app.{module}", str(self.config)],
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
        )

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        code = child.process.poll()
        if code is None:
            if child.failures and now - child.started > STEADY_S:
                child.failures = 0
            if child.role in self._told and not self._ends.are_many(child.role, now):
                self._told.remove(child.role)
                self._restarts.steady(child.role)
            return
        if child.restart_at is None:
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(child.failures, 10))
            child.restart_at = now + pause
            self._ends.add(child.role, now)
            log.warning("process.ended", process=child.role, code=code, restart_in_s=pause)
        elif now >= child.restart_at:
            self._children[child.role] = self._start(child.role, failures=child.failures + 1)
            if self._ends.are_many(child.role, now):
                self._keeps_ending(child.role)

    def _keeps_ending(self, role: str) -> None:
        """Have it told by the worker; where that is the one that ends, by a process of its own."""
        self._restarts.note(role)
        self._told.add(role)
        if role == "worker" and (self._alarm is None or self._alarm.poll() is not None):
            self._alarm = self._run("alarm")

    def _end_all(self) -> None:
        all_of_them = [c.process for c in self._children.values()]
        all_of_them += [self._alarm] if self._alarm else []
        running = [process for process in all_of_them if process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE_S
        for process in running:
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
