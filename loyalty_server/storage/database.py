"""The database: one address, two kinds of transactions.

`reading()` sees one unmoving picture of everything. `writing()` books all or nothing, on disk when it returns. What is
different between SQLite and PostgreSQL stands in a module for each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loyalty.errors import TillmateError
from loyalty_server.storage import postgresql, sqlite

T = TypeVar("T")

_WAIT = 10.0
_TRIES = 4
_COLLISIONS = ("40001", "40P01")  # serialization failure, deadlock

log = logging.getLogger(__name__)


class DatabaseBusy(TillmateError):
    """Locked for too long, full or gone; whether anything was booked is not known. Try the same again later."""

    code: ClassVar[str] = "database_busy"


class Collided(DatabaseBusy):
    """Given up for another transaction, which waited for it as it did for that one: nothing was booked."""


class _Kind(Protocol):
    """What one kind of database is worked with by: options of a transaction, and who may write beside whom."""

    @property
    def reading(self) -> dict[str, object]: ...

    @property
    def writing(self) -> dict[str, object]: ...

    def engine(self) -> Engine: ...

    def gate(self) -> AbstractContextManager[None]: ...

    def give_way(self) -> None: ...


class Database:
    """All SQL goes through here. Safe to share between threads; `close` when nobody uses it any more.

    `url` is sqlite:///FILE or postgresql://...; `patience` is how many seconds a transaction waits for another one.
    Errors never carry the values of a statement: phones and cards must not reach a log.
    """

    def __init__(self, url: str, patience: float = _WAIT) -> None:
        self._kind = _kind(make_url(url), patience)
        self.engine = self._kind.engine()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One picture of the database for as long as the block lasts. Raises DatabaseBusy."""
        with _translated(), self.engine.connect() as connection:
            connection.execution_options(**self._kind.reading)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Commit at the end of the block, or nothing at all when it raises. Raises DatabaseBusy."""
        with _translated(), self._kind.gate(), self.engine.connect() as connection:
            connection.execution_options(**self._kind.writing)
            with connection.begin():
                yield connection

    def give_way(self) -> None:
        """Let others write: for who writes one thing after the other, between two of them."""
        self._kind.give_way()

    def close(self) -> None:
        """Let go of the file, or hang up."""
        with self._kind.gate():
            self.engine.dispose()


def again(work: Callable[[], T]) -> T:
    """Do the work, a transaction of its own, and anew when it has collided. Raises DatabaseBusy after some times."""
    for _ in range(_TRIES - 1):
        try:
            return work()
        except Collided as error:
            log.warning("collided=%s", error)
    return work()


def _kind(url: URL, patience: float) -> _Kind:
    if url.get_backend_name() == "sqlite":
        return sqlite.Sqlite(url, patience)
    return postgresql.PostgreSql(url, patience)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise DatabaseBusy(str(error)) from error
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) in _COLLISIONS:
            raise Collided(_reason(error)) from error
        log.exception("database=unavailable")
        raise DatabaseBusy(_reason(error)) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise DatabaseBusy("the connection to the database was lost") from error


def _reason(error: Exception) -> str:
    """Why, for the operator: an error outside of a statement says where it could not connect, and holds no values."""
    outside = isinstance(error, DBAPIError) and error.statement is None
    return str(getattr(error, "orig", error)) if outside else "the database did not take the transaction"


def sqlite_url(path: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite:///{path}"
