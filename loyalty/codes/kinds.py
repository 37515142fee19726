"""What a code may turn out to be: one frozen type for each class, and the `Reading` that says how it was found.

`Reading.table()` is what `tillmate code --json` prints. A field that is None was not in the code and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

Channel = Literal["serial", "keypad", "wedge_text"]
Plain = str | int | bool
ProductFormat = Literal["EAN-8", "EAN-13", "UPC-A", "UPC-E", "ITF-14"]
RotatingReason = Literal["stale", "wrong"]
Elements = tuple[tuple[str, str], ...]
"""Application identifiers of GS1 with their values, in the order of the code."""


@dataclass(frozen=True, slots=True)
class MemberCard:
    """A member, because a rule of the site says so (`card`) or because GS1 does (`gsrn`: AI 8018, a service recipient)."""

    name: ClassVar[str] = "member_card"
    card: str | None = None
    gsrn: str | None = None
    srin: str | None = None

    @property
    def number(self) -> str:
        """What the member is looked up by."""
        return self.card or self.gsrn or ""


@dataclass(frozen=True, slots=True)
class MemberRotating:
    """A code that a phone shows for a short while. `timestamp` is when, in unix seconds."""

    name: ClassVar[str] = "member_rotating"
    id: str
    timestamp: int
    otp_ok: bool = True


@dataclass(frozen=True, slots=True)
class RejectedRotating:
    """A code of that kind that does not hold: too old or too early (`stale`), or not made with our key (`wrong`)."""

    name: ClassVar[str] = "rejected_rotating"
    id: str
    reason: RotatingReason


@dataclass(frozen=True, slots=True)
class Cashier:
    name: ClassVar[str] = "cashier"
    badge: str


@dataclass(frozen=True, slots=True)
class Coupon:
    """By a site rule (`code`), by GS1 (`ai`: 255, 8110 or 8112) or by the prefix of an EAN-13 (`ean`, `kind`)."""

    name: ClassVar[str] = "coupon"
    code: str | None = None
    ai: str | None = None
    gcn: str | None = None
    value: str | None = None
    points: int | None = None
    ean: str | None = None
    kind: Literal["gs1_coupon_prefix", "common_currency_coupon"] | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    name: ClassVar[str] = "certificate"
    code: str


@dataclass(frozen=True, slots=True)
class RefundReceipt:
    """EAN-13 with prefix 980."""

    name: ClassVar[str] = "refund_receipt"
    ean: str


@dataclass(frozen=True, slots=True)
class Phone:
    """`valid` and `mobile` are None for a country whose numbering plan is not known here."""

    name: ClassVar[str] = "phone"
    e164: str
    mobile: bool | None
    valid: bool | None
    raw: str
    toll_free: bool | None = None


@dataclass(frozen=True, slots=True)
class FiscalReceipt:
    """The QR of a Russian fiscal receipt. `operation`: 1 sale, 2 its return, 3 purchase, 4 its return."""

    name: ClassVar[str] = "fiscal_receipt"
    datetime: str
    sum_kopecks: int
    fn: str
    fd: int
    fp: int
    operation: int


@dataclass(frozen=True, slots=True)
class Marking:
    """A marking code of Честный знак. `gs_lost`: the scanner swallowed the separators, the lengths gave them back."""

    name: ClassVar[str] = "marking"
    gtin: str
    serial: str
    gtin_check_ok: bool
    gs_lost: bool = False
    ai91: str | None = None
    ai92: str | None = None
    ai93: str | None = None
    ai8005: str | None = None
    mrp: str | None = None
    check: str | None = None
    kind: Literal["tobacco_pack_29"] | None = None
    weight_kg: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """An article number with the right check digit. `restricted`: given out by a store or a country, not by GS1."""

    name: ClassVar[str] = "product"
    gtin: str
    format: ProductFormat
    restricted: bool = False
    check_ok: bool = True


@dataclass(frozen=True, slots=True)
class ProductWeight:
    name: ClassVar[str] = "product_weight"
    plu: str | None
    weight_kg: str
    value: str


@dataclass(frozen=True, slots=True)
class ProductPrice:
    name: ClassVar[str] = "product_price"
    plu: str | None
    price: str


@dataclass(frozen=True, slots=True)
class InstoreNumber:
    """EAN-13 with prefix 20-29 that no rule of the site explains; `rule` stays None."""

    name: ClassVar[str] = "instore_number"
    ean: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Gs1Message:
    """Element strings of GS1. `others` holds the identifiers without a name of their own here, as they are."""

    name: ClassVar[str] = "gs1_message"
    gtin: str | None = None
    batch: str | None = None
    serial: str | None = None
    variant: str | None = None
    best_before: str | None = None
    packed: str | None = None
    count: int | None = None
    weight_kg: str | None = None
    sscc: str | None = None
    others: Elements = ()


@dataclass(frozen=True, slots=True)
class Gs1DigitalLink(Gs1Message):
    name: ClassVar[str] = "gs1_digital_link"


@dataclass(frozen=True, slots=True)
class Sscc:
    name: ClassVar[str] = "sscc"
    sscc: str


@dataclass(frozen=True, slots=True)
class Url:
    name: ClassVar[str] = "url"
    host: str


@dataclass(frozen=True, slots=True)
class Text:
    """Readable characters and no rule. What looks like the number of a payment card in them is masked."""

    name: ClassVar[str] = "text"
    text: str
    encoding: str
    symbology: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing vouches for anything. `masked` stands for the number of a payment card: its last four digits."""

    name: ClassVar[str] = "unknown"
    reason: Literal[
        "empty", "broken_aim_id", "number", "fiscal_incomplete", "not_a_phone", "not_text", "payment_card"
    ]  # fmt: skip
    masked: str | None = None


