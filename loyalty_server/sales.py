"""Booking: what one row of a device does to receipts, ledger and members.

The printed receipt is the truth. What is odd about it (nobody's card, sums that do not add up, points that were not
there) is booked and flagged; only what cannot be booked is rejected, with a problem, and never stops the rows after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, select, update

from loyalty.member import apply
from loyalty.quote import MemberState
from loyalty.wire import Enrolment, Sale
from loyalty_server import flags
from loyalty_server.books import Books
from loyalty_server.devices import Device
from loyalty_server.keys import Keys
from loyalty_server.payment import settle
from loyalty_server.slips import ACCEPTED, DUPLICATE, LONGEST_NAME, Name, Outcome, Slip, name_of, plain, rejected
from loyalty_server.storage.tables import RECEIPT, receipts, tills
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
    tills: frozenset[str]
    seen: dict[str, Token | None] = field(default_factory=dict)

    def token(self, text: str) -> Token | None:
        """The enrolment token, if it is this device's own."""
        if text not in self.seen:
            token = recognise(self.keys, text)
            own = token is not None and token.device_number == self.device.number
            self.seen[text] = token if own else None
        return self.seen[text]


def tills_of(connection: Connection, store: str) -> frozenset[str]:
    """Return the tills that the store has."""
    return frozenset(connection.execute(select(tills.c.id).where(tills.c.store == store)).scalars())


def expect(desk: Desk, slips: Iterable[Slip]) -> None:
    """Let the books fetch at once what these rows will ask for."""
    books = desk.books
    sales = [(slip.row.id, slip.body) for slip in slips if isinstance(slip.body, Sale)]
    texts = [sale.token for _, sale in sales] + [slip.body.token for slip in slips if isinstance(slip.body, Enrolment)]
    tokens = [token.id for text in texts if text is not None and (token := desk.token(text)) is not None]
    books.receipts.fetch(name_of(sale.receipt) for _, sale in sales)
    books.row_ids.fetch((row_id, sale.receipt.business_day) for row_id, sale in sales)
    cards = {sale.card for _, sale in sales if sale.card is not None}
    books.cards.fetch(cards)
    books.tokens.fetch(tokens)
    lines = [line for token in tokens if (line := books.tokens.get(token)) is not None]
    own = (
        {sale.member for _, sale in sales} | {line.member for line in lines} | {books.cards.get(card) for card in cards}
    )
    books.members.fetch(member for member in own if member is not None)
    paying = {sale.member or books.cards.get(sale.card or "") for _, sale in sales if sale.hold or sale.quote.redeemed}
    books.holds.fetch(member for member in paying if member is not None)


def book_slip(desk: Desk, slip: Slip) -> Outcome:
    """Book the row or say why not. What it did to the books is to be kept or dropped then."""
    if isinstance(slip.body, Sale):
        return _book_sale(desk, slip, slip.body)
    return _book_enrolment(desk, slip, slip.body)


def credit(books: Books, member: str, state: MemberState, sale: Sale, row_id: str, at: datetime, now: datetime) -> None:
    """Give the member what the receipt earned, take what it was paid with, count the purchase."""
    name = name_of(sale.receipt)
    for kind, points in (("earn", sale.quote.earned), ("redeem", -sale.quote.redeemed)):
        if points:
            books.entries.add(member, kind, points, at, now, row_id, *name)
    books.members.put(member, apply(state, sale))


def receipt_of_token(connection: Connection, token: str) -> Row[tuple[object, ...]] | None:
    """Return the receipt that this token was printed on, once it is in."""
    line = find(connection, token)
    if line is None or line.receipt is None:
        return None
    return connection.execute(select(receipts).where(*_named(line.receipt))).one_or_none()


def claim_receipt(connection: Connection, receipt: Row[tuple[object, ...]], member: str, now: datetime) -> None:
    """Give a receipt that has waited for its member to him."""
    sale = msgspec.json.decode(receipt.body, type=Sale)
    connection.execute(update(receipts).where(*_named(name_of(sale.receipt))).values(member=member))
    books = Books(connection)
    state = books.members.get(member)
    if state is None:
        raise LookupError(f"there is no member {member}")
    credit(books, member, state, sale, receipt.row_id, receipt.at, now)
    books.write()
    books.settle()


