"""The feed from which a till keeps its replica: the regulars of its store in the order in which they changed.

A cursor is the incarnation of this server, a change number, and the one up to which the till was complete for the last
time. One from another life (a server that was set up anew or restored from a backup) cannot be continued: 410, and the
till refills. Cards are told only where a till that was complete cannot know them: most changes are purchases, and a
keyed hash, which does not pack, would be half of such a change. All of a page, `includes` too, comes from one picture of
the database. `includes` holds for the replica as a whole only once `complete` is said: a member of a page
that is still to come may lack the same rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row, func, select, update

from loyalty.codes import ident
from loyalty.wire import ChangesPage, Included, MemberChange
from loyalty_server import regulars
from loyalty_server.devices import Device
from loyalty_server.keys import Keys
from loyalty_server.members import GOOD_CARD, state_of
from loyalty_server.problems import refuse
from loyalty_server.storage.statements import insert_new, within
from loyalty_server.storage.tables import cards, epochs, members, settings, stores

_INCARNATION = "incarnation"


def begin_incarnation(connection: Connection) -> None:
    """Give a new database its incarnation, of the first life; one that has it keeps it."""
    insert_new(connection, settings, {"name": _INCARNATION, "value": _of_life(1)})


def begin_life(connection: Connection, number: int) -> None:
    """Give the database another incarnation, of the life of this number."""
    changed = update(settings).where(settings.c.name == _INCARNATION)
    connection.execute(changed.values(value=_of_life(number)))


def life_of(connection: Connection) -> int:
    """Return the number of the life that the database is in; 0 = of a time when they were not numbered."""
    _, _, number = _incarnation(connection).partition("-")
    return int(number or 0)


def _of_life(number: int) -> str:
    return f"{secrets.token_hex(8)}-{number}"


def _incarnation(connection: Connection) -> str:
    found = select(settings.c.value).where(settings.c.name == _INCARNATION)
    return str(connection.execute(found).scalar_one())


def changes_since(
    connection: Connection, keys: Keys, device: Device, cursor: str, most: int, now: datetime, epoch: str = ""
) -> ChangesPage:
    """Return the next page after `cursor` ("" = from nothing). Raises Refused `refill`.

    `epoch` is the one in which the till numbers its rows now; "" = the last one that the device has opened.
    """
    incarnation = _incarnation(connection)
    newest = int(connection.execute(select(func.coalesce(func.max(members.c.change), 0))).scalar_one())
    since = _since(cursor, incarnation, newest)
    here = regulars.of(device.store, one_by_one=since.whole > 0)  # few have changed, and many are regulars
    after = select(members).where(members.c.change > since.change, here)
    found = connection.execute(after.order_by(members.c.change).limit(most + 1)).all()
    page, complete = found[:most], len(found) <= most
    last = newest if complete else page[-1].change
    key, held = ident_key(connection, keys, device), _cards(connection, device.store, since, page)
    return ChangesPage(
        changes=tuple(change_of(row, key, held.get(row.id), now) for row in page),
        next=f"{incarnation}.{last}.{last if complete else since.whole}",
        complete=complete,
        includes=includes(connection, device, epoch or device.epoch),
    )


def ident_key(connection: Connection, keys: Keys, device: Device) -> bytes:
    """Return the key under which this device's store knows cards."""
    generation = select(stores.c.ident_generation).where(stores.c.id == device.store)
    return keys.ident(device.store, connection.execute(generation).scalar_one())


def change_of(row: Row[tuple[object, ...]], key: bytes, held: Iterable[str] | None, now: datetime) -> MemberChange:
    """Return what a store is told of a row of `members`, who holds these cards (None = the till has them already).

    Of a deleted one it is told that he is gone.
    """
    if row.deleted_at is not None:
        return MemberChange(member=row.id)
    idents = None if held is None else tuple(ident(key, card) for card in held)
    return MemberChange(member=row.id, idents=idents, greeting=row.greeting, state=state_of(row, as_of=now))


def includes(connection: Connection, device: Device, epoch: str) -> Included:
    """Return how far the rows of this epoch are counted in."""
    here = select(epochs.c.last_seq).where(epochs.c.device == device.id, epochs.c.epoch == epoch)
    return Included(epoch, connection.execute(here).scalar_one_or_none() or 0)


class _Since(NamedTuple):
    """What the till has: all changes up to `change`, of members whom it knew as they were at `whole`; 0 = of nobody."""

    change: int = 0
    whole: int = 0


def _since(cursor: str, incarnation: str, newest: int) -> _Since:
    if not cursor:
        return _Since()
    life, *numbers = cursor.split(".")
    if life != incarnation or len(numbers) != len(_Since._fields) or not all(map(_is_number, numbers)):
        raise refuse("refill")
    since = _Since(*map(int, numbers))
    if not since.whole <= since.change <= newest:
        raise refuse("refill")
    return since


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 19


def _cards(
    connection: Connection, store: str, since: _Since, page: Sequence[Row[tuple[object, ...]]]
) -> dict[str, list[str]]:
    """The cards of those in the page whose cards the till does not know as they are."""
    told = {row.id for row in page if row.cards_change > since.whole}
    told |= regulars.since(connection, store, since.whole, [row.id for row in page if row.id not in told])
    held: dict[str, list[str]] = {member: [] for member in told}
    found = select(cards.c.member, cards.c.card).where(within(connection, cards.c.member, sorted(told)), GOOD_CARD)
    for member, card in connection.execute(found.order_by(cards.c.card)) if told else ():
        held[member].append(card)
    return held