@dataclass(frozen=True, slots=True)
class Invalid:
    """AIM id, application identifier or length vouch for a kind, and the content breaks it."""

    name: ClassVar[str] = "invalid"
    reason: Literal[
        "check_digit", "length", "not_digits", "characters", "structure", "date", "no_such_ai", "repeated", "needs_255",
        "measure_check",
    ]  # fmt: skip
    ai: str | None = None


Code = (
    MemberCard | MemberRotating | RejectedRotating | Cashier | Coupon | Certificate | RefundReceipt | Phone
    | FiscalReceipt | Marking | Product | ProductWeight | ProductPrice | InstoreNumber | Gs1Message | Gs1DigitalLink
    | Sscc | Url | Text | Unknown | Invalid
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """The answer of `classify`. `why` = its steps, for store IT; never a part of the code itself.

    `recovered` is the text as the scanner meant it when Windows or Linux typed it under the Russian layout.
    """

    code: Code
    aim: str | None = None
    why: tuple[str, ...] = ()
    recovered: str | None = None

    def table(self) -> dict[str, object]:
        """The reading as one JSON object."""
        return {"class": self.code.name, "fields": self.fields(), "aim": self.aim, "why": list(self.why)}

    def fields(self) -> dict[str, Plain]:
        """What was found, under the names of JSON."""
        found = fields_of(self.code)
        if self.recovered is not None:
            found |= {"recovered": self.recovered, "layout": "ru"}
        return found


def fields_of(code: Code) -> dict[str, Plain]:
    """The fields that are there, under their names in JSON."""
    found: dict[str, Plain] = {}
    for name in _NAMES[type(code)]:
        value = getattr(code, name)
        if name == "others":
            found |= {f"ai{ai}": text for ai, text in value}
        elif value is not None:
            found[name] = value
    return found


_KINDS: tuple[type[Code], ...] = (
    MemberCard, MemberRotating, RejectedRotating, Cashier, Coupon, Certificate, RefundReceipt, Phone, FiscalReceipt,
    Marking, Product, ProductWeight, ProductPrice, InstoreNumber, Gs1Message, Gs1DigitalLink, Sscc, Url, Text, Unknown,
    Invalid,
)  # fmt: skip
_NAMES: Mapping[type[Code], tuple[str, ...]] = {kind: tuple(each.name for each in fields(kind)) for kind in _KINDS}
CLASSES = tuple(kind.name for kind in _KINDS)
"""The names of all classes."""
