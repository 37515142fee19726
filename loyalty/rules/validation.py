"""Step 0: what the engine refuses to count with. Shapes and types were settled when the message was read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from loyalty.i18n import Param, texts
from loyalty.quote import Basket, Line, MemberState, Refusal

MAX_LINES = 1000
MAX_NUMBER = 10**12
"""Largest sum (minor units), quantity (thousandths) and balance; far above any till, far below any overflow."""


def refusal(code: str, at: str, most: int | None = None, **params: Param) -> Refusal:
    """Return a refusal with the sentence `refusal.<code>` in every language."""
    return Refusal(code=code, at=at, text=texts(f"refusal.{code}", **params), most=most)


def check(member: MemberState | None, basket: Basket, at: datetime, redeem: int | Literal["max"]) -> Refusal | None:
    """Return why this cannot be counted, or None."""
    if at.tzinfo is None or not 2000 <= at.year < 3000:
        return refusal("bad_time", "at")
    if redeem != "max" and not (isinstance(redeem, int) and redeem >= 0):
        return refusal("bad_redeem", "redeem")
    return _check_lines(basket.lines) or _check_member(member)


def _check_lines(lines: tuple[Line, ...]) -> Refusal | None:
    if len(lines) > MAX_LINES:
        return refusal("too_many_lines", "basket.lines", limit=MAX_LINES)
    for number, line in enumerate(lines):
        for name in ("sum", "quantity", "minimum"):
            if not 0 <= getattr(line, name) <= MAX_NUMBER:
                return refusal("bad_line", f"basket.lines[{number}].{name}")
    return None


def _check_member(member: MemberState | None) -> Refusal | None:
    if member is None:
        return None
    if member.as_of is not None and member.as_of.tzinfo is None:
        return refusal("bad_member", "member.as_of")
    if abs(member.balance) > MAX_NUMBER:
        return refusal("bad_member", "member.balance")
    if member.membership is not None and not _is_date(member.membership):
        return refusal("bad_member", "member.membership")
    return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
