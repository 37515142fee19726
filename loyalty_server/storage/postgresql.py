"""PostgreSQL 14 or newer, or what speaks its protocol and its SQL: many server processes on one database.

Readers see one snapshot (REPEATABLE READ). Writers see what is committed and wait for each other at the rows that they
lock, so that any number of processes may write at once. A commit is on the database's disk when it returns, whatever the
database's own setting is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, nullcontext

from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_CONNECT = 5
_ABANDONED = 60_000

_SESSION = """
SELECT set_config('TimeZone', 'UTC', false),
       set_config('lock_timeout', %s, false),
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
        return engine

    def gate(self) -> AbstractContextManager[None]:
        """Open: rows are locked one by one."""
        return nullcontext()

    def _prepare(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(_SESSION, (str(int(self._patience * 1000)), str(_ABANDONED)))
        connection.commit()


def _hide_values(context: ExceptionContext) -> None:
    """Cut DETAIL and CONTEXT off an error of the database: they quote keys and whole lines, so phones and cards."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None:
            error.args = tuple(each.partition("\n")[0] if isinstance(each, str) else each for each in error.args)
