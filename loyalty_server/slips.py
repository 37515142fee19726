"""Rows as they travel, and what can be said of one by itself: read and checked before the database is asked anything."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from loyalty.wire import MOST, SCHEMA, Cancellation, Consent, Enrolment, Origin, Problem, ReceiptId, Return, Sale, Shown
from loyalty_server.problems import problem

Name = tuple[date, str, str, str, str]
"""What names a paper receipt: business day, store, till, shift, number."""

Body = Sale | Return | Cancellation | Enrolment | Consent | Shown

_MOST = 10**12
LONGEST_NAME = 64
_MOST_NAMES = 256


class IncomingRow(msgspec.Struct, frozen=True):
    """A row as it travels; of any kind, so that one that is not known here stops no other."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=MOST)]
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


ACCEPTED = Outcome("accepted")
DUPLICATE = Outcome("duplicate")


def rejected(code: str, detail: str = "") -> Outcome:
    """Return the outcome of a row that is not booked."""
    return Outcome("rejected", problem(code, detail))


class Slip(NamedTuple):
    """A row that can be booked: when it happened (in UTC), what, and the SHA-256 of its body."""

    row: IncomingRow
    at: datetime
    body: Body
    digest: str


def read(row: IncomingRow, digest: str, store: str) -> Slip | Outcome:
    """Return the row, read, or why a device of this store cannot have it booked. `digest` = SHA-256 of the body."""
    if row.kind == "damaged":
        return rejected("row_damaged")
    if row.schema != SCHEMA:
        return rejected("row_schema", f"schema {row.schema}")
    try:
        return _read(row, digest, store)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        return rejected("row_malformed", str(error)[:200])


def name_of(receipt: ReceiptId) -> Name:
    """Return what names it, in the order of the table's key."""
    return (receipt.business_day, receipt.store, receipt.till, receipt.shift, receipt.number)


def plain(text: str, most: int | None = None) -> str:
    """Return text that nobody has checked, as any database takes it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


def _read(row: IncomingRow, digest: str, store: str) -> Slip | Outcome:
    at = _time(row)
    decoder = _DECODERS.get(row.kind)
    if decoder is None:
        return rejected("row_kind", row.kind[:LONGEST_NAME])
    body: Body = decoder.decode(row.body)
    own = _own_receipt(body)
    if own is not None and own.store != store:
        return rejected("foreign_store", own.store[:LONGEST_NAME])
    _check(body)
    return Slip(row, at, body, digest)


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "sale": msgspec.json.Decoder(Sale),
    "return": msgspec.json.Decoder(Return),
    "cancellation": msgspec.json.Decoder(Cancellation),
    "enrolment": msgspec.json.Decoder(Enrolment),
    "consent": msgspec.json.Decoder(Consent),
    "shown": msgspec.json.Decoder(Shown),
}


def _own_receipt(body: Body) -> ReceiptId | None:
    """The receipt that only a device of its store may speak of. What was bought in one store may come back in another."""
    match body:
        case Sale() | Return():
            return body.receipt
        case Cancellation():
            return body.sale
    return None


def _check(body: Body) -> None:
    match body:
        case Sale():
            _check_receipt(body.receipt)
            _check_sums(body)
        case Return():
            _check_receipt(body.receipt)
            _check_receipt(body.sale)
            _check_return(body)
        case Cancellation():
            _check_receipt(body.sale)


def _time(row: IncomingRow) -> datetime:
    at = datetime.fromisoformat(row.at)
    if at.tzinfo is None:
        raise ValueError("`at` has no offset")
    if not (0 < len(row.id) <= LONGEST_NAME and row.id.isprintable()):
        raise ValueError("`id` is not an id")
    return at.astimezone(UTC)


def _check_receipt(receipt: ReceiptId) -> None:
    for name in ("store", "till", "shift", "number"):
        text = getattr(receipt, name)
        if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
            raise ValueError(f"receipt.{name} must be 1-{LONGEST_NAME} printable letters")


def _check_sums(sale: Sale) -> None:
    quote = sale.quote
    for name in ("total", "pay", "discount", "earned", "redeemed"):
        if not 0 <= getattr(quote, name) <= _MOST:
            raise ValueError(f"quote.{name} is not a possible number")
    _check_state(sale)


def _check_state(sale: Sale) -> None:
    """What comes to stand in the member's state, which all tills are told."""
    quote, before = sale.quote, {} if sale.member_state is None else sale.member_state.stamps
    if any(len(each) > _MOST_NAMES for each in (quote.coupons_used, quote.stamps_after, before)):
        raise ValueError(f"a receipt has to do with {_MOST_NAMES} coupons and {_MOST_NAMES} stamp cards at most")
    if any(abs(count) > _MOST for count in (*quote.stamps_after.values(), *before.values())):
        raise ValueError("stamps are not possible numbers")
    if any(len(name) > LONGEST_NAME for name in (*quote.stamps_after, quote.tier_after or "")):
        raise ValueError(f"names of stamp cards and tiers have {LONGEST_NAME} letters at most")


def _check_return(taken: Return) -> None:
    for name in ("refund", "points_back", "clawback", "purchases", "turnover", "earnings", "redemptions"):
        if not 0 <= getattr(taken, name) <= _MOST:
            raise ValueError(f"{name} is not a possible number")
    if any(not 0 <= count <= _MOST for count in taken.units):
        raise ValueError("units are not possible numbers")
