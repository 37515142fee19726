"""Step 0: what the engine refuses to count with, whoever calls it and however the values came about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal

from loyalty.i18n import Param, texts
from loyalty.kinds import LARGEST
from loyalty.quote import Basket, Counters, Line, Lot, MemberState, Refusal

MAX_LINES = 1000
MAX_LOTS = 1000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def refusal(code: str, at: str, most: int | None = None, **params: Param) -> Refusal:
    """Return a refusal with the sentence `refusal.<code>` in every language."""
    return Refusal(code=code, at=at, text=texts(f"refusal.{code}", **params), most=most)


def check(member: MemberState | None, basket: Basket, at: datetime, redeem: int | Literal["max"]) -> Refusal | None:
    """Return why this cannot be counted, or None."""
    if at.tzinfo is None or not 2000 <= at.year < 3000:
        return refusal("bad_time", "at")
    if redeem != "max" and not (type(redeem) is int and redeem >= 0):
        return refusal("bad_redeem", "redeem")
    return _check_lines(basket.lines) or (_check_member(member) if member is not None else None)


def _check_lines(lines: tuple[Line, ...]) -> Refusal | None:
    if len(lines) > MAX_LINES:
        return refusal("too_many_lines", "basket.lines", limit=MAX_LINES)
    for number, line in enumerate(lines):
        if not (_is_amount(line.sum) and _is_amount(line.minimum) and _is_amount(line.quantity) and line.quantity):
            bad = next((name for name in ("sum", "minimum") if not _is_amount(getattr(line, name))), "quantity")
            return refusal("bad_line", f"basket.lines[{number}].{bad}")
    return None


def _is_amount(value: int) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_number(value: object) -> bool:
    return type(value) is int and -LARGEST <= value <= LARGEST


def _check_member(member: MemberState) -> Refusal | None:
    bad = next(_mistakes(member), None)
    return refusal("bad_member", f"member.{bad}") if bad is not None else None


def _mistakes(member: MemberState) -> Iterator[str]:
    if not _is_number(member.balance):
        yield "balance"
    if member.as_of is not None and member.as_of.tzinfo is None:
        yield "as_of"
    if member.birthday is not None and not _is_day(f"2000-{member.birthday}"):
        yield "birthday"
    for name in ("joined", "membership"):
        value = getattr(member, name)
        if value is not None and not _is_day(value):
            yield name
    yield from _bad_counters(member.counters)
    yield from (f"stamps.{card}" for card, count in member.stamps.items() if not _is_number(count))
    yield from _bad_lots(member.lots or ())


def _bad_counters(counters: Counters) -> Iterator[str]:
    every: dict[str, dict[str, Any]] = {
        "purchases": counters.purchases,
        "turnover": counters.turnover,
        "earnings": counters.earnings,
        "redemptions": counters.redemptions,
        "redeemed": counters.redeemed,
    }
    for name, values in every.items():
        for period, value in values.items():
            if not _is_number(value):
                yield f"counters.{name}.{period}"


def _bad_lots(lots: Sequence[Lot]) -> Iterator[str]:
    if len(lots) > MAX_LOTS:
        yield "lots"
    seen: set[str] = set()
    for number, lot in enumerate(lots[:MAX_LOTS]):
        if not _is_amount(lot.points):
            yield f"lots[{number}].points"
        if lot.expires_at is not None and lot.expires_at.tzinfo is None:
            yield f"lots[{number}].expires_at"
        if lot.id in seen:
            yield f"lots[{number}].id"
        seen.add(lot.id)


def _is_day(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
