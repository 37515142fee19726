"""Booking returns and cancellations, each once by its own receipt and by its row, before or after their sale."""

from __future__ import annotations

from typing import NamedTuple

from loyalty.wire import Cancellation, Return
from loyalty_server.returned import Taken, as_return, in_order
from loyalty_server.sales import Desk, time_of
from loyalty_server.settling import settle
from loyalty_server.slips import ACCEPTED, DUPLICATE, Name, Outcome, Slip, name_of, rejected


class Names(NamedTuple):
    """By what a return is known, and the sale that it is of. A cancellation has no receipt but the sale's."""

    kind: str
    own: Name
    sale: Name


def names_of(body: Return | Cancellation) -> Names:
    """Return them."""
    sale = name_of(body.sale)
    return (
        Names("return", name_of(body.receipt), sale) if isinstance(body, Return) else Names("cancellation", sale, sale)
    )


def book_return(desk: Desk, slip: Slip, body: Return | Cancellation) -> Outcome:
    """Book it or say why not. Without its sale it waits; a sale that is in settles it at once."""
    books, row, names = desk.books, slip.row, names_of(body)
    known = books.taken.get((names.kind, names.own))
    if known is not None:
        return DUPLICATE if known == slip.digest else rejected("receipt_conflict")
    if books.taken_ids.get(row.id) is not None:
        return rejected("row_id_reused")
    at = time_of(desk, slip, names.own[2])
    refund = body.refund if isinstance(body, Return) else 0
    line = (
        row.id, names.kind, *names.own, *names.sale, desk.device.id, desk.epoch, row.seq, at, desk.now, refund, row.body,
        slip.digest,
    )  # fmt: skip
    taken = Taken(row.id, at, names.own, as_return(body, body.sale.business_day), None, line)
    books.taken.put((names.kind, names.own), slip.digest)
    books.taken_ids.put(row.id, True)
    _put(desk, slip, names, taken)
    if names.own[2] not in desk.tills:
        desk.flag("unknown_till", slip, till=names.own[2])
    return ACCEPTED


def _put(desk: Desk, slip: Slip, names: Names, taken: Taken) -> None:
    books = desk.books
    before, sale = books.returned.get(names.sale) or (), books.sold.get(names.sale)
    if sale is not None:
        if settle(books, sale, list(before), taken):
            desk.flag("returned_too_much", slip, till=names.own[2], member=sale.member)
        taken = taken._replace(settled_at=desk.now)
    books.returned.put(names.sale, in_order([*before, taken]))
