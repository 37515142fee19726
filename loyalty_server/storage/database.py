"""The database: one address, two kinds of transactions.

`reading()` sees one unmoving picture of everything. `writing()` books all or nothing, on disk when it returns.

SQLite: WAL, synchronous=FULL (read back), writers begin with BEGIN IMMEDIATE and queue up at a gate that also holds
between processes, so that the command line may work beside the running server and nobody writes or checkpoints at the
same time as another (which SQLite before 3.51.3 did not survive in every case).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from loyalty.errors import TillmateError

_WAIT = 10.0
_MODE = "transaction"

log = logging.getLogger(__name__)


class DatabaseBusy(TillmateError):
    """Nothing was booked: locked for too long, full or gone. Try the same again later."""

    code: ClassVar[str] = "database_busy"


class Database:
    """All SQL goes through here. Safe to share between threads; `close` when nobody uses it any more.

    Errors never carry the values of a statement: phones and cards must not reach a log.
    """

    def __init__(self, url: str, patience: float = _WAIT) -> None:
        self.engine = create_engine(url, pool_size=8, max_overflow=32, hide_parameters=True)
        self._gate = _Gate(Path(str(make_url(url).database) + ".lock"), patience)
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One picture of the database for as long as the block lasts. Raises DatabaseBusy."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Commit at the end of the block, or nothing at all when it raises. Raises DatabaseBusy."""
        with _translated(), self._gate.held(), self.engine.connect() as connection:
            connection.execution_options(**{_MODE: "IMMEDIATE"})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of the file."""
        with self._gate.held():
            self.engine.dispose()


class _Gate:
    """One writer at a time, in this process and in others."""

    def __init__(self, path: Path, patience: float) -> None:
        self._patience = patience
        self._threads = threading.Lock()
        self._processes = FileLock(path, timeout=patience, thread_local=False)

    @contextmanager
    def held(self) -> Iterator[None]:
        if not self._threads.acquire(timeout=self._patience):
            raise DatabaseBusy("another writer holds the database")
        try:
            with self._processes:
                yield
        except Timeout as error:
            raise DatabaseBusy("another process holds the database") from error
        finally:
            self._threads.release()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        log.exception("database=unavailable")
        raise DatabaseBusy("the database did not take the transaction") from error


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin and end where this module says so
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={int(_WAIT * 1000)}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    modes = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    cursor.close()
    if modes != ["wal", 2]:
        raise OSError(f"this file system cannot keep a database safe: {modes}")


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_MODE, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


def sqlite_url(path: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite:///{path}"
