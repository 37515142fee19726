"""A member's counters: rolled over to a day, and moved on by a receipt. Pure.

Purchases and turnover are kept for the whole life, the year, the month and the day; what limits a day is kept for the
day. A receipt that comes late counts only in the periods that are still running.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import msgspec

from loyalty.quote import Counters


class Receipt(NamedTuple):
    """What a receipt adds: money paid, points earned, points that paid."""

    pay: int
    earned: int
    redeemed: int


_LENGTHS = {"lifetime": 0, "year": 1, "month": 2, "day": 3}
"""How many of (year, month, day) two days of the same period have in common."""


def rolled(counters: Counters, day: date) -> Counters:
    """Return the counters of the periods that contain `day`; an earlier day than theirs changes nothing."""
    if counters.on is not None and day <= counters.on:
        return counters
    running = _common(counters.on or day, day)
    kept = {
        name: {period: value for period, value in getattr(counters, name).items() if _LENGTHS.get(period, 3) <= running}
        for name in ("purchases", "turnover", "earnings", "redemptions", "redeemed")
    }
    return Counters(**kept, on=day)


def counted(counters: Counters, day: date, receipt: Receipt) -> Counters:
    """Return the counters after a receipt of that day."""
    counters = rolled(counters, day)
    running = _common(counters.on or day, day)
    every = [period for period, length in _LENGTHS.items() if length <= running]
    today = every[3:]
    return msgspec.structs.replace(
        counters,
        purchases=_added(counters.purchases, every, 1),
        turnover=_added(counters.turnover, every, receipt.pay),
        earnings=_added(counters.earnings, today, int(receipt.earned > 0)),
        redemptions=_added(counters.redemptions, today, int(receipt.redeemed > 0)),
        redeemed=_added(counters.redeemed, today, receipt.redeemed),
    )


def _common(one: date, other: date) -> int:
    for length, parts in enumerate(((one.year, other.year), (one.month, other.month), (one.day, other.day))):
        if parts[0] != parts[1]:
            return length
    return 3


def _added(values: dict[str, int], periods: list[str], amount: int) -> dict[str, int]:
    return {**values, **{period: values.get(period, 0) + amount for period in periods}} if amount else values
