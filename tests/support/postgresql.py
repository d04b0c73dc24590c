"""A PostgreSQL server of a test's own, on a port of its own; gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.peers import missing
from tests.support.settings import free_port

_PROGRAMS = "/usr/lib/postgresql"  # Debian keeps the server's own programs out of the path


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database `recontour`; the test is skipped without PostgreSQL."""
    initdb = shutil.which("initdb") or next(
        (str(path) for path in sorted(Path(_PROGRAMS).glob("*/bin/initdb"), reverse=True)), None
    )
    if initdb is None:
        missing("PostgreSQL is not installed")
    programs = Path(initdb).resolve().parent
    # It will not run as root: the account that the package brought owns its files.
    as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        if as_owner:
            shutil.chown(folder, "postgres")
        cluster = f"{folder}/cluster"

        def run(program: str, *arguments: str) -> None:
            command = [*as_owner, str(programs / program), *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=folder)

        run("initdb", "-D", cluster, "-A", "trust", "-U", "node", "--no-sync")
        options = f"-p {port} -k {folder} -h 127.0.0.1 -F"
        run("pg_ctl", "-D", cluster, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "node", "recontour")
            yield f"postgresql+psycopg://node@127.0.0.1:{port}/recontour"
        finally:
            run("pg_ctl", "-D", cluster, "-m", "immediate", "stop")
