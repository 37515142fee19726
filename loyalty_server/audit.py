"""The engine asked again: for a share of the sales, whether it gives the numbers that the till printed.

Which sales those are follows from their place in a queue, under a key of the server's own: the same ones for everybody
who asks, and no till can know them. What differs is flagged once, for people; nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select

from loyalty.engine import quote
from loyalty.programme import Programme
from loyalty.quote import Quote
from loyalty.wire import Sale
from loyalty_server.flags import COLUMNS
from loyalty_server.keys import Keys
from loyalty_server.programmes import of_revisions
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database
from loyalty_server.storage.statements import append, within
from loyalty_server.storage.tables import RECEIPT
from loyalty_server.verify import Difference, is_erased

_STREAMED = {"yield_per": 500}
_COMPARED = (
    "total", "discount", "line_discounts", "redeemed", "line_redeemed", "pay", "earned", "stamps_after", "coupons_used",
    "tier_after",
)  # fmt: skip

Programmes = dict[int, Programme | None]


class Sample(NamedTuple):
    """One row in so many."""

    keys: Keys
    one_in: int

    def has(self, epoch: str, seq: int) -> bool:
        """Tell whether this row of a queue is one of them."""
        drawn = blake2b(f"{epoch} {seq}".encode(), key=self.keys.sample, digest_size=8).digest()
        return int.from_bytes(drawn) % self.one_in == 0


class Question(NamedTuple):
    """A line of `receipts`, its sale, and the programme that it names, if that is known."""

    row: Row[Any]
    sale: Sale
    programme: Programme | None

    def difference(self) -> Difference | None:
        """Ask the engine."""
        detail = _detail(self)
        return (
            Difference("quote", "/".join(str(getattr(self.row, part)) for part in RECEIPT), detail) if detail else None
        )


def question(connection: Connection, row: Row[Any], programmes: Programmes, now: datetime) -> Question:
    """Read a line of `receipts`; `programmes` are those that were read before."""
    sale = msgspec.json.decode(row.body, type=Sale)
    revision = sale.quote.programme_revision
    if revision not in programmes:
        programmes[revision] = of_revisions(connection, [revision], now).get(revision)
    return Question(row, sale, programmes[revision])


def flag_differences(connection: Connection, found: Collection[tuple[Question, Difference]], now: datetime) -> None:
    """Let people look at them, once each."""
    if not found:
        return
    rows = {asked.row.row_id: (asked.row, difference.detail) for asked, difference in found}
    told = select(tables.flags.c.row_id).where(tables.flags.c.kind == "quote_differs")
    known = set(connection.execute(told.where(within(connection, tables.flags.c.row_id, rows))).scalars())
    lines = [
        (now, "quote_differs", row.device, name, row.till, row.member, detail)
        for name, (row, detail) in rows.items()
        if name not in known
    ]
    append(connection, tables.flags, COLUMNS, lines)


def ask_again(database: Database, keys: Keys, one_in: int, now: datetime) -> tuple[int, list[Difference]]:
    """Ask for one in so many of all sales; return how many those were, and what differs.

    Tills go on to deliver meanwhile: nothing is locked before the flags are written.
    """
    asked, found, sample = 0, [], Sample(keys, one_in)
    programmes: Programmes = {}
    with (
        database.reading() as connection,
        connection.execute(select(tables.receipts), execution_options=_STREAMED) as rows,
    ):
        for row in rows:
            if not sample.has(row.epoch, row.seq) or is_erased(row):
                continue
            asked += 1
            each = question(connection, row, programmes, now)
            difference = each.difference()
            if difference is not None:
                found.append((each, difference))
    if found:
        with database.writing() as connection:
            flag_differences(connection, found, now)
    return asked, [difference for _, difference in found]


def _detail(asked: Question) -> str:
    """How the engine's numbers differ from the printed ones; empty = they do not."""
    sale, printed = asked.sale, asked.sale.quote
    if asked.programme is None:
        return f"revision {printed.programme_revision} is not known"
    at, store = asked.row.at, sale.receipt.store
    said = quote(asked.programme, sale.member_state, sale.basket, at, printed.redeemed, sale.offline, store)
    if not isinstance(said, Quote):
        return f"refused: {said.code}"
    wrong = [each for each in _COMPARED if getattr(said, each) != getattr(printed, each)]
    detail = " ".join(f"{each}={getattr(printed, each)}/{getattr(said, each)}" for each in wrong)
    return f"printed/engine {detail}" if wrong else ""
