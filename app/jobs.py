"""The thin seam to DBOS: durable workflows, and taking over those of a dead process.

The rows of the store say what is due; `Jobs.ensure` turns a due row into a workflow with a
deterministic id, so that asking twice does the work once.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
import structlog
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
)

from core.config import Settings
from core.database import open_engine

log = structlog.get_logger()

# Bump only for a change of a workflow's steps that old, unfinished workflows cannot follow.
APPLICATION_VERSION = "1"
QUEUES = {"intake": 2, "predict": 1, "dose": 1, "send": 8, "commit": 4}
LIVE = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
LONGEST_PAUSE_S = 300.0
_LOCK_KEY = "SELECT pg_try_advisory_lock(7401, hashtext(:name))"
_UNLOCK_KEY = "SELECT pg_advisory_unlock(7401, hashtext(:name))"


def pause_after(tries: int, *, first_s: float = 2.0, longest_s: float = LONGEST_PAUSE_S) -> float:
    """Seconds to wait after `tries` failed tries: doubled each time, bounded."""
    return float(min(longest_s, first_s * 2.0 ** min(max(tries - 1, 0), 20)))


class Jobs:
    """DBOS in one worker process. Workflows must be registered before `launch`."""

    def __init__(self, settings: Settings) -> None:
        self._poll_s = settings.jobs.poll_s
        # An id shared by two processes would run every workflow twice.
        self._executor = f"{socket.gethostname()}-{uuid.uuid4().hex}"
        url = settings.database_url
        if url:
            engine = open_engine(url)
            self._liveness: _Liveness = _AdvisoryLocks(engine)
        else:
            url = f"sqlite:///{settings.data_folder.resolve() / 'jobs.db'}"
            engine = _sqlite_for_dbos(url)
            self._liveness = _FileLocks(settings.data_folder / "locks" / "workers")
        config = DBOSConfig(
            name="recontour",
            system_database_url=url,
            system_database_engine=engine,
            application_version=APPLICATION_VERSION,
            executor_id=self._executor,
            serializer=DBOSPortableJSONSerializer(),
            log_level="WARNING",
            scheduler_polling_interval_sec=30.0,
        )
        DBOS(config=config)

    def launch(self) -> None:
        """Hold our sign of life, start the queues, take over what dead workers left."""
        self._liveness.hold(self._executor)
        DBOS.launch()
        for name, concurrency in QUEUES.items():
            DBOS.register_queue(
                name,
                worker_concurrency=concurrency,
                polling_interval_sec=max(0.1, self._poll_s / 2),
            )
        self.take_over()

    def shut_down(self) -> None:
        """Stop taking work; what runs is recovered by the next worker."""
        DBOS.destroy(workflow_completion_timeout_sec=5)

    def ensure(
        self,
        workflow: Callable[..., Any],
        key: str,
        *args: Any,
        queue: str,
        priority: int | None = None,
    ) -> bool:
        """Have `workflow` run for `key`: nothing while it is live, a new try after a failure.

        False while it only waits for its next try.

        A key that is still due although its last try ended is tried again after a growing pause.
        Of what waits in a queue the lowest `priority` (1, 2 ...) runs first; without one, before
        all others.
        """
        tries = DBOS.list_workflows(
            workflow_id_prefix=f"{key}~", load_input=False, load_output=False
        )
        # What an older version left queued is never taken up again: it does not count as live.
        if any(t.status in LIVE and t.app_version == APPLICATION_VERSION for t in tries):
            return True
        if tries:
            last_s = max(t.updated_at or 0 for t in tries) / 1000.0
            if time.time() < last_s + pause_after(len(tries)):
                return False
            log.warning("job.again", key=key, tries=len(tries))
        with SetWorkflowID(f"{key}~{len(tries) + 1}"), SetEnqueueOptions(priority=priority):
            DBOS.enqueue_workflow(queue, workflow, *args)
        return True

    def take_over(self) -> None:
        """Recover the workflows of executors whose sign of life is gone. No time-outs, no clock."""
        self._liveness.require_held()
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        executors = {w.executor_id for w in pending if w.executor_id}
        dead = [e for e in executors if e != self._executor and self._liveness.is_dead(e)]
        if dead:
            log.warning("job.take_over", executors=len(dead))
            # Private in dbos 3.4 (the public way is proprietary): pinned, and held by a test.
            DBOS._recover_pending_workflows(dead)  # noqa: SLF001

    def keep_going(self, reconcile: Callable[[], None], stop: threading.Event) -> None:
        """Look for due work and for dead workers until `stop`; an error is logged, not fatal."""
        while not stop.is_set():
            try:
                self.take_over()
                reconcile()
            except sa.exc.OperationalError:  # a busy or restarting database
                log.exception("job.database_unavailable")
            stop.wait(self._poll_s)


class _Liveness:
    """A lock that the system drops at the moment its holder dies."""

    def hold(self, name: str) -> None:
        raise NotImplementedError

    def require_held(self) -> None:
        """End the process if its lock is lost: another may already do its work."""
        raise NotImplementedError

    def is_dead(self, name: str) -> bool:
        raise NotImplementedError


class _FileLocks(_Liveness):
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._held: IO[str] | None = None

    def hold(self, name: str) -> None:
        self._held = (self._folder / name).open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def require_held(self) -> None:
        """A file lock cannot be lost while we live."""

    def is_dead(self, name: str) -> bool:
        path = self._folder / name
        try:
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except BlockingIOError:
            return False
        return True


class _AdvisoryLocks(_Liveness):
    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._session: sa.Connection | None = None

    def hold(self, name: str) -> None:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.scalar(sa.text(_LOCK_KEY), {"name": name})
        self._session = session

    def require_held(self) -> None:
        try:
            if self._session is not None:
                self._session.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            log.critical("job.lock_session_lost")
            os._exit(70)  # the supervisor starts us again

    def is_dead(self, name: str) -> bool:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            free = bool(connection.scalar(sa.text(_LOCK_KEY), {"name": name}))
            if free:
                connection.execute(sa.text(_UNLOCK_KEY), {"name": name})
            return free


def _sqlite_for_dbos(url: str) -> sa.Engine:
    # DBOS opens its own transactions; explicit BEGINs of ours would nest in its migrations.
    engine = sa.create_engine(url, hide_parameters=True)

    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(engine, "connect", prepare)
    return engine
