"""Enrolment tokens: who made one, and to what it is bound.

A token's line in the table is made by whoever comes first, the sale or the customer, and locked by both: that is why the
points are credited once whichever comes first.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection, select, update

from loyalty.enrolment_token import BadToken, genuine, hour_of, read
from loyalty_server.keys import Keys
from loyalty_server.storage.statements import insert_new
from loyalty_server.storage.tables import tokens

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
    """What is known of a token."""

    id: str
    bound_to: Bound | None
    member: str | None


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
    line = connection.execute(select(tokens).where(tokens.c.id == token).with_for_update()).one()
    return TokenLine(line.id, line.bound_to, line.member)


def bind(connection: Connection, token: str, bound_to: Bound) -> None:
    """Note that the row which this token stands on has come in."""
    connection.execute(update(tokens).where(tokens.c.id == token).values(bound_to=bound_to))


def use(connection: Connection, token: str, member: str, now: datetime) -> None:
    """Note who has used it; it is good once."""
    connection.execute(update(tokens).where(tokens.c.id == token).values(member=member, used_at=now))
