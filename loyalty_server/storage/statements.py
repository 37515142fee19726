"""The few statements that every part needs, said once for each kind of database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    TableValuedAlias,
    Text,
    any_,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from loyalty_server.storage.postgresql import copy
from loyalty_server.storage.tables import counters


def insert_new(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert the row unless its key is there already; tell whether it was inserted."""
    new = _insert(connection, table).values(**values).on_conflict_do_nothing()
    return connection.execute(new, execution_options={"preserve_rowcount": True}).rowcount == 1


def put(connection: Connection, table: Table, lines: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows; those whose primary key is there already become as given."""
    if not lines:
        return
    new = _insert(connection, table)
    given = {column.name: new.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(new.on_conflict_do_update(index_elements=list(table.primary_key), set_=given), lines)


def append(connection: Connection, table: Table, columns: Sequence[str], lines: Collection[tuple[object, ...]]) -> None:
    """Insert many rows at once, `columns` of each. Raises IntegrityError where a key is there already."""
    if not lines:
        return
    if _is_postgresql(connection):
        copy(connection, table, columns, lines)
    else:
        connection.execute(_insert(connection, table), [dict(zip(columns, line, strict=True)) for line in lines])


def insert_from(connection: Connection, table: Table, columns: Sequence[str], lines: Select[Any]) -> None:
    """Insert what a query finds, but for keys that are there already. The query has a condition."""
    connection.execute(_insert(connection, table).from_select(columns, lines).on_conflict_do_nothing())


def next_number(connection: Connection, counter: str) -> int:
    """Count up and return: 1, 2, 3 ... The number is taken only if the transaction commits."""
    return next_numbers(connection, counter, 1)


def next_numbers(connection: Connection, counter: str, count: int) -> int:
    """Take so many numbers and return the first. Nobody else can take one until the transaction ends."""
    counted = update(counters).where(counters.c.name == counter).values(value=counters.c.value + count)
    counted = counted.returning(counters.c.value)
    last = connection.execute(counted).scalar_one_or_none()
    if last is None:
        insert_new(connection, counters, {"name": counter, "value": 0})
        last = connection.execute(counted).scalar_one()
    return int(last) - count + 1


def move(
    connection: Connection, key: Column[str], columns: Sequence[str], lines: Collection[tuple[object, ...]]
) -> None:
    """Set `columns` of many rows at once; each line begins with the key of its row. The caller has locked them."""
    if not lines:
        return
    table = key.table
    names = [f"k{place}" for place in range(len(columns) + 1)]
    if not _is_postgresql(connection):
        given: dict[str, BindParameter[object]] = {
            name: bindparam(place) for name, place in zip(columns, names[1:], strict=True)
        }
        each = update(table).where(key == bindparam("k0")).values(given)
        connection.execute(each, [dict(zip(names, line, strict=True)) for line in lines])
        return
    moved = _unnested([key, *(table.c[name] for name in columns)], lines)
    new = {name: moved.c[place] for name, place in zip(columns, names[1:], strict=True)}
    connection.execute(update(table).where(key == moved.c.k0).values(new))


def within(connection: Connection, column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
    """The column is one of these, however many: one text of the statement for all, so that it stays prepared."""
    if _is_postgresql(connection):
        return column == any_(literal(list(values), ARRAY(Text())))
    return column.in_(values)


def matching(
    connection: Connection, columns: Sequence[Column[Any]], keys: Collection[tuple[object, ...]]
) -> ColumnElement[bool]:
    """The columns together are one of these keys."""
    if not _is_postgresql(connection):
        return tuple_(*columns).in_(list(keys))
    wanted = _unnested(columns, keys)
    return tuple_(*columns).in_(select(*wanted.c))


def _unnested(columns: Sequence[Column[Any]], lines: Collection[tuple[object, ...]]) -> TableValuedAlias:
    """Lines as a table of PostgreSQL, k0, k1 ...: one array a column, so that the text does not depend on how many."""
    arrays = [
        literal(list(values), ARRAY(Text() if isinstance(column.type, String) else column.type))
        for column, values in zip(columns, zip(*lines, strict=True), strict=True)
    ]
    return func.unnest(*arrays).table_valued(*(f"k{place}" for place in range(len(columns)))).render_derived()


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if _is_postgresql(connection) else sqlite.insert(table)


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
