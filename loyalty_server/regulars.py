"""Whose replica holds whom: a member is a regular of each store that has had to do with him.

A store's feed has its regulars alone. Who bought or returned something there, joined there, or was looked for by a till of it
is one from then on. `change` is the number at which he became one: his cards were not told there before.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, exists, literal, select, true

from loyalty_server.members import lock, renumber
from loyalty_server.storage.statements import insert_from, within
from loyalty_server.storage.tables import members, regulars, stores

_COLUMNS = ("store", "member", "change")


def add(connection: Connection, store: str, ids: Collection[str]) -> None:
    """Make these members regulars. Each must have got his change number in this transaction."""
    if ids:
        new = select(literal(store), members.c.id, members.c.change)
        insert_from(connection, regulars, _COLUMNS, new.where(within(connection, members.c.id, ids)))


def add_everywhere(connection: Connection, member: str) -> None:
    """Make him a regular of each store that there is; as `add`."""
    new = select(stores.c.id, members.c.id, members.c.change).join(members, true())
    insert_from(connection, regulars, _COLUMNS, new.where(members.c.id == member))


def welcome(connection: Connection, store: str, member: str) -> None:
    """Make a member, who may have got his change number long ago, a regular, so that the next page brings him."""
    if not is_one(connection, store, member):
        lock(connection, [member])
        renumber(connection, member)
        add(connection, store, [member])


def is_one(connection: Connection, store: str, member: str) -> bool:
    """Tell whether the member is a regular of the store."""
    return connection.execute(select(of(store)).where(members.c.id == member)).scalar_one_or_none() or False


def of(store: str, *, one_by_one: bool = False) -> ColumnElement[bool]:
    """That a line of `members` is a regular of the store; looked up `one_by_one`, or however the database sees fit."""
    here = regulars.c.store == store, regulars.c.member == members.c.id
    return (
        select(regulars.c.change).where(*here).scalar_subquery().is_not(None) if one_by_one else exists().where(*here)
    )


def since(connection: Connection, store: str, change: int, ids: Collection[str]) -> frozenset[str]:
    """Return those of these members who have become regulars after this change."""
    if not ids:
        return frozenset()
    new = select(regulars.c.member).where(regulars.c.store == store, regulars.c.change > change)
    return frozenset(connection.execute(new.where(within(connection, regulars.c.member, ids))).scalars())
