"""The decision itself; see the package for its principles.

Today's classes are member card, product and unknown. The frame is decoded as UTF-8, never stripped of anything but its
AIM id, and given back only in the form that the class needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loyalty.codes.aim import split_aim
from loyalty.codes.check_digit import has_check_digit
from loyalty.codes.rules import CodeRules, match

ProductFormat = Literal["EAN-8", "UPC-A", "EAN-13", "ITF-14"]
Reason = Literal["empty", "not_text", "wrong_check_digit", "no_rule"]

_FORMATS: dict[int, ProductFormat] = {8: "EAN-8", 12: "UPC-A", 13: "EAN-13", 14: "ITF-14"}
_RESTRICTED = ("02", "04", "2")


@dataclass(frozen=True, slots=True)
class MemberCard:
    """A site rule says that this is a member's card. `card` is the number as the rule writes it."""

    card: str
    aim: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """An article number with the right check digit. `gtin` has 14 digits; `restricted` = numbered by the store, not by GS1."""

    gtin: str
    format: ProductFormat
    restricted: bool = False
    aim: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing of ours. `reason`: empty, not_text (no UTF-8), wrong_check_digit, no_rule."""

    reason: Reason
    aim: str = ""


Code = MemberCard | Product | Unknown


def classify(data: bytes, rules: CodeRules) -> Code:
    """Say what this frame is. Never raises."""
    try:
        aim, code = split_aim(data.decode())
    except UnicodeDecodeError:
        return Unknown("not_text")
    if not code:
        return Unknown("empty", aim)
    return _member(code, aim, rules) or _product(code, aim) or Unknown("no_rule", aim)


def _member(code: str, aim: str, rules: CodeRules) -> MemberCard | Unknown | None:
    refused = None
    for rule in rules.member_card:
        verdict, card = match(rule, code)
        if verdict == "match":
            return MemberCard(card, aim)
        if verdict == "wrong_check_digit":
            refused = Unknown("wrong_check_digit", aim)
    return refused


def _product(code: str, aim: str) -> Product | Unknown | None:
    form = _FORMATS.get(len(code))
    if form is None or not (code.isascii() and code.isdigit()):
        return None
    if not has_check_digit(code):
        return Unknown("wrong_check_digit", aim)
    return Product(code.zfill(14), form, _restricted(code), aim)


def _restricted(code: str) -> bool:
    if len(code) == 8:
        return code[0] in "02"
    return len(code) < 14 and code.zfill(13).startswith(_RESTRICTED)
