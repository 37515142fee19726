"""Booking: what one row of a device does to receipts, ledger and members.

The printed receipt is the truth. What is odd about it (nobody's card, sums that do not add up, points that were not
there) is booked and flagged; only what cannot be booked is rejected, with a problem, and never stops the rows after it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from loyalty.wire import SCHEMA, Enrolment, Origin, Problem, ReceiptId, Sale
from loyalty_server import flags
from loyalty_server.devices import Device
from loyalty_server.keys import Keys
from loyalty_server.ledger import Entry, book
from loyalty_server.members import balance_of, count_sale, is_member, member_of_card
from loyalty_server.problems import problem
from loyalty_server.storage.tables import RECEIPT, receipts, tills
from loyalty_server.tokens import bind, lock_token, recognise

T = TypeVar("T")

CLOCK_AHEAD = timedelta(minutes=5)
_MOST = 10**12
_LONGEST_NAME = 64


class IncomingRow(msgspec.Struct, frozen=True):
    """A row as it travels; of any kind, so that one that is not known here stops no other."""

    seq: int
    id: str
    kind: str
    at: str
    body: str
    schema: int
    hash: str
    origin: Origin | None = None
    corrects: int | None = None


class Outcome(NamedTuple):
    """The verdict on a row, with the reason when it was rejected."""

    verdict: Literal["accepted", "duplicate", "rejected"]
    problem: Problem | None = None


class Desk(NamedTuple):
    """Who books what is on the desk now: transaction, secrets, device, epoch and time."""

    connection: Connection
    keys: Keys
    device: Device
    epoch: str
    now: datetime


ACCEPTED = Outcome("accepted")
DUPLICATE = Outcome("duplicate")


def rejected(code: str, detail: str = "") -> Outcome:
    """Return the outcome of a row that is not booked."""
    return Outcome("rejected", problem(code, detail))


def book_row(desk: Desk, row: IncomingRow) -> Outcome:
    """Book the row or say why not."""
    if row.kind == "damaged":
        return rejected("row_damaged")
    if row.schema != SCHEMA:
        return rejected("row_schema", f"schema {row.schema}")
    try:
        at = _time(row)
        match row.kind:
            case "sale":
                return _book_sale(desk, row, at, _body(row, Sale))
            case "enrolment":
                return _book_enrolment(desk, row, _body(row, Enrolment))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        return rejected("row_malformed", str(error)[:200])
    return rejected("row_kind", row.kind[:_LONGEST_NAME])


def credit(connection: Connection, member: str, sale: Sale, row_id: str, at: datetime, now: datetime) -> None:
    """Give the member what the receipt earned, take what it was paid with, and count the purchase; once."""
    day = sale.receipt.business_day
    moves: list[tuple[Literal["earn", "redeem"], int]] = [("earn", sale.quote.earned), ("redeem", -sale.quote.redeemed)]
    book(connection, [Entry(kind, member, sum_, at, row_id, day, sale.receipt) for kind, sum_ in moves if sum_], now)
    count_sale(connection, member, sale)


def receipt_of_token(connection: Connection, token: str) -> Row[tuple[object, ...]] | None:
    """Return the receipt that this token was printed on, once it is in."""
    return connection.execute(select(receipts).where(receipts.c.token == token)).one_or_none()


def claim_receipt(connection: Connection, receipt: Row[tuple[object, ...]], member: str, now: datetime) -> None:
    """Give a receipt that has waited for its member to him."""
    connection.execute(update(receipts).where(*_named(receipt)).values(member=member))
    credit(connection, member, msgspec.json.decode(receipt.body, type=Sale), receipt.row_id, receipt.at, now)


def _book_sale(desk: Desk, row: IncomingRow, at: datetime, sale: Sale) -> Outcome:
    refused = _refused(desk, row, sale)
    if refused is not None:
        return refused
    if at > desk.now + CLOCK_AHEAD:
        _flag(desk, "clock_ahead", row, sale, detail=row.at)
        at = desk.now
    member = _member(desk, row, sale)
    token = None if member is not None else _token(desk, row, sale)
    if token is not None:
        member = lock_token(desk.connection, token).member
        bind(desk.connection, token, "receipt")
    _insert(desk, row, at, sale, member, token)
    if member is not None:
        credit(desk.connection, member, sale, row.id, at, desk.now)
        if sale.quote.redeemed and (left := balance_of(desk.connection, member)) < 0:
            _flag(desk, "shortfall", row, sale, member=member, detail=f"points={left} cashier={sale.cashier or ''}")
    _look_closer(desk, row, sale)
    return ACCEPTED


def _refused(desk: Desk, row: IncomingRow, sale: Sale) -> Outcome | None:
    if sale.receipt.store != desk.device.store:
        return rejected("foreign_store", sale.receipt.store[:_LONGEST_NAME])
    _check_receipt(sale.receipt)
    _check_sums(sale)
    booked = desk.connection.execute(select(receipts).where(*_named(sale.receipt))).one_or_none()
    if booked is not None:
        return DUPLICATE if booked.body_sha256 == _digest(row.body) else rejected("receipt_conflict")
    if desk.connection.execute(select(receipts.c.seq).where(receipts.c.row_id == row.id)).first() is not None:
        return rejected("row_id_reused")
    return None


def _check_receipt(receipt: ReceiptId) -> None:
    for name in ("till", "shift", "number"):
        text = getattr(receipt, name)
        if not 0 < len(text) <= _LONGEST_NAME or not text.isprintable():
            raise ValueError(f"receipt.{name} must be 1-{_LONGEST_NAME} printable letters")


def _check_sums(sale: Sale) -> None:
    quote = sale.quote
    for name in ("total", "pay", "discount", "earned", "redeemed"):
        if not 0 <= getattr(quote, name) <= _MOST:
            raise ValueError(f"quote.{name} is not a possible number")


def _look_closer(desk: Desk, row: IncomingRow, sale: Sale) -> None:
    quote = sale.quote
    if quote.pay + quote.discount + sum(quote.line_redeemed) != quote.total:
        _flag(desk, "sums", row, sale, detail=f"total={quote.total} pay={quote.pay} discount={quote.discount}")
    known = select(tills.c.id).where(tills.c.store == desk.device.store, tills.c.id == sale.receipt.till)
    if desk.connection.execute(known).first() is None:
        _flag(desk, "unknown_till", row, sale)


def _member(desk: Desk, row: IncomingRow, sale: Sale) -> str | None:
    if sale.member is not None:
        if is_member(desk.connection, sale.member):
            return sale.member
        _flag(desk, "unknown_member", row, sale, member=sale.member[:32])
    if sale.card is not None:
        member = member_of_card(desk.connection, sale.card)
        if member is not None:
            return member
        _flag(desk, "unknown_card", row, sale)
    return None


def _token(desk: Desk, row: IncomingRow, sale: Sale) -> str | None:
    """Return the id of the receipt's enrolment token, if it is this device's own and stands on no other receipt."""
    if sale.token is None:
        return None
    token = recognise(desk.keys, sale.token)
    if token is None or token.device_number != desk.device.number:
        _flag(desk, "token_forged", row, sale)
        return None
    if lock_token(desk.connection, token.id).bound_to is not None:
        _flag(desk, "token_reused", row, sale, detail=token.id)
        return None
    return token.id


def _insert(desk: Desk, row: IncomingRow, at: datetime, sale: Sale, member: str | None, token: str | None) -> None:
    named = {name: getattr(sale.receipt, name) for name in RECEIPT}
    desk.connection.execute(
        insert(receipts).values(
            **named,
            row_id=row.id,
            device=desk.device.id,
            epoch=desk.epoch,
            seq=row.seq,
            at=at,
            received_at=desk.now,
            total=sale.quote.total,
            pay=sale.quote.pay,
            earned=sale.quote.earned,
            body=row.body,
            body_sha256=_digest(row.body),
            member=member,
            token=token,
        )
    )


def _book_enrolment(desk: Desk, row: IncomingRow, enrolment: Enrolment) -> Outcome:
    token = recognise(desk.keys, enrolment.token)
    if token is None or token.device_number != desk.device.number:
        flags.flag(desk.connection, "token_forged", desk.now, desk.device, row_id=row.id, till=enrolment.till[:64])
    elif lock_token(desk.connection, token.id).bound_to is None:
        bind(desk.connection, token.id, "till")
    return ACCEPTED


def _flag(
    desk: Desk, kind: flags.Kind, row: IncomingRow, sale: Sale, *, member: str | None = None, detail: str = ""
) -> None:
    till = sale.receipt.till
    flags.flag(desk.connection, kind, desk.now, desk.device, row_id=row.id, till=till, member=member, detail=detail)


def _time(row: IncomingRow) -> datetime:
    at = datetime.fromisoformat(row.at)
    if at.tzinfo is None:
        raise ValueError("`at` has no offset")
    if not 0 < len(row.id) <= _LONGEST_NAME:
        raise ValueError("`id` is not an id")
    return at


def _body(row: IncomingRow, shape: type[T]) -> T:
    return msgspec.json.decode(row.body.encode(), type=shape)


def _named(receipt: ReceiptId | Row[tuple[object, ...]]) -> list[ColumnElement[bool]]:
    return [receipts.c[name] == getattr(receipt, name) for name in RECEIPT]


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
