"""Enrolment tokens: who made one, and to what it is bound.

A token's line in the table is made by whoever comes first, the sale or the customer, and locked by both: that is why the
points are credited once whichever comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Row, select, update

from loyalty.enrolment_token import BadToken, genuine, hour_of, read
from loyalty_server.keys import Keys
from loyalty_server.slips import Name
from loyalty_server.storage.statements import append, insert_new, move, within
from loyalty_server.storage.tables import RECEIPT, tokens

GOOD_FOR = timedelta(days=14)

Bound = Literal["receipt", "till"]


class Token(NamedTuple):
    """A genuine token."""

    id: str
    device_number: int
    hour: int

    def expired(self, now: datetime) -> bool:
        """Tell whether its time is over, by the hour in which it was made."""
        return hour_of(now) - self.hour > GOOD_FOR // timedelta(hours=1)


class TokenLine(NamedTuple):
    """What is known of a token; `receipt` once it is bound to one."""

    id: str
    bound_to: Bound | None = None
    member: str | None = None
    receipt: Name | None = None


def recognise(keys: Keys, text: str) -> Token | None:
    """Return the token, if one of our devices made it; the letters may be of any case."""
    try:
        said = read(text)
    except BadToken:
        return None
    if not genuine(text, keys.token(said.device_number, said.generation)):
        return None
    return Token("-".join(map(str, said)), said.device_number, said.hour)


def lock_token(connection: Connection, token: str) -> TokenLine:
    """Return the token's line, made now if need be, and keep everybody else from it until the transaction ends."""
    insert_new(connection, tokens, {"id": token})
    return lock(connection, [token])[token]


def lock(connection: Connection, ids: Collection[str]) -> dict[str, TokenLine]:
    """Return those lines that are there, and keep everybody else from them until the transaction ends."""
    found = select(tokens).where(within(connection, tokens.c.id, ids)).order_by(tokens.c.id).with_for_update()
    return {row.id: _line(row) for row in connection.execute(found)}


def find(connection: Connection, token: str) -> TokenLine | None:
    """Return the token's line, if there is one."""
    row = connection.execute(select(tokens).where(tokens.c.id == token)).one_or_none()
    return None if row is None else _line(row)


def write(connection: Connection, changes: Iterable[tuple[str, TokenLine, bool]]) -> None:
    """Bind tokens, known ones (locked before) and new ones. Raises IntegrityError when a new one is known meanwhile."""
    lines: dict[bool, list[tuple[object, ...]]] = {True: [], False: []}
    for token, line, new in changes:
        lines[new].append((token, line.bound_to, *(line.receipt or (None,) * len(RECEIPT))))
    append(connection, tokens, ("id", "bound_to", *RECEIPT), lines[True])
    move(connection, tokens.c.id, ("bound_to", *RECEIPT), lines[False])


def use(connection: Connection, token: str, member: str, now: datetime) -> None:
    """Note who has used it; it is good once."""
    connection.execute(update(tokens).where(tokens.c.id == token).values(member=member, used_at=now))


def _line(row: Row[tuple[object, ...]]) -> TokenLine:
    receipt = None if row.number is None else (row.business_day, row.store, row.till, row.shift, row.number)
    return TokenLine(row.id, row.bound_to, row.member, receipt)
