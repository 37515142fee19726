"""Lots as the database has them: in the member's state, moved on with each entry, made anew when one comes late.

Tills deliver when they can, so an entry may belong before others that are booked. Then the lots are made anew from all
entries of that member in the order in which things happened, and where a lot has burnt already, the difference is one
more `expire`. So the ledger does not tell whose rows came first.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select

from loyalty import lots
from loyalty.ledger import Account
from loyalty.lots import Posting
from loyalty.quote import Lot, MemberState
from loyalty_server.ledger import ENTRY_COLUMNS, Entry, line
from loyalty_server.members import Member
from loyalty_server.storage.statements import append, within
from loyalty_server.storage.tables import RECEIPT, ledger


class Past(NamedTuple):
    """What a member's entries make: the sum, the account as it would stand with nothing burnt, what has burnt and when."""

    balance: int
    account: Account
    burnt: dict[datetime, int]
    last: datetime | None

    @property
    def corrections(self) -> dict[datetime, int]:
        """What is missing in the entries that burnt lots, by their instants."""
        dead = {lot.expires_at: lot.points for lot in self.account.lots if lot.expires_at is not None}
        return {at: -dead.get(at, 0) - points for at, points in self.burnt.items() if dead.get(at, 0) + points}

    @property
    def standing(self) -> tuple[Lot, ...]:
        """The lots that have not burnt yet."""
        return tuple(lot for lot in lots.standing(self.account) if lot.expires_at not in self.burnt)


def moved(before: Member, after: MemberState, entries: Sequence[Entry]) -> Member:
    """Return a member whose state `after` follows from entries of one instant, with his lots, or marked as late."""
    if before.lots_at is None and not any(entry.expires_at is not None for entry in entries):
        return before._replace(state=after)
    postings = [_posting_of(entry) for entry in entries]
    if before.late or before.lots_at is None or any(_is_late(posting, before.lots_at) for posting in postings):
        return before._replace(state=after, late=True)
    account = account_of(before.state)
    for posting in postings:
        account = lots.post(account, posting)
    state = msgspec.structs.replace(after, lots=lots.standing(account))
    return before._replace(state=state, lots_at=max(posting.at for posting in postings) if postings else before.lots_at)


def account_of(state: MemberState) -> Account:
    """Return the account that a state stands for: what the lots have more than the balance is owed."""
    standing = state.lots or ()
    return Account(standing, sum(lot.points for lot in standing) - state.balance)


def made_anew(connection: Connection, members: dict[str, Member], now: datetime) -> dict[str, Member]:
    """Return the members with the lots that all their entries make; what burnt too much or too little is booked."""
    pasts = pasts_of(connection, members)
    fixes = [
        burning(member, points, at)
        for member in sorted(members)
        for at, points in sorted(pasts[member].corrections.items())
    ]
    append(connection, ledger, ENTRY_COLUMNS, [line(fix, now) for fix in fixes])
    return {member: _renewed(before.state, pasts[member]) for member, before in members.items()}


def burning(member: str, points: int, at: datetime) -> Entry:
    """Return the entry by which a lot burns at its instant."""
    return Entry("expire", member, points, at, str(uuid.uuid4()), at.date())


def pasts_of(connection: Connection, members: Collection[str]) -> dict[str, Past]:
    """Return what the entries of each of these members make."""
    rows: dict[str, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in connection.execute(select(ledger).where(within(connection, ledger.c.member, members))):
        rows[row.member].append(row)
    return {member: _past(rows[member]) for member in members}


def burnt_of(connection: Connection, members: Collection[str]) -> dict[str, tuple[tuple[datetime, int], ...]]:
    """Return what has burnt of each of these members, below zero, and when."""
    burnt = select(ledger.c.member, ledger.c.at, ledger.c.points).where(ledger.c.kind == "expire")
    found: dict[str, tuple[tuple[datetime, int], ...]] = defaultdict(tuple)
    for row in connection.execute(burnt.where(within(connection, ledger.c.member, members))):
        found[row.member] += ((row.at, row.points),)
    return found


def _is_late(posting: Posting, lots_at: datetime) -> bool:
    """Points that go back to their lots, or a sale's lots moved afterwards, need to know the past."""
    return posting.at <= lots_at or posting.kind in ("return_redeem", "adjust")


def _renewed(state: MemberState, past: Past) -> Member:
    balance = past.balance + sum(past.corrections.values())
    return Member(msgspec.structs.replace(state, balance=balance, lots=past.standing), past.last)


def _past(rows: Iterable[Row[tuple[object, ...]]]) -> Past:
    rows = list(rows)
    burnt: dict[datetime, int] = defaultdict(int)
    for row in rows:
        if row.kind == "expire":
            burnt[row.at] += row.points
    account = lots.replay(
        _posting(
            row, tuple(getattr(row, part) for part in RECEIPT), row.of_row or row.row_id, row.of_day or row.business_day
        )
        for row in rows
    )
    return Past(sum(row.points for row in rows), account, dict(burnt), max((row.at for row in rows), default=None))


def _posting_of(entry: Entry) -> Posting:
    name = entry.receipt or (entry.business_day, "", "", "", "")
    of_row, of_day = entry.of or (entry.row_id, entry.business_day)
    return _posting(entry, name, of_row, of_day)


def _posting(entry: Entry | Row[tuple[object, ...]], name: Iterable[object], of_row: str, of_day: date) -> Posting:
    names = tuple("" if part is None else str(part) for part in (*name, entry.row_id))
    return Posting(entry.kind, entry.points, entry.at, names, f"{of_day} {of_row}", entry.expires_at)
