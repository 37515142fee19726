"""PostgreSQL 14 or newer, or what speaks its protocol and its SQL: many server processes on one database.

Readers see one snapshot (REPEATABLE READ). Writers see what is committed and wait for each other at the rows that they
lock, so that any number of processes may write at once. A commit is on the database's disk when it returns, whatever the
database's own setting is. Prepared statements are planned anew each time: a plan that was made while a table was small
would be kept when it is not.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    ExceptionContext,
    Integer,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from loyalty_server.storage.types import UtcTime

_CONNECT = 5
_ABANDONED = 60_000
_BINARY = (
    (UtcTime, "timestamptz"),
    (Date, "date"),
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Boolean, "bool"),
    (String, "text"),
)

_SESSION = """
SELECT set_config('TimeZone', 'UTC', false),
       set_config('lock_timeout', %s, false),
       set_config('plan_cache_mode', 'force_custom_plan', false),
       set_config('idle_in_transaction_session_timeout', %s, false),
       set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                  ELSE current_setting('synchronous_commit') END, false)
"""


class PostgreSql:
    """How a PostgreSQL database is worked with."""

    def __init__(self, url: URL, patience: float) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._patience = patience
        self.reading: dict[str, object] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self.writing: dict[str, object] = {"isolation_level": "READ COMMITTED"}

    def engine(self) -> Engine:
        """Nothing is connected yet."""
        engine = create_engine(
            self._url,
            pool_size=8,
            max_overflow=32,
            pool_timeout=self._patience,
            hide_parameters=True,
            connect_args={"connect_timeout": _CONNECT, "application_name": "tillmate-server"},
        )
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "handle_error", _hide_values)
        event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
        return engine

    def gate(self) -> AbstractContextManager[None]:
        """Open: rows are locked one by one."""
        return nullcontext()

    def give_way(self) -> None:
        """Nothing to do: who waits for a row gets it."""

    def _prepare(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        array = importlib.import_module("psycopg.types.array")  # an extra that SQLite does without
        connection.adapters.register_dumper(list, array.ListBinaryDumper)  # a text array would quote each JSON in it
        with closing(connection.cursor()) as cursor:
            cursor.execute(_SESSION, (str(int(self._patience * 1000)), str(_ABANDONED)))
        connection.commit()


def copy(connection: Connection, table: Table, columns: Sequence[str], lines: Iterable[tuple[object, ...]]) -> None:
    """Insert the lines by COPY. Raises what an INSERT would."""
    quote = connection.dialect.identifier_preparer.quote
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, columns))}) FROM STDIN (FORMAT BINARY)"
    driver = connection.dialect.loaded_dbapi
    try:
        with closing(connection.connection.cursor()) as cursor, cursor.copy(statement) as target:
            target.set_types([_binary(table.c[name]) for name in columns])
            for line in lines:
                target.write_row(line)
    except driver.Error as error:
        translated = DBAPIError.instance(statement, None, error, driver.Error, hide_parameters=True)
        _cut(error, translated)
        raise translated from error


def _binary(column: Column[object]) -> str:
    """What PostgreSQL calls the column's type."""
    for kind, name in _BINARY:
        if isinstance(column.type, kind):
            return name
    raise TypeError(f"no COPY for a column of {column.type!r}")


def _hide_values(context: ExceptionContext) -> None:
    _cut(context.original_exception, context.sqlalchemy_exception)


def _cut(*errors: BaseException | None) -> None:
    """Cut DETAIL and CONTEXT off errors of the database: they quote keys and whole lines, so phones and cards."""
    for error in errors:
        if error is not None:
            error.args = tuple(each.partition("\n")[0] if isinstance(each, str) else each for each in error.args)


def _without_nul(_: Connection, __: object, statement: str, parameters: object, *___: object) -> tuple[str, object]:
    """PostgreSQL keeps no NUL in a text: what somebody sends with one is looked for, and kept, with U+FFFD instead."""
    return statement, _replaced(parameters)


def _replaced(value: object) -> object:
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value
        case dict():
            return {key: _replaced(each) for key, each in value.items()}
        case list() | tuple():
            return [_replaced(each) for each in value]
    return value
