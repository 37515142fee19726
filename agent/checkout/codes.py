"""What a code means at the checkout: whose card it is, that it is none of ours, or what the cashier is told.

Codes of goods are the cash register's own business and pass without a word. A rotating code is good once: this till
refuses it when it comes again for another receipt.
"""

from __future__ import annotations

from dataclasses import replace

from agent.checkout.model import Context, State
from agent.messages import Scanned
from loyalty.codes import (
    Cashier,
    Certificate,
    Channel,
    Code,
    Coupon,
    FiscalReceipt,
    Gs1DigitalLink,
    Gs1Message,
    InstoreNumber,
    Invalid,
    Marking,
    MemberCard,
    MemberRotating,
    Phone,
    Product,
    ProductPrice,
    ProductWeight,
    RefundReceipt,
    RejectedRotating,
    Sscc,
    Unknown,
    classify,
)

_GOODS = (Product, ProductWeight, ProductPrice, InstoreNumber, Marking, Gs1Message, Gs1DigitalLink, Sscc)
_TOLD: dict[type[Code], str] = {
    Cashier: "till.code_cashier",
    Certificate: "till.code_certificate",
    Coupon: "till.code_coupon",
    FiscalReceipt: "till.code_receipt",
    Invalid: "till.code_misread",
    RefundReceipt: "till.code_refund",
}
_REASONS = {
    "fiscal_incomplete": "till.code_receipt",
    "payment_card": "till.code_payment_card",
    "stale": "till.code_stale",
    "wrong": "till.code_wrong",
}
NOT_LOYALTY = "till.not_loyalty"
REPLAYED = "till.code_replayed"


def scanned(event: Scanned, context: Context) -> Code:
    """What the agent's own scanner read."""
    return _read(event.data, "serial", context)


def given(code: str, context: Context) -> Code:
    """What the cash register's scanner read or its cashier typed: as a scan first, then as a telephone number."""
    data = code.encode("utf-8", "replace")
    found = _read(data, "wedge_text", context)
    typed = _read(data, "keypad", context)
    return typed if isinstance(typed, Phone) and not isinstance(found, MemberCard | MemberRotating) else found


def card_of(code: Code) -> str | None:
    """The number that a member is looked up by, or None."""
    if isinstance(code, MemberRotating):
        return code.id
    return code.number if isinstance(code, MemberCard) else None


def phone_of(code: Code) -> str | None:
    """The telephone number that a member is asked for by, or None."""
    return code.e164 if isinstance(code, Phone) else None


def is_goods(code: Code) -> bool:
    """Tell what is the cash register's own business."""
    return isinstance(code, _GOODS)


def notice_key(code: Code) -> str:
    """The sentence for a code that is nobody's card."""
    if isinstance(code, Unknown | RejectedRotating):
        return _REASONS.get(code.reason, NOT_LOYALTY)
    return _TOLD.get(type(code), NOT_LOYALTY)


def is_replayed(state: State, code: Code, context: Context) -> bool:
    """Tell whether this rotating code was taken already, for another receipt than the open one.

    Its password holds for its whole period, so another second in the code makes no other code of it.
    """
    if not isinstance(code, MemberRotating) or _password_of(code, context) not in state.used:
        return False
    return state.sold is not None or state.attached is None or state.attached.card != code.id


def use(state: State, code: Code, context: Context) -> State:
    """Remember a rotating code for as long as it is fresh."""
    if not isinstance(code, MemberRotating):
        return state
    oldest = (_seconds(context) - context.rules.window_s) // context.rules.period_s
    taken = _password_of(code, context)
    kept = tuple(each for each in state.used if each[1] >= oldest and each != taken)
    return replace(state, used=(*kept, taken))


def _password_of(code: MemberRotating, context: Context) -> tuple[str, int]:
    return code.id, code.timestamp // context.rules.period_s


def _read(data: bytes, channel: Channel, context: Context) -> Code:
    return classify(data, context.rules, channel, _seconds(context)).code


def _seconds(context: Context) -> int:
    return int(context.now.timestamp())
