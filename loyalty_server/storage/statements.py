"""The few statements that every part needs, said once for each kind of database."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Table, update
from sqlalchemy.dialects import postgresql, sqlite

from loyalty_server.storage.tables import counters


def insert_new(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert the row unless its key is there already; tell whether it was inserted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(new, execution_options={"preserve_rowcount": True}).rowcount == 1


def next_number(connection: Connection, counter: str) -> int:
    """Count up and return: 1, 2, 3 ... The number is taken only if the transaction commits."""
    insert_new(connection, counters, {"name": counter, "value": 0})
    counted = update(counters).where(counters.c.name == counter).values(value=counters.c.value + 1)
    return int(connection.execute(counted.returning(counters.c.value)).scalar_one())
