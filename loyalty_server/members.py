"""Members, their cards, and what the tills are told of them.

A member's state is the very `MemberState` that quotes work with, moved by the very `loyalty.member.apply` that tills
use; only the balance is kept apart from it, beside the ledger. Whatever changes a member gives him the next change
number: that is the order of the feed.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, select, update

from loyalty.codes.check_digit import check_digit
from loyalty.quote import MemberState
from loyalty_server.storage.statements import insert_new, move, next_number, next_numbers, within
from loyalty_server.storage.tables import cards, members

CARD_PREFIX = "29"
GOOD_CARD = cards.c.blocked_at.is_(None)


class Member(NamedTuple):
    """A member as a transaction works with him.

    `lots_at` is the latest that his lots know of; None = nothing of his has ever been able to burn, and he has no lots.
    `late` = something came that belongs before what his lots know: they are to be made anew.
    """

    state: MemberState
    lots_at: datetime | None = None
    late: bool = False


def add_member(
    connection: Connection, now: datetime, *, joined: date, phone: str | None = None, greeting: str | None = None
) -> str:
    """Make a member without a card and return his id. Raises LookupError when the phone is another member's."""
    member = secrets.token_hex(8)  # short, because it is told to all tills with each change
    change = next_number(connection, "change")
    state = MemberState(joined=joined.isoformat())
    line = {
        "id": member,
        "balance": 0,
        "state": _text(state),
        "greeting": greeting,
        "phone": phone,
        "change": change,
        "cards_change": change,
        "created_at": now,
    }
    if not insert_new(connection, members, line):
        raise LookupError("the phone belongs to a member already")
    return member


def give_card(connection: Connection, member: str, card: str, now: datetime) -> None:
    """Attach a card. Raises LookupError when it is somebody's already."""
    if not insert_new(connection, cards, {"card": card, "member": member, "created_at": now}):
        raise LookupError("the card belongs to a member already")
    has_other_cards(connection, member)


def give_new_card(connection: Connection, member: str, now: datetime) -> str:
    """Attach a new card number, 29xxxxxxxxxxC: drawn at random, so that nobody guesses his neighbour's."""
    while True:
        digits = f"{CARD_PREFIX}{secrets.randbelow(10**10):010}"
        card = f"{digits}{check_digit(digits)}"
        if insert_new(connection, cards, {"card": card, "member": member, "created_at": now}):
            has_other_cards(connection, member)
            return card


def renumber(connection: Connection, member: str) -> None:
    """Give the member, of whom a store is to be told, the next change number."""
    change = next_number(connection, "change")
    connection.execute(update(members).where(members.c.id == member).values(change=change))


def has_other_cards(connection: Connection, member: str) -> None:
    """Give the member, whose cards have changed, the next change number."""
    change = next_number(connection, "change")
    connection.execute(update(members).where(members.c.id == member).values(change=change, cards_change=change))


def of_cards(connection: Connection, wanted: Collection[str]) -> dict[str, str]:
    """Return whose cards these are; blocked ones are nobody's."""
    found = select(cards.c.card, cards.c.member).where(within(connection, cards.c.card, wanted), GOOD_CARD)
    return {row.card: row.member for row in connection.execute(found)}


def member_of_phone(connection: Connection, phone: str) -> str | None:
    """Return whose phone this is."""
    return connection.execute(select(members.c.id).where(members.c.phone == phone)).scalar_one_or_none()


def first_card(connection: Connection, member: str) -> str | None:
    """Return the member's oldest card that is not blocked."""
    of_member = (
        select(cards.c.card).where(cards.c.member == member, GOOD_CARD).order_by(cards.c.created_at, cards.c.card)
    )
    return connection.execute(of_member.limit(1)).scalar_one_or_none()


def balance_of(connection: Connection, member: str) -> int:
    """Return his points."""
    return int(connection.execute(select(members.c.balance).where(members.c.id == member)).scalar_one())


def lock(connection: Connection, ids: Collection[str]) -> dict[str, Member]:
    """Return those members as they stand, and keep everybody else from them until the transaction ends."""
    known = select(members).where(within(connection, members.c.id, ids), members.c.deleted_at.is_(None))
    found = connection.execute(known.order_by(members.c.id).with_for_update())
    return {row.id: Member(state_of(row), row.lots_at) for row in found}


def write(connection: Connection, changed: Collection[tuple[str, Member]]) -> None:
    """Set members, who are locked, as they are now, each under the next change number."""
    if not changed:
        return
    texts = [_text(line.state) for _, line in changed]  # before the number that all others wait for
    change = next_numbers(connection, "change", len(changed))
    plain: list[tuple[object, ...]] = []
    with_lots: list[tuple[object, ...]] = []
    for place, (member, line) in enumerate(changed):
        columns = (member, line.state.balance, texts[place], change + place)
        if line.lots_at is None:
            plain.append(columns)
        else:
            with_lots.append((*columns, line.lots_at, _burns_at(line.state)))
    move(connection, members.c.id, ("balance", "state", "change"), plain)
    move(connection, members.c.id, ("balance", "state", "change", "lots_at", "burns_at"), with_lots)


def erase(connection: Connection, member: str, now: datetime) -> None:
    """Leave nothing of a member, who is locked and has no points, but his id; tills are told that he is gone."""
    connection.execute(delete(cards).where(cards.c.member == member))
    change = next_number(connection, "change")
    nobody = {"state": _text(MemberState()), "greeting": None, "phone": None, "burns_at": None}
    erased = update(members).where(members.c.id == member)
    connection.execute(erased.values(**nobody, deleted_at=now, change=change, cards_change=change))


def state_of(row: Row[tuple[object, ...]], as_of: datetime | None = None) -> MemberState:
    """Return the state of a row of `members`, balance included."""
    state = msgspec.json.decode(row.state, type=MemberState)
    return msgspec.structs.replace(state, balance=row.balance, as_of=as_of)


def _burns_at(state: MemberState) -> datetime | None:
    return min((lot.expires_at for lot in state.lots or () if lot.expires_at is not None), default=None)


def _text(state: MemberState) -> str:
    """The balance stands beside it."""
    return msgspec.json.encode(msgspec.structs.replace(state, balance=0)).decode()
