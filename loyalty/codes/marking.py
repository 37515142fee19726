"""Marking codes of Честный знак: GTIN, serial number and crypto tail.

All but one are element strings of GS1: 01, 21, then 93, or 91 with 92, or the retail price 8005. The pack of cigarettes
has 29 characters without any identifier: GTIN 14, serial 7, highest retail price 4, check 4. Where a scanner has
swallowed the separators, the lengths that are in use (serials of 6, 7, 13 and 20 characters, tails of 4, 44 and 88)
leave one way to take the code apart.
"""

from __future__ import annotations

import re

from loyalty.codes.check_digit import has_check_digit
from loyalty.codes.gs1 import GS, Message, decimal, parse
from loyalty.codes.kinds import Marking

_C = r"[!\"%-?A-Z_a-z]"
_HEAD = rf"01(?P<gtin>[0-9]{{14}})21(?P<serial>{_C}{{20}}|{_C}{{13}}|{_C}{{7}}|{_C}{{6}})"
_WITHOUT_GS = re.compile(
    rf"{_HEAD}(?:91(?P<ai91>{_C}{{4}})92(?P<ai92>{_C}{{88}}|{_C}{{44}})"
    r"|8005(?P<price>[0-9]{6})"
    rf"|(?:8005(?P<ai8005>[0-9]{{6}}))?93(?P<ai93>{_C}{{4}})(?:310(?P<places>[0-5])(?P<weight>[0-9]{{6}})|335[0-5][0-9]{{6}})?)"
)
_PACK = re.compile(rf"(?P<gtin>[0-9]{{14}})(?P<serial>{_C}{{7}})(?P<mrp>{_C}{{4}})(?P<check>{_C}{{4}})")
_BEGINS = re.compile(r"01[0-9]{14}21")
_LOOSE_GS = re.compile(rf"(?:GS|(?!{_C})[^\x1d]){{1,4}}(?=9[1-3]|8005|31[0-9]{{2}}|335[0-5])")  # GS1 has no such signs
_GLUED = re.compile(rf"({_C}{{4}})92({_C}{{88}}|{_C}{{44}})")
_CHEAP = "A"  # the price is base 80 and begins with A up to 5120 roubles


def from_message(message: Message) -> Marking | None:
    """Return the marking code that these element strings are, or None. Whether the GTIN's check digit is right is said."""
    found = dict(message.elements)
    lost = _part(found)
    gtin, serial = found.get("01"), found.get("21")
    if gtin is None or serial is None or not _has_tail(found):
        return None
    weight = next((decimal(found[ai], int(ai[3])) for ai in found if ai.startswith("310")), None)
    return Marking(
        gtin,
        serial,
        has_check_digit(gtin),
        lost,
        ai91=found.get("91"),
        ai92=found.get("92"),
        ai93=found.get("93"),
        ai8005=found.get("8005"),
        weight_kg=weight,
    )


def tobacco_pack(code: str) -> Marking | None:
    """Return the pack of 29 characters, or None. With a wrong GTIN only a price that begins as prices do is believed."""
    found = _PACK.fullmatch(code)
    if found is None or code.isdigit():
        return None
    good = has_check_digit(found["gtin"])
    if not good and found["mrp"][0] != _CHEAP:
        return None
    return Marking(found["gtin"], found["serial"], good, mrp=found["mrp"], check=found["check"], kind="tobacco_pack_29")


def without_gs(code: str) -> Marking | None:
    """Return the marking code whose separators were swallowed, or became other signs or the letters GS; or None."""
    found = _WITHOUT_GS.fullmatch(code)
    if found is None:
        return _loosely(code)
    weight = decimal(found["weight"], int(found["places"])) if found["weight"] else None
    tail = found["ai91"], found["ai92"], found["ai93"], found["ai8005"] or found["price"]
    return Marking(found["gtin"], found["serial"], has_check_digit(found["gtin"]), True, *tail, weight_kg=weight)


def _loosely(code: str) -> Marking | None:
    if not _BEGINS.match(code):
        return None
    parted = _LOOSE_GS.sub(GS, code)
    message = parse(parted)
    return from_message(message) if parted != code and is_whole(message) else None


def is_whole(message: Message) -> bool:
    """Nothing is wrong but, at most, the check digit of the GTIN."""
    return message.fault is None or (message.fault.reason, message.fault.ai) == ("check_digit", "01")


def _part(found: dict[str, str]) -> bool:
    """Part 91 from 92 where the one GS between them was swallowed; tell whether it was."""
    tail = _GLUED.fullmatch(found.get("91", "")) if "92" not in found else None
    if tail is not None:
        found["91"], found["92"] = tail.groups()
    return tail is not None


def _has_tail(found: dict[str, str]) -> bool:
    if len(found.get("93", "")) == 4 or "8005" in found:
        return True
    return len(found.get("91", "")) == 4 and "92" in found
