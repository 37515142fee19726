"""SQLite: one file, no server.

WAL, synchronous=FULL (read back), writers begin with BEGIN IMMEDIATE and queue up at a gate that also holds between
processes, so that the command line may work beside the running server and nobody writes or checkpoints at the same time
as another (which SQLite before 3.51.3 did not survive in every case).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_MODE = "transaction"
_LOOK = 0.005  # seconds between two looks at the gate while another process holds it
_WAY = 10 * _LOOK


class Sqlite:
    """How a SQLite file is worked with."""

    def __init__(self, url: URL, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._gate = _Gate(Path(f"{url.database}.lock"), patience)
        self.reading: dict[str, object] = {}
        self.writing: dict[str, object] = {_MODE: "IMMEDIATE"}

    def engine(self) -> Engine:
        """Nothing is opened yet."""
        engine = create_engine(self._url, pool_size=8, max_overflow=32, hide_parameters=True)
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def gate(self) -> AbstractContextManager[None]:
        """Whoever writes holds it. Raises TimeoutError."""
        return self._gate.held()

    def give_way(self) -> None:
        """Stay away from the gate for longer than others need to see that it is open: they do not queue up there."""
        threading.Event().wait(_WAY)

    def _prepare(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin and end where this module says so
        cursor = connection.cursor()
        patience = f"busy_timeout={int(self._patience * 1000)}"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", patience, "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        modes = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        cursor.close()
        if modes != ["wal", 2]:
            raise OSError(f"this file system cannot keep a database safe: {modes}")


class _Gate:
    """One writer at a time, in this process and in others."""

    def __init__(self, path: Path, patience: float) -> None:
        self._patience = patience
        self._threads = threading.Lock()
        self._processes = FileLock(path, timeout=patience, thread_local=False)

    @contextmanager
    def held(self) -> Iterator[None]:
        if not self._threads.acquire(timeout=self._patience):
            raise TimeoutError("another writer holds the database")
        try:
            try:
                self._processes.acquire(poll_interval=_LOOK)
            except Timeout as error:
                raise TimeoutError("another process holds the database") from error
            try:
                yield
            finally:
                self._processes.release()
        finally:
            self._threads.release()


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_MODE, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
