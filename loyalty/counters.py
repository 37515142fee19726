"""A member's counters: rolled over to a day, and moved on by a receipt. Pure.

Purchases and turnover are kept for the whole life, the year, the month and the day; what limits a day is kept for the
day. A receipt that comes late counts only in the periods that are still running.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from loyalty.quote import Counters


class Receipt(NamedTuple):
    """What a receipt adds: money paid, points earned, points that paid."""

    pay: int
    earned: int
    redeemed: int


class Move(NamedTuple):
    """What is added to counters; negative where a return takes it out again."""

    purchases: int = 0
    turnover: int = 0
    earnings: int = 0
    redemptions: int = 0
    redeemed: int = 0


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
    move = Move(1, receipt.pay, int(receipt.earned > 0), int(receipt.redeemed > 0), receipt.redeemed)
    return moved(counters, day, move)


def moved(counters: Counters, day: date, move: Move) -> Counters:
    """Return the counters with something of that day added, in the periods of it that are still running."""
    counters = rolled(counters, day)
    running = _common(counters.on or day, day)
    every = [period for period, length in _LENGTHS.items() if length <= running]
    today = every[3:]
    return Counters(
        purchases=_added(counters.purchases, every, move.purchases),
        turnover=_added(counters.turnover, every, move.turnover),
        earnings=_added(counters.earnings, today, move.earnings),
        redemptions=_added(counters.redemptions, today, move.redemptions),
        redeemed=_added(counters.redeemed, today, move.redeemed),
        on=counters.on,
    )


def _common(one: date, other: date) -> int:
    for length, parts in enumerate(((one.year, other.year), (one.month, other.month), (one.day, other.day))):
        if parts[0] != parts[1]:
            return length
    return 3


def _added(values: dict[str, int], periods: list[str], amount: int) -> dict[str, int]:
    return {**values, **{period: values.get(period, 0) + amount for period in periods}} if amount else values
