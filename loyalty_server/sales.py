"""Booking: what one row of a device does to receipts, ledger and members.

The printed receipt is the truth. What is odd about it (nobody's card, sums that do not add up, points that were not
there) is booked and flagged; only what cannot be booked is rejected, with a problem, and never stops the rows after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, select, update

from loyalty import ledger
from loyalty.member import apply, day_of
from loyalty.wire import Enrolment, Sale
from loyalty_server import flags
from loyalty_server.books import Books
from loyalty_server.devices import Device
from loyalty_server.keys import Keys
from loyalty_server.ledger import Entry
from loyalty_server.members import Member
from loyalty_server.payment import settle
from loyalty_server.returned import Booked, as_counted, booked_of
from loyalty_server.settling import programme_of, settle_waiting
from loyalty_server.slips import ACCEPTED, DUPLICATE, LONGEST_NAME, Name, Outcome, Slip, name_of, plain, rejected
from loyalty_server.storage.tables import RECEIPT, receipts, stores, tills
from loyalty_server.tokens import Token, TokenLine, find, recognise

CLOCK_AHEAD = timedelta(minutes=5)


@dataclass
class Desk:
    """Who books what is on the desk now: books, secrets, device, epoch and time, and the tills that the store has."""

    books: Books
    keys: Keys
    device: Device
    epoch: str
    now: datetime
    tills: frozenset[str] = frozenset()
    seen: dict[str, Token | None] = field(default_factory=dict)

    def flag(
        self, kind: flags.Kind, slip: Slip, *, till: str | None = None, member: str | None = None, detail: str = ""
    ) -> None:
        """Write down that something about a row is odd."""
        who, where = None if member is None else plain(member, 32), None if till is None else plain(till, LONGEST_NAME)
        line = flags.line(
            kind, self.now, self.device, row_id=slip.row.id, till=where, member=who, detail=plain(detail)
        )  # fmt: skip
        self.books.flags.add(*line)

    def token(self, text: str) -> Token | None:
        """The enrolment token, if it is this device's own."""
        if text not in self.seen:
            token = recognise(self.keys, text)
            own = token is not None and token.device_number == self.device.number
            self.seen[text] = token if own else None
        return self.seen[text]


def tills_of(connection: Connection, store: str) -> frozenset[str]:
    """Return the tills that the store has; nobody settles returns of its sales until the transaction ends."""
    own = select(tills.c.id).select_from(stores.outerjoin(tills, tills.c.store == stores.c.id))
    own = own.where(stores.c.id == store).with_for_update(read=True, key_share=True, of=stores)
    return frozenset(till for till in connection.execute(own).scalars() if till is not None)


def book_sale(desk: Desk, slip: Slip, sale: Sale) -> Outcome:
    """Book the sale or say why not. What it did to the books is to be kept or dropped then."""
    books, name, row = desk.books, name_of(sale.receipt), slip.row
    booked = books.receipts.get(name)
    if booked is not None:
        return DUPLICATE if booked == slip.digest else rejected("receipt_conflict")
    if books.row_ids.get((row.id, sale.receipt.business_day)) is not None:
        return rejected("row_id_reused")
    at = time_of(desk, slip, sale.receipt.till)
    member = member_of(desk, slip, sale.receipt.till, sale.member, sale.card) or _member_of_token(desk, slip, sale)
    _put(desk, slip, at, sale, member)
    sold = Booked(row.id, sale.receipt.business_day, at, desk.now, member, sale)
    line = None if member is None else books.members.get(member)
    if member is not None and line is not None:
        short = settle(books, sale, desk.device.id, member, line.state, at, desk.now)
        credit(books, member, line, sold)
        _look_at_points(desk, slip, sale, member, short)
    for taken in settle_waiting(books, name, sold, desk.now):
        desk.flag("returned_too_much", slip, till=taken.receipt[2], member=member, detail=f"row={taken.row_id}")
    if name in books.sold:
        books.sold.put(name, sold)
    _look_closer(desk, slip, sold)
    return ACCEPTED


def book_enrolment(desk: Desk, slip: Slip, enrolment: Enrolment) -> Outcome:
    """Bind the token to the till."""
    token = desk.token(enrolment.token)
    if token is None:
        desk.flag("token_forged", slip, till=enrolment.till)
        return ACCEPTED
    known = desk.books.tokens.get(token.id) or TokenLine(token.id)
    if known.bound_to is None:
        desk.books.tokens.put(token.id, known._replace(bound_to="till"))
    return ACCEPTED


def credit(books: Books, member: str, line: Member, booked: Booked) -> None:
    """Give the member what the receipt earned, take what it was paid with, count the purchase."""
    quote = booked.sale.quote
    programme = programme_of(books, quote.programme_revision)
    burns = None if programme is None else ledger.expiry(programme.lots, booked.at, programme.zone)
    name = name_of(booked.sale.receipt)
    entries = [
        Entry("redeem", member, -quote.redeemed, booked.at, booked.row_id, booked.business_day, name),
        Entry("earn", member, quote.earned, booked.at, booked.row_id, booked.business_day, name, burns),
    ]
    books.post(member, apply(line.state, as_counted(booked)), [entry for entry in entries if entry.points])


