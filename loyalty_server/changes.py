"""The feed from which a till keeps its replica: members in the order in which they changed.

A cursor is the incarnation of this server and a change number. One from another life (a server that was set up anew or
restored from a backup) cannot be continued: 410, and the till refills. All of a page, `includes` too, comes from one
picture of the database. `includes` holds for the replica as a whole only once `complete` is said: a member of a page
that is still to come may lack the same rows.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, func, select, update

from loyalty.codes import ident
from loyalty.wire import ChangesPage, Included, MemberChange
from loyalty_server.devices import Device
from loyalty_server.keys import Keys
from loyalty_server.members import state_of
from loyalty_server.problems import refuse
from loyalty_server.storage.statements import insert_new
from loyalty_server.storage.tables import cards, epochs, members, settings, stores

_INCARNATION = "incarnation"


def begin_incarnation(connection: Connection, *, anew: bool = False) -> None:
    """Give a new database its incarnation; one that has it keeps it, unless it has to begin `anew`."""
    life = secrets.token_hex(8)
    if not insert_new(connection, settings, {"name": _INCARNATION, "value": life}) and anew:
        connection.execute(update(settings).where(settings.c.name == _INCARNATION).values(value=life))


def changes_since(
    connection: Connection, keys: Keys, device: Device, cursor: str, most: int, now: datetime, epoch: str = ""
) -> ChangesPage:
    """Return the next page after `cursor` ("" = from nothing). Raises Refused `refill`.

    `epoch` is the one in which the till numbers its rows now; "" = the last one that the device has opened.
    """
    incarnation = connection.execute(select(settings.c.value).where(settings.c.name == _INCARNATION)).scalar_one()
    since = _since(connection, cursor, incarnation)
    after = select(members).where(members.c.change > since).order_by(members.c.change).limit(most + 1)
    found = connection.execute(after).all()
    page, complete = found[:most], len(found) <= most
    last = page[-1].change if page else since
    key, held = ident_key(connection, keys, device), _cards(connection, since, last)
    return ChangesPage(
        changes=tuple(change_of(row, key, held[row.id], now) for row in page),
        next=f"{incarnation}.{last}",
        complete=complete,
        includes=includes(connection, device, epoch or device.epoch),
    )


def ident_key(connection: Connection, keys: Keys, device: Device) -> bytes:
    """Return the key under which this device's store knows cards."""
    generation = select(stores.c.ident_generation).where(stores.c.id == device.store)
    return keys.ident(device.store, connection.execute(generation).scalar_one())


def change_of(row: Row[tuple[object, ...]], key: bytes, held: Iterable[str], now: datetime) -> MemberChange:
    """Return what a store is told of a row of `members`, who holds these cards; of a deleted one, that he is gone."""
    if row.deleted_at is not None:
        return MemberChange(member=row.id)
    idents = tuple(ident(key, card) for card in held)
    return MemberChange(member=row.id, idents=idents, greeting=row.greeting, state=state_of(row, as_of=now))


def includes(connection: Connection, device: Device, epoch: str) -> Included:
    """Return how far the rows of this epoch are counted in."""
    here = select(epochs.c.last_seq).where(epochs.c.device == device.id, epochs.c.epoch == epoch)
    return Included(epoch, connection.execute(here).scalar_one_or_none() or 0)


def _since(connection: Connection, cursor: str, incarnation: str) -> int:
    if not cursor:
        return 0
    life, _, number = cursor.partition(".")
    newest = connection.execute(select(func.coalesce(func.max(members.c.change), 0))).scalar_one()
    if (
        life != incarnation
        or not (number.isdecimal() and number.isascii() and len(number) < 19)
        or int(number) > newest
    ):
        raise refuse("refill")
    return int(number)


def _cards(connection: Connection, since: int, last: int) -> defaultdict[str, list[str]]:
    of_page = select(cards.c.member, cards.c.card).join(members, members.c.id == cards.c.member)
    of_page = of_page.where(members.c.change > since, members.c.change <= last).order_by(cards.c.card)
    held: defaultdict[str, list[str]] = defaultdict(list)
    for member, card in connection.execute(of_page):
        held[member].append(card)
    return held
