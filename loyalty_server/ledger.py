"""Points: append-only entries, each bound to a receipt and to a row, with the balance kept beside them.

An entry of one kind can stand once for a row and once for a receipt; the database holds that, whatever the code does.
`members.balance` moves in the same transaction and equals the sum at any time: `differences` finds where it does not.
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple, TextIO

from sqlalchemy import ColumnElement, Connection, Result, Row, Table, and_, func, select, update

from loyalty.ledger import EntryKind
from loyalty_server.slips import Name
from loyalty_server.storage.statements import append
from loyalty_server.storage.tables import RECEIPT, ledger, members, receipts, returns

COLUMNS = (
    "kind", "points", "member", "total", "pay", "store", "till", "business_day", "shift", "number",
    "at", "booked_at", "row_id", "device", "epoch", "seq",
)  # fmt: skip
"""Columns of the CSV file, one line an entry; a receipt or return without entries has one line without a kind."""


ENTRY_COLUMNS = (
    "member", "kind", "points", "at", "booked_at", "row_id", *RECEIPT, "expires_at", "of_row", "of_day",
)  # fmt: skip


_STREAMED = {"yield_per": 500}


class Entry(NamedTuple):
    """Points that a member got (or paid, below zero). `receipt` is None for what no receipt stands behind.

    `of` is the row of the sale, and its day, of which a return is; `expires_at` as in `loyalty.lots.Posting`.
    """

    kind: EntryKind
    member: str
    points: int
    at: datetime
    row_id: str
    business_day: date
    receipt: Name | None = None
    expires_at: datetime | None = None
    of: tuple[str, date] | None = None


def line(entry: Entry, now: datetime) -> tuple[object, ...]:
    """Return its line in the table, in the order of the columns."""
    name = entry.receipt or (entry.business_day, *[None] * (len(RECEIPT) - 1))
    return (
        entry.member, entry.kind, entry.points, entry.at, now, entry.row_id, *name, entry.expires_at,
        *(entry.of or (None, None)),
    )  # fmt: skip


def book(connection: Connection, entries: list[Entry], now: datetime) -> None:
    """Append the entries and move the balances. Raises IntegrityError when one of them stands already, and LookupError when
    there is no such member.
    """
    if not entries:
        return
    append(connection, ledger, ENTRY_COLUMNS, [line(entry, now) for entry in entries])
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.member] = sums.get(entry.member, 0) + entry.points
    for member, points in sorted(sums.items()):
        moved = update(members).where(members.c.id == member)
        if connection.execute(moved.values(balance=members.c.balance + points)).rowcount == 0:
            raise LookupError(f"there is no member {member}")


def book_opening(connection: Connection, member: str, points: int, now: datetime) -> None:
    """Book what a member brings along."""
    if points:
        book(connection, [Entry("opening", member, points, now, str(uuid.uuid4()), now.date())], now)


def sum_of(connection: Connection, row_id: str) -> int:
    """Return the points that one row has moved."""
    moved = select(func.coalesce(func.sum(ledger.c.points), 0)).where(ledger.c.row_id == row_id)
    return int(connection.execute(moved).scalar_one())


def differences(connection: Connection) -> list[tuple[str, int, int]]:
    """Return (member, balance, sum of entries) wherever the two differ: always nothing."""
    summed = func.coalesce(func.sum(ledger.c.points), 0)
    joined = members.outerjoin(ledger, ledger.c.member == members.c.id)
    grouped = select(members.c.id, members.c.balance, summed).select_from(joined).group_by(members.c.id)
    return [(row[0], row[1], row[2]) for row in connection.execute(grouped.having(members.c.balance != summed))]


def write_csv(connection: Connection, file: TextIO) -> int:
    """Write every entry, every receipt and every return, oldest first; return the number of lines. No card, phone or token in it.

    Tills choose the text in it: none is a formula to a spreadsheet.
    """
    out = csv.writer(file)
    out.writerow(COLUMNS)
    count = 0
    for each in _lines(connection):
        out.writerow(map(_cell, each))
        count += 1
    return count


def _lines(connection: Connection) -> Iterator[tuple[object, ...]]:
    others = select(ledger).where(ledger.c.number.is_(None)).order_by(ledger.c.id)
    for row in connection.execute(others, execution_options=_STREAMED):
        at, booked = row.at.isoformat(), row.booked_at.isoformat()
        yield (row.kind, row.points, row.member, *[""] * 7, at, booked, row.row_id, "", "", "")
    same = and_(*(ledger.c[name] == receipts.c[name] for name in RECEIPT), ledger.c.kind.in_(_OF_SALES))
    for row in _with_entries(connection, receipts, same):
        yield _line_of(row, row.total, row.pay)
    for row in _with_entries(connection, returns, and_(ledger.c.row_id == returns.c.row_id, ledger.c.kind.in_(_BACK))):
        yield _line_of(row, "", -row.refund)


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_OF_SALES = ("earn", "redeem")
_BACK = ("return_redeem", "return_earn", "adjust")


def _with_entries(connection: Connection, table: Table, same: ColumnElement[bool]) -> Result[Any]:
    """Each line of a table with each entry of its own, or with none."""
    own = [column for column in table.columns if column.name != "body"]
    both = select(
        *own, ledger.c.kind.label("entry"), ledger.c.points, ledger.c.booked_at, ledger.c.member.label("owner")
    )
    ordered = both.select_from(table.outerjoin(ledger, same))
    ordered = ordered.order_by(table.c.at, table.c.device, table.c.epoch, table.c.seq, ledger.c.id)
    return connection.execute(ordered, execution_options=_STREAMED)


def _line_of(row: Row[Any], total: object, pay: object) -> tuple[object, ...]:
    booked = row.booked_at or row.received_at
    return (
        row.entry or "", row.points or 0, row.owner or "", total, pay, row.store, row.till,
        row.business_day.isoformat(), row.shift, row.number, row.at.isoformat(), booked.isoformat(), row.row_id,
        row.device, row.epoch, row.seq,
    )  # fmt: skip
