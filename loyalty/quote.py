"""What goes into a quote and what comes out of it, in the exact JSON shapes of the programme design.

Money is integer minor units, points integer units of 10^-point_decimals points, quantities integer thousandths, times
RFC 3339 with offset. The structs are the wire format as well: msgspec reads and writes them as they stand here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

Texts = dict[str, str]
"""One sentence in each language: {"ru": ..., "en": ...}."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a receipt; `sum` is the till's own and is never recomputed. `minimum` is for the whole line."""

    sku: str = ""
    name: str = ""
    categories: tuple[str, ...] = ()
    quantity: int = 1000
    sum: int
    minimum: int = 0
    promo: bool = False
    no_earn: bool = False
    no_redeem: bool = False
    no_discount: bool = False


class Basket(msgspec.Struct, frozen=True):
    """The open receipt."""

    lines: tuple[Line, ...]


class Counters(msgspec.Struct, frozen=True, omit_defaults=True):
    """Values of the periods that contain the receipt's time, before it: {"lifetime": 4, "month": 2, "day": 0}.

    `on` is the local day that these periods contain; the engine and `loyalty.member` roll them over from there. None =
    they are already those of the receipt's own day. A period that is absent is 0.
    """

    purchases: dict[str, int] = {}
    turnover: dict[str, int] = {}
    earnings: dict[str, int] = {}
    redemptions: dict[str, int] = {}
    redeemed: dict[str, int] = {}
    on: date | None = None


class Lot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points that were credited together and burn together, at `expires_at`; None = never."""

    id: str
    points: int
    expires_at: datetime | None = None


class MemberState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a quote needs to know of a member; no name, no phone, birthday without the year (MM-DD).

    `as_of` is the age of the knowledge; None is a card that is recognised but whose member is not in the replica.
    `lots`, the oldest first, are what burns of the balance and when; None = not known here. `no_offline_redeem`: points
    that were not there have been paid with too often, so this member pays with points only while the server is asked.
    """

    balance: int = 0
    birthday: str | None = None
    joined: str | None = None
    tags: tuple[str, ...] = ()
    coupons: tuple[str, ...] = ()
    consent: Literal["given", "withdrawn", "none"] = "given"
    stamps: dict[str, int] = {}
    membership: str | None = None
    as_of: datetime | None = None
    counters: Counters = Counters()
    tier: str | None = None
    lots: tuple[Lot, ...] | None = None
    no_offline_redeem: bool = False


class Why(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of explanation: the rule, what it did in money or points, and the sentence for people."""

    rule: str
    money: int | None = None
    points: int | None = None
    text: Texts = {}


class ToNextTier(msgspec.Struct, frozen=True, kw_only=True):
    """What is still missing to the next tier: that many purchases or that much turnover; None = no such condition."""

    tier: str
    purchases: int | None = None
    turnover: int | None = None


class Gift(msgspec.Struct, frozen=True):
    """Units to hand over."""

    offer: str
    what: str
    count: int


class Slip(msgspec.Struct, frozen=True, omit_defaults=True):
    """A one-time code to print: survey, wheel, referral or coupon. `offer` is the one that it is for."""

    kind: str
    offer: str
    valid_days: int | None = None


class FiscalLine(msgspec.Struct, frozen=True):
    """What a fiscal registrar is told of (a part of) a line: unit price x quantity is its sum to one minor unit."""

    line: int
    price: int
    quantity: int
    sum: int


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What this receipt costs, earns and may be paid with; see `loyalty.engine.quote`.

    `fiscal_lines` is there where the programme asks for them, `lots_after` where the member's lots are known.
    """

    total: int
    discount: int
    line_discounts: tuple[int, ...]
    max_redeem: int
    redeemed: int
    line_redeemed: tuple[int, ...]
    pay: int
    earned: int
    balance_after: int
    tier: str | None
    tier_after: str | None
    to_next_tier: ToNextTier | None
    stamps_after: dict[str, int]
    free_units: dict[str, int]
    gifts: tuple[Gift, ...]
    slips: tuple[Slip, ...]
    coupons_used: tuple[str, ...]
    why: tuple[Why, ...]
    prompt: Texts
    programme_revision: int
    engine: int
    fiscal_lines: tuple[FiscalLine, ...] | msgspec.UnsetType = msgspec.UNSET
    lots_after: dict[str, int] | msgspec.UnsetType = msgspec.UNSET


class ReturnRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer brings back: what is left of whole lines, or [line, how many units]."""

    lines: tuple[int, ...] = ()
    units: tuple[tuple[int, int], ...] = ()


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What one return does: money to the customer, points that paid come back, points that were earned are taken."""

    refund: int
    points_back: int
    clawback: int
    balance_after: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A business answer of "no": a stable code, the place in the input, and the sentence for people."""

    code: str
    at: str
    text: Texts
    most: int | None = None