def time_of(desk: Desk, slip: Slip, till: str) -> datetime:
    """Return when it happened; what comes from the future happens at its arrival."""
    if slip.at <= desk.now + CLOCK_AHEAD:
        return slip.at
    desk.flag("clock_ahead", slip, till=till, detail=slip.row.at[:LONGEST_NAME])
    return desk.now


def member_of(desk: Desk, slip: Slip, till: str, named: str | None, card: str | None) -> str | None:
    """Return the member whom a row names by id or by card, if the server has him."""
    books = desk.books
    if named is not None:
        if books.members.get(named) is not None:
            return named
        desk.flag("unknown_member", slip, till=till, member=named)
    if card is not None:
        member = books.cards.get(card)
        if member is not None and books.members.get(member) is not None:
            return member
        desk.flag("unknown_card", slip, till=till)
    return None


def receipt_of_token(connection: Connection, token: str) -> Row[tuple[object, ...]] | None:
    """Return the receipt that this token was printed on, once it is in."""
    line = find(connection, token)
    if line is None or line.receipt is None:
        return None
    return connection.execute(select(receipts).where(*_named(line.receipt))).one_or_none()


def claim_receipt(connection: Connection, receipt: Row[tuple[object, ...]], member: str, now: datetime) -> None:
    """Give a receipt that has waited for its member to him, without what has come back of it."""
    booked = booked_of(receipt)._replace(member=member)
    name = name_of(booked.sale.receipt)
    connection.execute(update(receipts).where(*_named(name)).values(member=member))
    books = Books(connection, now, with_returns=True)
    line = books.members.get(member)
    if line is None:
        raise LookupError(f"there is no member {member}")
    credit(books, member, line, booked)
    settle_waiting(books, name, booked, now)
    books.write()
    books.settle(receipt.store)


def _put(desk: Desk, slip: Slip, at: datetime, sale: Sale, member: str | None) -> None:
    books, name, row, quote = desk.books, name_of(sale.receipt), slip.row, sale.quote
    books.receipts.put(name, slip.digest)
    books.row_ids.put((row.id, sale.receipt.business_day), True)
    books.new_receipts.add(
        *name, row.id, desk.device.id, desk.epoch, row.seq, at, desk.now, quote.total, quote.pay, quote.earned,
        row.body, slip.digest, member,
    )  # fmt: skip


def _look_closer(desk: Desk, slip: Slip, sold: Booked) -> None:
    sale, quote, till = sold.sale, sold.sale.quote, sold.sale.receipt.till
    if as_counted(sold) is not sale and sold.at == slip.at:  # else its clock is flagged already
        desk.flag("clock_ahead", slip, till=till, detail=f"day={day_of(sale)}")
    if quote.pay + quote.discount + sum(quote.line_redeemed) != quote.total:
        desk.flag("sums", slip, till=till, detail=f"total={quote.total} pay={quote.pay} discount={quote.discount}")
    if till not in desk.tills:
        desk.flag("unknown_till", slip, till=till)
    if desk.books.programmes.get(quote.programme_revision) is None:
        desk.flag("unknown_programme", slip, till=till, detail=f"revision={quote.programme_revision}")


def _look_at_points(desk: Desk, slip: Slip, sale: Sale, member: str, short: int) -> None:
    """Coupons that were used before, and points that were not there."""
    books, till = desk.books, sale.receipt.till
    for code in dict.fromkeys(plain(code, LONGEST_NAME) for code in sale.quote.coupons_used):
        key = (member, code)
        if books.coupons.get(key) is not None:
            desk.flag("coupon_reused", slip, till=till, member=member, detail=code)
        books.coupons.put(key, True)
        books.uses.add(*key, slip.row.id, slip.at)
    if short:
        desk.flag(
            "shortfall", slip, till=till, member=member, detail=f"points={short} cashier={sale.cashier or ''}"
        )  # fmt: skip
        _watch(books, member)


def _watch(books: Books, member: str) -> None:
    """Who pays too often with points that are not there pays with points only while the server is asked."""
    count = (books.shortfalls.get(member) or 0) + 1
    books.shortfalls.put(member, count)
    line = books.members.get(member)
    if count >= flags.REPEATED and line is not None:
        books.members.put(member, line._replace(state=msgspec.structs.replace(line.state, no_offline_redeem=True)))


def _member_of_token(desk: Desk, slip: Slip, sale: Sale) -> str | None:
    """Bind the receipt's enrolment token, if it is this device's own and stands on no other receipt; who has used it?"""
    if sale.token is None:
        return None
    token = desk.token(sale.token)
    if token is None:
        desk.flag("token_forged", slip, till=sale.receipt.till)
        return None
    line = desk.books.tokens.get(token.id) or TokenLine(token.id)
    if line.bound_to is not None:
        desk.flag("token_reused", slip, till=sale.receipt.till, detail=token.id)
        return None
    desk.books.tokens.put(token.id, line._replace(bound_to="receipt", receipt=name_of(sale.receipt)))
    erased = line.member is not None and desk.books.members.get(line.member) is None
    return None if erased else line.member


def _named(name: Name) -> list[ColumnElement[bool]]:
    return [receipts.c[part] == value for part, value in zip(RECEIPT, name, strict=True)]
