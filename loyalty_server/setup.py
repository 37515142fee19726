"""What the command line puts into a server by hand: stores, tills, programmes, members who exist already."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from loyalty.programme import load
from loyalty_server import regulars
from loyalty_server.enrolment.phone import parse_phone
from loyalty_server.keys import Keys
from loyalty_server.ledger import book_opening
from loyalty_server.members import add_member, give_card, lock, write
from loyalty_server.programmes import programme_in_force, publish
from loyalty_server.storage.statements import insert_new
from loyalty_server.storage.tables import stores, tills


def add_stores(connection: Connection, wishes: Iterable[str]) -> None:
    """Add stores given as ID:NAME; known ones stay as they are. Raises ValueError."""
    for wish in wishes:
        store, _, name = wish.partition(":")
        _check_name("--store", wish, store)
        insert_new(connection, stores, {"id": store, "name": name or store, "ident_generation": 1})


def add_tills(connection: Connection, wishes: Iterable[str]) -> None:
    """Add tills given as STORE:ID or STORE:ID:NAME. Raises ValueError."""
    for wish in wishes:
        store, _, rest = wish.partition(":")
        till, _, name = rest.partition(":")
        _check_name("--till", wish, till)
        if connection.execute(select(stores.c.id).where(stores.c.id == store)).first() is None:
            raise ValueError(f"--till {wish}: there is no store {store!r}")
        insert_new(connection, tills, {"store": store, "id": till, "name": name or till})


def publish_file(connection: Connection, keys: Keys, file: Path, now: datetime) -> tuple[int, bool]:
    """Publish a programme file; return its revision and whether it is new. Raises ProgrammeError or ValueError."""
    programme = load(file.read_bytes(), "json" if file.suffix == ".json" else "toml")
    return programme.header.revision, publish(connection, keys, programme, now)


def add_known_member(
    connection: Connection,
    card: str,
    balance: int,
    phone: str | None,
    greeting: str | None,
    now: datetime,
    homes: Collection[str] = (),
) -> str:
    """Make a member with a card and what he brings along, a regular of these stores, or of all; return his id.

    Raises ValueError or LookupError.
    """
    _check_name("--card", card, card)
    number = parse_phone(phone) if phone else None
    if phone and number is None:
        raise ValueError("--phone is not a phone number")
    programme = programme_in_force(connection, now)
    joined = now.date() if programme is None else programme.day(now)
    member = add_member(connection, now, joined=joined, phone=number, greeting=greeting)
    give_card(connection, member, card, now)
    book_opening(connection, member, balance, now)
    _make_regular(connection, member, homes)
    return member


def _make_regular(connection: Connection, member: str, homes: Collection[str]) -> None:
    known = set(connection.execute(select(stores.c.id).where(stores.c.id.in_(homes))).scalars())
    if unknown := set(homes) - known:
        raise LookupError(f"there is no store {min(unknown)!r}")
    for store in sorted(known):
        regulars.add(connection, store, [member])
    if not homes:
        regulars.add_everywhere(connection, member)


def allow_offline(connection: Connection, member: str) -> None:
    """Let a member pay with points again where the server is not asked. Raises LookupError."""
    known = lock(connection, [member]).get(member)
    if known is None:
        raise LookupError(f"there is no member {member}")
    state = msgspec.structs.replace(known.state, no_offline_redeem=False)
    write(connection, [(member, known._replace(state=state))])


def _check_name(option: str, wish: str, name: str) -> None:
    if not (0 < len(name) <= 64 and name.isprintable() and name == name.strip()):
        raise ValueError(f"{option} {wish}: the id must be 1-64 printable letters")
