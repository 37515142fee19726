"""The words of the programme document: ids, amounts, rates and lists as checked types.

Each type carries its own limit, so that the loader names a value that cannot be, and JSON Schema says the same.
"""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from loyalty.i18n import Language
from loyalty.money import BASIS
from loyalty.strict import Check, between

Names = dict[Language, str]
"""A word or a sentence of the retailer in his languages."""

LARGEST = 10**12
"""Largest sum, quantity and number of points; far above any till."""

MOST_RULES = 1_000
"""Most entries of a list in the document."""


def is_timezone(name: str) -> bool:
    """True for a name of the time zone database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def matches(pattern: str, text: str) -> Check:
    """The whole value matches."""
    return Check(lambda value: re.fullmatch(pattern, value) is not None, text, {"pattern": f"^(?:{pattern})$"})


def not_empty(text: str) -> Check:
    """A list with something in it."""
    return Check(lambda value: 0 < len(value) <= MOST_RULES, text, {"minItems": 1, "maxItems": MOST_RULES})


Id = Annotated[str, matches(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "must be 1-64 letters, digits, '-', '_' or '.'")]
Word = Annotated[str, Check(lambda value: len(value) <= 200, "must have 200 letters at most", {"maxLength": 200})]
Basis = Annotated[int, between(0, BASIS)]
Amount = Annotated[int, between(0, LARGEST)]
Some = Annotated[int, between(1, LARGEST)]
Days = Annotated[int, between(0, 3_660)]
Units = Annotated[int, between(1, 1_000)]
