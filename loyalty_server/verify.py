"""The whole ledger held against itself: what must be equal, whatever happened. Nothing is changed.

balances    members.balance = the sum of the entries = the lots without the debt, and the lots are those that the
            entries make
receipts    each receipt of a member has the entries that were printed on it
chains      the rows of each queue are numbered without a hole and follow each other by their hashes
strays      entries and receipts whose member is not there, rows whose queue is not
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, FromClause, Row, and_, func, select

from loyalty.chain import GENESIS, seal
from loyalty_server.lots import account_of, pasts_of
from loyalty_server.members import state_of
from loyalty_server.storage import tables
from loyalty_server.storage.tables import RECEIPT

SLICE = 500
_STREAMED = {"yield_per": SLICE}

Said = Callable[[int], None]


class Difference(NamedTuple):
    """Something that is not as it must be: what, whose, and how."""

    kind: str
    name: str
    detail: str


def count_of(connection: Connection) -> int:
    """Return how much there is to look at: members, receipts and queues."""
    parts = (tables.members, tables.receipts, tables.epochs)
    return sum(int(connection.execute(select(func.count()).select_from(part)).scalar_one()) for part in parts)


def differences(connection: Connection, said: Said) -> Iterator[Difference]:
    """Find what does not fit; `said` is told how many were looked at."""
    yield from _balances(connection, said)
    yield from _receipts(connection, said)
    yield from _chains(connection, said)
    yield from _strays(connection)


def _balances(connection: Connection, said: Said) -> Iterator[Difference]:
    last = ""
    while True:
        after = select(tables.members).where(tables.members.c.id > last).order_by(tables.members.c.id).limit(SLICE)
        page = connection.execute(after).all()
        if not page:
            return
        last = page[-1].id
        pasts = pasts_of(connection, [row.id for row in page])
        for row in page:
            past, state = pasts[row.id], state_of(row)
            if row.balance != past.balance:
                yield Difference("balance", row.id, f"balance={row.balance} entries={past.balance}")
            elif row.lots_at is not None and (past.corrections or past.standing != (state.lots or ())):
                yield Difference("lots", row.id, f"lots={_sums(state.lots)} entries={_sums(past.standing)}")
            elif row.lots_at is not None and account_of(state).debt < 0:
                yield Difference("lots", row.id, f"lots={_sums(state.lots)} balance={row.balance}")
        said(len(page))


def _sums(lots: tuple[object, ...] | None) -> str:
    return msgspec.json.encode(lots or ()).decode()


def _receipts(connection: Connection, said: Said) -> Iterator[Difference]:
    """One picture is enough for sums: entries of a receipt by kind, beside what was printed on it."""
    entry = tables.ledger.c
    same = and_(*(entry[part] == tables.receipts.c[part] for part in RECEIPT), entry.kind.in_(("earn", "redeem")))
    moved = func.coalesce(func.sum(entry.points), 0)
    joined = tables.receipts.outerjoin(tables.ledger, same)
    key = [tables.receipts.c[part] for part in RECEIPT]
    sums = select(*key, tables.receipts.c.body, tables.receipts.c.member, moved.label("moved")).select_from(joined)
    with connection.execute(sums.group_by(*key), execution_options=_STREAMED) as rows:
        for row in rows:
            printed = msgspec.json.decode(row.body, type=_Printed).quote
            wanted = printed.earned - printed.redeemed if row.member is not None else 0
            if row.moved != wanted:
                name = "/".join(map(str, row[: len(RECEIPT)]))
                yield Difference("receipt", name, f"entries={row.moved} printed={wanted}")
            said(1)


def _chains(connection: Connection, said: Said) -> Iterator[Difference]:
    gone = select(tables.members.c.id).where(tables.members.c.deleted_at.is_not(None))
    erased = set(connection.execute(gone).scalars())
    for epoch in connection.execute(select(tables.epochs)).all():
        wrong = _chain(connection, epoch, erased)
        if wrong:
            yield Difference("chain", f"{epoch.device}/{epoch.epoch}", wrong)
        said(1)


def _chain(connection: Connection, epoch: Row[tuple[object, ...]], erased: Container[str]) -> str:
    """Why the rows of a queue are no chain. Rows whose body is not kept, because they were not booked, are taken as told."""
    rows = tables.rows
    source: FromClause = rows
    for table in (tables.receipts, tables.returns):
        body = and_(table.c.row_id == rows.c.id, table.c.epoch == rows.c.epoch, table.c.seq == rows.c.seq)
        source = source.outerjoin(table, body)
    kept = func.coalesce(tables.receipts.c.body, tables.returns.c.body)
    of_member = (tables.receipts.c.member, tables.receipts.c.body_sha256)
    of_epoch = select(rows, kept.label("body"), *of_member).select_from(source)
    of_epoch = of_epoch.where(rows.c.device == epoch.device, rows.c.epoch == epoch.epoch).order_by(rows.c.seq)
    with connection.execute(of_epoch, execution_options=_STREAMED) as found:
        return _follow(found, epoch, erased)


def _strays(connection: Connection) -> Iterator[Difference]:
    """No foreign key holds these together."""
    people, epochs, rows = tables.members, tables.epochs, tables.rows
    for table in (tables.ledger, tables.receipts):
        whose = select(table.c.member).outerjoin(people, people.c.id == table.c.member)
        for member in connection.execute(whose.where(table.c.member.is_not(None), people.c.id.is_(None)).distinct()):
            yield Difference("stray", f"{table.name}/{member[0]}", "there is no such member")
    queue = and_(epochs.c.device == rows.c.device, epochs.c.epoch == rows.c.epoch)
    lost = select(rows.c.device, rows.c.epoch).outerjoin(epochs, queue).where(epochs.c.epoch.is_(None)).distinct()
    for device, epoch in connection.execute(lost):
        yield Difference("stray", f"rows/{device}/{epoch}", "there is no such queue")


def _follow(found: Iterable[Row[tuple[object, ...]]], epoch: Row[tuple[object, ...]], erased: Container[str]) -> str:
    last, number = GENESIS.hex(), 0
    for row in found:
        number += 1
        if row.seq != number:
            return f"row {number} is missing"
        if row.body is not None and _hash(last, row, erased) != row.hash:
            return f"row {number} does not follow the one before it"
        last = row.hash
    if (number, last) != (epoch.last_seq, epoch.last_hash):
        return f"ends at row {number} instead of {epoch.last_seq}"
    return ""


def _hash(last: str, row: Row[tuple[object, ...]], erased: Container[str]) -> str:
    """By the body; by the digest that it came with, where a member was erased from it."""
    digest = bytes.fromhex(row.body_sha256) if row.member in erased else sha256(row.body.encode()).digest()
    return seal(bytes.fromhex(last), row.epoch, row.seq, row.kind, row.at, digest).hex()


def is_erased(row: Row[tuple[object, ...]]) -> bool:
    """Tell whether the body is not as it came: without the member the engine would say something else."""
    return bool(sha256(row.body.encode()).hexdigest() != row.body_sha256)


class _Numbers(msgspec.Struct, frozen=True):
    earned: int
    redeemed: int


class _Printed(msgspec.Struct, frozen=True):
    """As much of a sale as the sums need."""

    quote: _Numbers
