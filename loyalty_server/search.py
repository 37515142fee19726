"""One member by card or telephone, for a till whose replica does not hold him. Whom it was about is never written down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Row, select

from loyalty.wire import MemberChange, MemberSearch, MemberSearchReply
from loyalty_server.changes import change_of, ident_key, includes
from loyalty_server.devices import Device
from loyalty_server.enrolment.phone import parse_phone
from loyalty_server.keys import Keys
from loyalty_server.members import GOOD_CARD
from loyalty_server.problems import refuse
from loyalty_server.slips import plain
from loyalty_server.storage.tables import cards, members


def search(connection: Connection, keys: Keys, device: Device, wish: MemberSearch, now: datetime) -> MemberSearchReply:
    """Return the member as the feed of this store would show him; nobody, whatever the reason, is None.

    Raises Refused `malformed` unless either a card or a telephone is given.
    """
    row = holder(connection, wish.card, wish.phone)
    found = None if row is None else _view(connection, keys, device, row, now)
    return MemberSearchReply(found=found, includes=includes(connection, device, wish.epoch or device.epoch))


def holder(connection: Connection, card: str, phone: str) -> Row[tuple[object, ...]] | None:
    """Return the row of whoever holds the card or has the telephone. Raises Refused `malformed` unless one of them is given."""
    if bool(card) == bool(phone):
        raise refuse("malformed", "either `card` or `phone`")
    return _of_card(connection, plain(card)) if card else _of_phone(connection, phone)


def _of_card(connection: Connection, card: str) -> Row[tuple[object, ...]] | None:
    of_card = select(members).join(cards, cards.c.member == members.c.id)
    return connection.execute(
        of_card.where(cards.c.card == card, GOOD_CARD, members.c.deleted_at.is_(None))
    ).one_or_none()


def _of_phone(connection: Connection, phone: str) -> Row[tuple[object, ...]] | None:
    number = parse_phone(phone)
    if number is None:
        return None
    owner = select(members).where(members.c.phone == number, members.c.deleted_at.is_(None))
    return connection.execute(owner).one_or_none()


def _view(
    connection: Connection, keys: Keys, device: Device, row: Row[tuple[object, ...]], now: datetime
) -> MemberChange:
    held = connection.execute(select(cards.c.card).where(cards.c.member == row.id, GOOD_CARD).order_by(cards.c.card))
    return change_of(row, ident_key(connection, keys, device), held.scalars(), now)
