"""Returns and cancellations: kept once each, and settled with their sale, whichever came first.

What a return says is booked as its own entries. What all returns of a sale do together (`loyalty.returns.together`) may
be less, when tills did not know of each other: the difference is an `adjust` of the sale. Both depend on what came and
not on the order in which it came.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, Select, select

from loyalty import ledger
from loyalty.member import apply, day_of
from loyalty.programme import Programme
from loyalty.quote import MemberState
from loyalty.returns import Effect, Sold, alone, together
from loyalty.wire import Cancellation, Return, Sale
from loyalty_server.ledger import Entry
from loyalty_server.slips import Name
from loyalty_server.storage.statements import append, matching, move
from loyalty_server.storage.tables import RECEIPT, SALE, receipts, returns

log = logging.getLogger(__name__)

COLUMNS = (
    "row_id", "kind", *RECEIPT, *SALE, "device", "epoch", "seq", "at", "received_at", "refund", "body", "body_sha256",
)  # fmt: skip


class Taken(NamedTuple):
    """One return or cancellation of a sale. `line` = its columns, while it is new."""

    row_id: str
    at: datetime
    receipt: Name
    said: Return
    settled_at: datetime | None = None
    line: tuple[object, ...] | None = None


class Booked(NamedTuple):
    """A sale that is in: its row, its times, the member it is of, and what the till printed."""

    row_id: str
    business_day: date
    at: datetime
    received_at: datetime
    member: str | None
    sale: Sale


class Settled(NamedTuple):
    """What one more return does to its member: his state then, the entries; and whether more came back than was sold."""

    state: MemberState
    entries: list[Entry]
    excess: bool


def as_return(body: Return | Cancellation, day: date) -> Return:
    """Return what is taken back: a cancellation takes all, and says no numbers of its own."""
    if isinstance(body, Return):
        return body
    return Return(receipt=body.sale, sale=body.sale, day=day, refund=0, pending=True, cashier=body.cashier)


def load(connection: Connection, sales: Collection[Name]) -> dict[Name, tuple[Taken, ...]]:
    """Return what has come back of these sales, the oldest first."""
    return _read_all(connection, select(returns).where(matching(connection, [returns.c[part] for part in SALE], sales)))


def waiting(connection: Connection, sales: Collection[Name]) -> dict[Name, tuple[Taken, ...]]:
    """Return what waits for these sales, the oldest first; nearly always nothing, so that asking must cost nothing."""
    days, stores = [name[0] for name in sales], {name[1] for name in sales}
    pending = select(returns).where(returns.c.settled_at.is_(None), returns.c.sale_store.in_(stores))
    found = _read_all(connection, pending.where(returns.c.sale_day.between(min(days), max(days))))
    wanted = set(sales)
    return {name: each for name, each in found.items() if name in wanted}


def _read_all(connection: Connection, found: Select[Any]) -> dict[Name, tuple[Taken, ...]]:
    taken: dict[Name, list[Taken]] = defaultdict(list)
    for row in connection.execute(found):
        taken[tuple(getattr(row, part) for part in SALE)].append(_read(row))
    return {name: in_order(each) for name, each in taken.items()}


def in_order(taken: Sequence[Taken]) -> tuple[Taken, ...]:
    """Return them by the time at which they happened."""
    return tuple(sorted(taken, key=lambda each: (each.at, each.receipt, each.row_id)))


def sales_of(connection: Connection, names: Collection[Name]) -> dict[Name, Booked]:
    """Return those of these receipts that are in."""
    key = [receipts.c[part] for part in RECEIPT]
    days = receipts.c.business_day.in_({name[0] for name in names})
    found = connection.execute(select(receipts).where(days, matching(connection, key, names)))
    return {tuple(getattr(row, part) for part in RECEIPT): booked_of(row) for row in found}


def booked_of(row: Row[tuple[object, ...]]) -> Booked:
    """Return a line of `receipts`, read."""
    sale = msgspec.json.decode(row.body, type=Sale)
    return Booked(row.row_id, row.business_day, row.at, row.received_at, row.member, sale)


def write(connection: Connection, changes: Collection[tuple[Sequence[Taken], Sequence[Taken]]]) -> None:
    """Insert new ones and mark the others as settled; each change is what was found and what there is now.

    Raises IntegrityError when one is there already.
    """
    new: list[tuple[object, ...]] = []
    settled: list[tuple[object, ...]] = []
    for before, now in changes:
        pending = {each.row_id for each in before if each.settled_at is None}
        new += [(*each.line, each.settled_at) for each in now if each.line is not None]
        settled += [(each.row_id, each.settled_at) for each in now if each.row_id in pending and each.settled_at]
    append(connection, returns, (*COLUMNS, "settled_at"), new)
    move(connection, returns.c.row_id, ("settled_at",), settled)


def settle(
    programme: Programme, booked: Booked, member: str, state: MemberState, before: Sequence[Taken], taken: Taken
) -> Settled:
    """Return what one more return of a member's sale does, after those `before`."""
    sold = sold_of(programme, booked)
    own, gone, excess = _effects(sold, [each.said for each in before], taken.said)
    name, of, at = taken.receipt, (booked.row_id, booked.business_day), taken.at
    lives = ledger.expiry(programme.lots, booked.at, programme.zone)
    revived = None if lives is None else ledger.revived_until(programme.returns, at)
    adjusted = gone.points_back - gone.clawback - (own.points_back - own.clawback)
    entries = [
        Entry("return_redeem", member, own.points_back, at, taken.row_id, name[0], name, revived, of),
        Entry("return_earn", member, -own.clawback, at, taken.row_id, name[0], name, lives, of),
        Entry("adjust", member, adjusted, booked.at, taken.row_id, name[0], name, lives, of),
    ]
    event = Return(
        receipt=taken.said.receipt, sale=taken.said.sale, day=day_of(as_counted(booked)), refund=0, **gone._asdict()
    )  # fmt: skip
    return Settled(apply(state, event), [entry for entry in entries if entry.points], excess)