def _book_sale(desk: Desk, slip: Slip, sale: Sale) -> Outcome:
    books, name, row = desk.books, name_of(sale.receipt), slip.row
    booked = books.receipts.get(name)
    if booked is not None:
        return DUPLICATE if booked == slip.digest else rejected("receipt_conflict")
    if books.row_ids.get((row.id, sale.receipt.business_day)) is not None:
        return rejected("row_id_reused")
    at = slip.at
    if at > desk.now + CLOCK_AHEAD:
        _flag(desk, "clock_ahead", slip, sale, detail=row.at[:LONGEST_NAME])
        at = desk.now
    member = _member(desk, slip, sale) or _member_of_token(desk, slip, sale)
    _put(desk, slip, at, sale, member)
    state = None if member is None else books.members.get(member)
    if member is not None and state is not None:
        short = settle(books, sale, desk.device.id, member, state, at, desk.now)
        credit(books, member, state, sale, row.id, at, desk.now)
        if short:
            _flag(desk, "shortfall", slip, sale, member=member, detail=f"points={short} cashier={sale.cashier or ''}")
    _look_closer(desk, slip, sale)
    return ACCEPTED


def _put(desk: Desk, slip: Slip, at: datetime, sale: Sale, member: str | None) -> None:
    books, name, row, quote = desk.books, name_of(sale.receipt), slip.row, sale.quote
    books.receipts.put(name, slip.digest)
    books.row_ids.put((row.id, sale.receipt.business_day), True)
    books.new_receipts.add(
        *name, row.id, desk.device.id, desk.epoch, row.seq, at, desk.now, quote.total, quote.pay, quote.earned,
        row.body, slip.digest, member,
    )  # fmt: skip


def _look_closer(desk: Desk, slip: Slip, sale: Sale) -> None:
    quote = sale.quote
    if quote.pay + quote.discount + sum(quote.line_redeemed) != quote.total:
        _flag(desk, "sums", slip, sale, detail=f"total={quote.total} pay={quote.pay} discount={quote.discount}")
    if sale.receipt.till not in desk.tills:
        _flag(desk, "unknown_till", slip, sale)


def _member(desk: Desk, slip: Slip, sale: Sale) -> str | None:
    books = desk.books
    if sale.member is not None:
        if books.members.get(sale.member) is not None:
            return sale.member
        _flag(desk, "unknown_member", slip, sale, member=sale.member[:32])
    if sale.card is not None:
        member = books.cards.get(sale.card)
        if member is not None and books.members.get(member) is not None:
            return member
        _flag(desk, "unknown_card", slip, sale)
    return None


def _member_of_token(desk: Desk, slip: Slip, sale: Sale) -> str | None:
    """Bind the receipt's enrolment token, if it is this device's own and stands on no other receipt; who has used it?"""
    if sale.token is None:
        return None
    token = desk.token(sale.token)
    if token is None:
        _flag(desk, "token_forged", slip, sale)
        return None
    line = desk.books.tokens.get(token.id) or TokenLine(token.id)
    if line.bound_to is not None:
        _flag(desk, "token_reused", slip, sale, detail=token.id)
        return None
    desk.books.tokens.put(token.id, line._replace(bound_to="receipt", receipt=name_of(sale.receipt)))
    return line.member


def _book_enrolment(desk: Desk, slip: Slip, enrolment: Enrolment) -> Outcome:
    token = desk.token(enrolment.token)
    if token is None:
        line = flags.line("token_forged", desk.now, desk.device, row_id=slip.row.id, till=plain(enrolment.till, 64))
        desk.books.flags.add(*line)
        return ACCEPTED
    known = desk.books.tokens.get(token.id) or TokenLine(token.id)
    if known.bound_to is None:
        desk.books.tokens.put(token.id, known._replace(bound_to="till"))
    return ACCEPTED


def _flag(desk: Desk, kind: flags.Kind, slip: Slip, sale: Sale, *, member: str | None = None, detail: str = "") -> None:
    who = None if member is None else plain(member)
    desk.books.flags.add(
        *flags.line(
            kind, desk.now, desk.device, row_id=slip.row.id, till=sale.receipt.till, member=who, detail=plain(detail)
        )
    )


def _named(name: Name) -> list[ColumnElement[bool]]:
    return [receipts.c[part] == value for part, value in zip(RECEIPT, name, strict=True)]
