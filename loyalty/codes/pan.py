"""Numbers of payment cards: seen, masked at once, kept nowhere.

A number looks like one when it has 13-19 digits, begins and is as long as the numbers of a known payment system, and
its Luhn digit is right. Numbers of 13, 14 and 18 digits whose GS1 check digit is right are articles and pallets.
"""

from __future__ import annotations

import re

from loyalty.codes.check_digit import has_check_digit

_SHAPE = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|220[0-4][0-9]{12,15}"  # Мир
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11,16}"  # American Express, Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|(?:5[06-8]|6[0-9])[0-9]{11,17}|81[0-9]{14,17}"  # Maestro, UnionPay, Discover
    r"|(?:8600|9860|9112|9792)[0-9]{12}",  # Uzcard, Humo, Belkart, Troy
    re.ASCII,
)
_RUN = re.compile(r"(?<![0-9])[0-9](?:[ .\u00a0\u2007-\u2015\u202f-]?[0-9]){12,18}(?![0-9])", re.ASCII)
_SHORTEST = 13
_GS1_LENGTHS = frozenset({13, 14, 18})
_SEPARATORS = re.compile(r"[^0-9]")


def looks_like_card(digits: str) -> bool:
    """Tell whether these ASCII digits look like the number of a payment card."""
    if not _SHAPE.fullmatch(digits) or not _luhn(digits):
        return False
    return not (len(digits) in _GS1_LENGTHS and has_check_digit(digits))


def mask(text: str) -> str:
    """Return the text with all but the last four digits of each such number as asterisks, also of one in groups of four."""
    return _RUN.sub(_masked, text) if len(text) >= _SHORTEST else text


def _masked(found: re.Match[str]) -> str:
    digits = _SEPARATORS.sub("", found.group())
    return "*" * (len(digits) - 4) + digits[-4:] if looks_like_card(digits) else found.group()


def _luhn(digits: str) -> bool:
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(sum(divmod(2 * number, 10)) for number in numbers[1::2])) % 10 == 0
