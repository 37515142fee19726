"""What people and cash registers are shown: the cashier page's view, part states and the answers of the POS API.

Pure frozen structs; msgspec writes them to JSON as they stand. Money is integer minor units of `currency`, points are
integer units of 10^-`point_decimals` points. Sentences come in every language (`Texts`); the page picks its own.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from loyalty.quote import Quote, Texts

ViewState = Literal["idle", "member", "unknown_code", "card_only", "sold", "unavailable"]
Part = Literal["network", "queue", "printer", "scanner", "programme", "till", "receipt"]
Health = Literal["ok", "warning", "down"]
Prints = Literal["agent", "requested", "pos", "none"]
CodeKind = Literal["member_card", "card_only", "not_loyalty"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the cashier page of one till shows now. None = there is nothing to show in that place."""

    till: str
    state: ViewState
    greeting: str | None = None
    tier: str | None = None
    tier_name: Texts | None = None
    balance: int | None = None
    as_of: datetime | None = None  # age of the knowledge about the member; None with state `card_only` = not known here
    earns: int | None = None
    max_redeem: int | None = None
    redeemed: int | None = None  # points that this receipt is paid with; after the sale: were paid
    pay: int | None = None
    total: int | None = None
    currency: str | None = None
    point_decimals: int = 0
    say: Texts = {}  # one sentence for the cashier to say
    notice: Texts | None = None  # what happened that the cashier should know, e.g. "not a loyalty code"


class PartState(msgspec.Struct, frozen=True, kw_only=True):
    """How one part of the till is, in words. `name` tells devices of one kind apart; it is "" where there is one."""

    part: Part
    name: str
    state: Health
    text: Texts
    since: datetime


ReceiptName = Annotated[str, Meta(pattern="^[ -~А-яЁё№]{1,64}$")]
"""A shift or a receipt number: 1-64 letters, digits and signs. What the server would not book is refused at the till."""


class ReceiptRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The receipt as the cash register numbers it; store and till are added by the agent."""

    business_day: date
    shift: ReceiptName
    number: ReceiptName
    fn: ReceiptName | None = None
    fd: ReceiptName | None = None
    fp: ReceiptName | None = None


class ScanSeen(msgspec.Struct, frozen=True):
    """A code was scanned at this till; never the code itself."""

    device: str
    kind: CodeKind


class SlipData(msgspec.Struct, frozen=True):
    """The loyalty slip as lines of text and the payload of its QR, for a POS that prints by itself."""

    lines: tuple[str, ...]
    qr: str | None = None


class Identified(msgspec.Struct, frozen=True):
    """Answer to `Identify`."""

    kind: CodeKind
    view: View


class Quoted(msgspec.Struct, frozen=True):
    """Answer to `PutBasket`."""

    quote_id: str
    quote: Quote
    say: Texts
    slip: SlipData


class Sold(msgspec.Struct, frozen=True, kw_only=True):
    """What the POS gets for a committed sale; the same for ever, however often it asks."""

    sale_id: str
    seq: int
    earned: int
    redeemed: int
    balance_after: int | None  # None: no member
    job: int | None  # the print job, where the agent prints
    token: str | None  # the enrolment token on the receipt


class SaleAnswer(msgspec.Struct, frozen=True):
    """Answer to `CommitSale`: `created` is True the first time (201) and False when it was stored before (200)."""

    created: bool
    sold: Sold


class Cancelled(msgspec.Struct, frozen=True):
    """Answer to `CancelBasket`."""


class Enrolled(msgspec.Struct, frozen=True):
    """Answer to `Enrol`: the token, its page, and the print job of the slip (None where the till has no printer)."""

    token: str
    url: str
    job: int | None
