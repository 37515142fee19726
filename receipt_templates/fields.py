"""What each template may be told: one declaration for the check of the data, the lists of the command line and the docs.

Values are finished text in the customer's language, with its money, dates and plurals; what is not text says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Kind = Literal["text", "flag", "number", "texts", "rows"]


class Field(msgspec.Struct, frozen=True):
    """One key of the data. `rows` are the keys of each row, where the value is a list of rows."""

    name: str
    what: str
    kind: Kind = "text"
    required: bool = False
    rows: tuple[Field, ...] = ()


def _required(name: str, what: str, kind: Kind = "text", rows: tuple[Field, ...] = ()) -> Field:
    return Field(name, what, kind, True, rows)


_HEAD = (
    Field("shop", "name of the shop, in big letters under the logo"),
    Field("header", "lines under the name: address, telephone", "texts"),
)
_AT = Field("at", "date and time")
_RECEIPT = (Field("receipt_number", "number of the receipt"), _AT)
_ITEMS = Field(
    "items",
    "what was sold; leave out where the cash register prints it",
    "rows",
    rows=(
        _required("name", "name of the product"),
        Field("quantity", "quantity and price, on a line of its own"),
        _required("amount", "what it costs"),
    ),
)
_BALANCE = (
    Field("balance", "points on the card now"),
    Field("as_of", "moment of the balance, where it is not fresh"),
)
_TIER = (
    Field("tier", "level of the member"),
    Field("progress_bp", "how much of the way to the next level is done, 0 to 10000", "number"),
    Field("to_next", "what is missing to the next level, a sentence"),
)
_QR = (
    Field("qr", "address that the QR code holds"),
    Field("qr_host", "line under the QR code: where it leads"),
)
_VALID_DAYS = Field("valid_days", "how long the code can be used: 14 days")
_CALL = Field("call_to_action", "what the customer should do, a sentence")

FIELDS: Mapping[str, tuple[Field, ...]] = {
    "sale": (
        *_HEAD,
        *_RECEIPT,
        _ITEMS,
        Field("total", "price of everything, where a discount or points are taken off"),
        Field("discount", "discount, without a minus"),
        Field("redeemed", "part paid with points, without a minus"),
        _required("pay", "what was paid"),
        Field("earned", "points for this sale, without a plus"),
        *_BALANCE,
        Field("card_only", "true: a card is known, its balance is not", "flag"),
        *_TIER,
        Field("cashback", "what purchases bring at this level, a sentence"),
        _CALL,
        *_QR,
        _VALID_DAYS,
    ),
    "balance": (
        *_HEAD,
        _AT,
        Field("card", "last digits of the card"),
        _required("balance", "points on the card now"),
        _BALANCE[1],
        *_TIER,
        Field("expiring", "which points expire and when, a sentence"),
        _CALL,
        *_QR,
    ),
    "enrolment": (
        *_HEAD,
        _AT,
        _required("qr", "address that the QR code holds"),
        _QR[1],
        _VALID_DAYS,
    ),
    "tier": (
        *_HEAD,
        _AT,
        _required("tier", "level of the member"),
        Field("reached", "true: the level was reached just now", "flag"),
        Field("benefits", "what the level gives, a line each", "texts"),
        *_TIER[1:],
        Field("next_tier", "the next level"),
        Field("next_benefits", "what the next level gives, a line each", "texts"),
    ),
    "expiring": (
        *_HEAD,
        _AT,
        _required(
            "expiring",
            "points that expire, the soonest first",
            "rows",
            (_required("points", "points"), _required("until", "last day on which they can be used")),
        ),
        *_BALANCE,
        _CALL,
        *_QR,
    ),
    "coupon": (
        *_HEAD,
        _AT,
        _required("title", "what the coupon gives, in big letters"),
        Field("text", "what it is for, a sentence"),
        _required("code", "what the till reads from the coupon"),
        Field("code_form", "form of the code: qr, code128 (unless told), ean13, ean8, upca, itf, code39"),
        Field("until", "last day on which it can be used"),
        Field("terms", "conditions in small print, a paragraph each", "texts"),
    ),
    "stamps": (
        *_HEAD,
        _AT,
        _required("title", "what the card is for"),
        _required("filled", "stamps on the card", "number"),
        _required("of", "stamps that fill it, 1 to 40", "number"),
        Field("left", "what is missing to the gift, a sentence"),
        Field("gift", "what the full card gives, a sentence"),
        Field("until", "last day on which it can be used"),
    ),
    "return": (
        *_HEAD,
        *_RECEIPT,
        Field("sale_number", "number of the receipt that is returned"),
        _ITEMS,
        _required("refund", "money paid back"),
        Field("given_back", "points that were spent and are back on the card, without a plus"),
        Field("taken_back", "points that were earned and are taken off the card, without a minus"),
        *_BALANCE,
    ),
    "shift": (
        *_HEAD,
        _AT,
        Field("number", "number of the shift"),
        Field("till", "the till"),
        Field("cashier", "the cashier"),
        Field("opened", "when the shift began"),
        Field("closed", "when the shift ended"),
        _required("sales", "number of sales"),
        Field("turnover", "paid in all of them"),
        Field("returns", "number of returns"),
        Field("with_card", "number and share of sales with a card"),
        Field("discount", "discounts given"),
        Field("earned", "points given"),
        Field("redeemed", "points taken"),
        Field("enrolments", "new members"),
        Field("slips", "slips printed"),
        Field("queue", "what has not reached the server yet, a sentence"),
    ),
    "selftest": (
        *_HEAD,
        _AT,
        _required("printer", "name of the printer"),
        Field("profile", "its profile"),
        Field("connection", "how it is connected"),
        Field("paper", "width of the paper"),
        Field("version", "version of the program"),
        Field("qr", "address that the QR code holds"),
    ),
}
"""The templates that exist, in the order in which they are shown, and the fields of each."""
