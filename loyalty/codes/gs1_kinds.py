"""What element strings of GS1 are for us: a member, a coupon, a marking code, a pallet, or just a message."""

from __future__ import annotations

from typing import TypeVar

from loyalty.codes import marking
from loyalty.codes.gs1 import Fault, Message, decimal, iso_date
from loyalty.codes.kinds import Code, Coupon, Gs1DigitalLink, Gs1Message, Invalid, MemberCard, Sscc

MessageT = TypeVar("MessageT", Gs1Message, Gs1DigitalLink)

_WEIGHTS = tuple(f"310{places}" for places in range(6))
_COUNTS = ("37", "30")
_ALONE = frozenset({"00", "01", "10", "13", "15", "20", "21"})


def of_message(message: Message, now: int) -> Code:
    """The class of element strings that were read to their end."""
    marked = marking.from_message(message)
    if marked is not None and marking.is_whole(message):
        return marked
    if message.fault is not None:
        return invalid(message.fault)
    return _keyed(message) or _sscc(message) or _filled(Gs1Message, message, now)


def of_link(message: Message, now: int) -> Code:
    """The class of a Digital Link whose key is known."""
    if message.fault is not None:
        return invalid(message.fault)
    return _keyed(message) or _filled(Gs1DigitalLink, message, now)


def invalid(fault: Fault) -> Invalid:
    """The fault as a class."""
    return Invalid(fault.reason, fault.ai)


def _keyed(message: Message) -> Code | None:
    """What the presence of one identifier decides: a member's number, or a coupon."""
    gsrn = message.get("8018")
    if gsrn is not None:
        return MemberCard(gsrn=gsrn, srin=message.get("8019"))
    gcn, points = message.get("255"), message.get("8111")
    if gcn is not None:
        return Coupon(ai="255", gcn=gcn, points=None if points is None else int(points))
    if points is not None:
        return Invalid("needs_255", "8111")
    for ai in ("8110", "8112"):
        value = message.get(ai)
        if value is not None:
            return Coupon(ai=ai, value=value)
    return None


def _sscc(message: Message) -> Sscc | None:
    sscc = message.get("00")
    return Sscc(sscc) if sscc is not None and len(message.elements) == 1 else None


def _filled(kind: type[MessageT], message: Message, now: int) -> MessageT:
    """Put what has a name under its name and the rest behind it."""
    found = dict(message.elements)
    weight = next((ai for ai in _WEIGHTS if ai in found), None)
    count = next((ai for ai in _COUNTS if ai in found), None)
    best_before, packed = (iso_date(found[ai], now) if ai in found else None for ai in ("15", "13"))
    return kind(
        gtin=found.get("01"),
        batch=found.get("10"),
        serial=found.get("21"),
        variant=found.get("20"),
        best_before=best_before,
        packed=packed,
        count=int(found[count]) if count else None,
        weight_kg=decimal(found[weight], int(weight[3])) if weight else None,
        sscc=found.get("00"),
        others=tuple((ai, value) for ai, value in message.elements if ai not in _ALONE | {weight, count}),
    )