def too_much(programme: Programme, booked: Booked, taken: Sequence[Taken]) -> bool:
    """Tell whether more came back than was sold."""
    return _effects(sold_of(programme, booked), [each.said for each in taken[:-1]], taken[-1].said)[2]


def as_counted(booked: Booked) -> Sale:
    """Return the sale as the counters see it: of the day of its arrival, where it says that it is from a later one. The
    counters would stand still until that day comes.
    """
    sale, day = booked.sale, booked.received_at.date()
    if day_of(sale) <= day + timedelta(days=1):  # it is tomorrow somewhere
        return sale
    state = sale.member_state
    if state is not None:
        state = msgspec.structs.replace(state, counters=msgspec.structs.replace(state.counters, on=day))
    receipt = msgspec.structs.replace(sale.receipt, business_day=day)
    return msgspec.structs.replace(sale, receipt=receipt, member_state=state)


def sold_of(programme: Programme, booked: Booked) -> Sold:
    """Return the sale as it was."""
    sale = booked.sale
    return Sold(
        programme=programme,
        member=sale.member_state,
        basket=sale.basket,
        at=booked.at,
        quote=sale.quote,
        store=sale.receipt.store,
    )


def _effects(sold: Sold, before: list[Return], one: Return) -> tuple[Effect, Effect, bool]:
    """What one more says for itself, what it changes, and whether that is more than there was."""
    try:
        whole, excess = together(sold, [*before, one])
        return alone(sold, one), whole.less(together(sold, before)[0] if before else Effect()), excess
    except (LookupError, ArithmeticError, TypeError, ValueError):
        log.exception("return=not_settled store=%s", sold.store)  # the sale's numbers are not those of its lines
        return Effect(), Effect(), True


def _read(row: Row[tuple[object, ...]]) -> Taken:
    shape: type[Return | Cancellation] = Return if row.kind == "return" else Cancellation
    said = as_return(msgspec.json.decode(row.body, type=shape), row.sale_day)
    name = tuple(getattr(row, part) for part in RECEIPT)
    return Taken(row.row_id, row.at, name, said, row.settled_at)
