"""A PostgreSQL server of a test's own, on a port of its own; gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import missing
from tests.support.settings import free_port

_PROGRAMS = "/usr/lib/postgresql"  # Debian keeps the server's own programs out of the path


@dataclass(frozen=True)
class Server:
    """A running server with an empty database `recontour`."""

    programs: Path
    folder: str
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://node@127.0.0.1:{self.port}/recontour"

    def run(self, program: str, *arguments: str) -> None:
        # It will not run as root: the account that the package brought owns its files.
        as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*as_owner, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1 -F"
        self._control("-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop_at_once(self) -> None:
        """As in a crash: no session ends in order, and the next start recovers."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-D", f"{self.folder}/cluster", *arguments)


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """A server while the block runs; the test is skipped without PostgreSQL."""
    initdb = shutil.which("initdb") or next(
        (str(path) for path in sorted(Path(_PROGRAMS).glob("*/bin/initdb"), reverse=True)), None
    )
    if initdb is None:
        missing("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory() as folder:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        server = Server(Path(initdb).resolve().parent, folder, free_port())
        server.run("initdb", "-D", f"{folder}/cluster", "-A", "trust", "-U", "node", "--no-sync")
        server.start()
        try:
            server.run(
                "createdb", "-h", "127.0.0.1", "-p", str(server.port), "-U", "node", "recontour"
            )
            yield server
        finally:
            server.stop_at_once()


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database `recontour`; the test is skipped without PostgreSQL."""
    with postgresql_server() as server:
        yield server.url
