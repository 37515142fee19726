"""Telephone numbers as they are typed at a till or stand in a `tel:` code, to E.164.

Russia and Kazakhstan share +7 (national form 8 and ten digits, or the ten digits alone), Belarus is +375 (national form
80 and nine digits, or the nine digits alone). Which digits may stand alone depends on the region of the shop. Area codes
are those of the national numbering plans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from loyalty.codes.kinds import Phone

Region = Literal["RU", "KZ", "BY"]

_TYPED = re.compile(r"\+? ?\(?[0-9][0-9 ().\u00a0\u2010-\u2014-]{3,30}")
_NOISE = re.compile(r"[^0-9]")
_SHORTEST, _LONGEST = 8, 15  # digits of an E.164 number as far as it is believed

_RU_FIXED = re.compile(
    r"(?:3(?:0[12]|36|4[1-35-79]|5[1-3]|65|8[1-58]|9[0145])|4(?:01|1[1356]|2[13467]|7[1-5]|8[1-7]|9[1-689])"
    r"|8(?:1[1-8]|2[01]|3[13-6]|4[0-8]|5[15-7]|6[0-35-79]|7[1-37-9]))[0-9]{7}"
)
_RU_MOBILE = re.compile(r"9[0-9]{9}")
_KZ_MOBILE = re.compile(r"7(?:0[0-25-8]|47|6[0-4]|7[15-8]|85)[0-9]{7}")
_KZ_FIXED = re.compile(r"7(?:1[0-8]|2[1-9])[0-9]{7}")
_FREE_7 = re.compile(r"80[04][0-9]{7}")
_OTHER_7 = re.compile(r"(?:80[389]|751)[0-9]{7}")  # paid, personal, voice over IP
_BY_MOBILE = re.compile(r"(?:25[5-79]|29[1-9]|33[0-9]|44[0-9])[0-9]{6}")
_BY_FIXED = re.compile(r"(?:1[5-7]|2[1-3])[0-9]{7}")
_OTHER_BY = re.compile(r"(?:810|902)[0-9]{7}|249[0-9]{6}")  # paid, voice over IP
_FREE_BY = re.compile(r"800[0-9]{3,7}|8(?:0[13]|20[0-9])[0-9]{7}")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the numbers of a country code look like without it."""

    country: str
    mobile: tuple[re.Pattern[str], ...]
    toll_free: tuple[re.Pattern[str], ...]
    other: tuple[re.Pattern[str], ...]


_PLANS = (
    _Plan("7", (_RU_MOBILE, _KZ_MOBILE), (_FREE_7,), (_RU_FIXED, _KZ_FIXED, _OTHER_7)),
    _Plan("375", (_BY_MOBILE,), (_FREE_BY,), (_BY_FIXED, _OTHER_BY)),
)


def read(typed: str, region: Region) -> Phone | None:
    """Return the number that was typed, or None when it cannot be one. `raw` is kept as it was typed."""
    number = typed.strip(" ")
    if not _TYPED.fullmatch(number):
        return None
    digits = _NOISE.sub("", number)
    international = _international(digits, region, plus=number.startswith("+"))
    return _phone(international, typed) if international is not None else None


def from_uri(uri: str, region: Region) -> Phone | None:
    """Return the number of a `tel:` address without its scheme; what stands behind `;` is not part of it."""
    found = read(uri.partition(";")[0], region)
    return found and Phone(found.e164, found.mobile, found.valid, uri, found.toll_free)


def _international(digits: str, region: Region, *, plus: bool) -> str | None:
    """The digits of the number behind its +."""
    if plus:
        return digits if _SHORTEST <= len(digits) <= _LONGEST and digits[0] != "0" else None
    for prefix in ("810", "00"):
        if digits.startswith(prefix) and len(digits) > len(prefix) + 10:
            return digits[len(prefix) :] if len(digits) <= len(prefix) + 12 else None
    return _national(digits, region)


def _national(digits: str, region: Region) -> str | None:
    size = len(digits)
    if size == 12 and digits.startswith("375"):
        return digits
    if size == 11 and digits.startswith("80"):  # no area code of +7 begins with 0, so this is Belarus
        return f"375{digits[2:]}" if region == "BY" or _by(digits[2:]) else f"7{digits[1:]}"
    if size == 11 and region == "BY" and digits[0] == "8":  # 8 alone stands before 800, 801 and the like
        return f"375{digits[1:]}"
    if size == 11 and digits[0] in "78":
        return f"7{digits[1:]}"
    if size == 10 and region != "BY" and digits[0] in "34789":
        return f"7{digits}"
    return f"375{digits}" if size == 9 and region == "BY" else None


def _by(national: str) -> bool:
    return _is((_BY_MOBILE, _BY_FIXED), national)


def _phone(digits: str, raw: str) -> Phone:
    plan = next((each for each in _PLANS if digits.startswith(each.country)), None)
    if plan is None:
        return Phone(f"+{digits}", None, None, raw)
    national = digits[len(plan.country) :]
    mobile, free = _is(plan.mobile, national), _is(plan.toll_free, national)
    return Phone(f"+{digits}", mobile, mobile or free or _is(plan.other, national), raw, free or None)


def _is(shapes: tuple[re.Pattern[str], ...], national: str) -> bool:
    return any(shape.fullmatch(national) for shape in shapes)
