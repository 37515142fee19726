"""What a rule would take off the lines, as they are left now: the rules of money, one function each, nothing applied."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from loyalty.money import BASIS, half_up, rounded
from loyalty.offers import FreeUnits
from loyalty.rules.plan import OfferPlan, StampPlan
from loyalty.rules.sheet import WHOLE, Sheet
from loyalty.stamps import settle


class Units(NamedTuple):
    """Whole units of the lines: how many were taken by an n + m, how many of all are free, which lines bear stamps."""

    taken: list[int]
    free: list[int]
    stamped: set[int]

    @classmethod
    def none(cls, lines: int) -> Units:
        """Nothing taken yet."""
        return cls([0] * lines, [0] * lines, set())


_NO_UNITS: Mapping[int, int] = MappingProxyType({})


class Trial:
    """Money off each line and in all (`gain`), and for rules of units what they take and free."""

    __slots__ = ("free", "gain", "shares", "taken")

    def __init__(
        self, shares: Mapping[int, int], taken: Mapping[int, int] = _NO_UNITS, free: Mapping[int, int] = _NO_UNITS
    ) -> None:
        self.shares, self.taken, self.free = shares, taken, free
        self.gain = sum(shares.values())


def percentage(sheet: Sheet, numbers: list[int], rate: int) -> Trial:
    """So many basis points of what is left of these lines, one rounding; what a minimum price forbids is lost."""
    left, room = sheet.left, sheet.room
    parts = [part if (part := left[number] * rate) <= (most := room[number] * BASIS) else most for number in numbers]
    total = half_up(sum(parts), BASIS)
    shares = rounded(parts, BASIS, total, lambda: sheet.ranks_of(numbers))
    return Trial(dict(zip(numbers, shares, strict=True)))


def try_offer(offer: OfferPlan, sheet: Sheet, units: Units) -> Trial:
    """Return what an offer of money would take off."""
    give, numbers = offer.offer.give, sheet.chosen(offer.bits, "discountable")
    if give.discount_bp is not None:
        return percentage(sheet, numbers, give.discount_bp)
    if give.discount is not None:
        return Trial(dict(zip(numbers, sheet.spread(give.discount, numbers), strict=True)))
    if give.free_units is not None:
        return _free_units(give.free_units, sheet, numbers, units)
    return _price(give.price or 0, sheet, numbers, units)


def try_stamps(stamp: StampPlan, before: int, sheet: Sheet, units: Units) -> tuple[Trial, int]:
    """Return what a stamp card with so many stamps frees, and the stamps after."""
    pool = _dearest_first(sheet, sheet.chosen(stamp.bits, "discountable"))
    lines = sheet.lines
    bought = sum(lines[number].quantity // WHOLE - units.free[number] for number in pool)
    untaken = [
        (number, lines[number].quantity // WHOLE - units.taken[number])
        for number in pool
        if number not in units.stamped
    ]
    outcome = settle(stamp.card, before, bought, sum(count for _, count in untaken))
    free = _last(untaken, outcome.free)
    return Trial(_value(sheet, units, free), {}, free), outcome.after


def _free_units(rule: FreeUnits, sheet: Sheet, numbers: list[int], units: Units) -> Trial:
    pool = [
        (number, sheet.lines[number].quantity // WHOLE - units.taken[number])
        for number in _dearest_first(sheet, numbers)
    ]
    sets, rest = divmod(sum(count for _, count in pool), rule.buy + rule.free)
    more = max(0, rest - rule.buy)  # of an incomplete set what is there beyond the bought units is free
    taken = _last(pool[::-1], sets * (rule.buy + rule.free) + (rest if more else 0))
    free = _last([(number, taken[number]) for number, _ in pool if number in taken], sets * rule.free + more)
    return Trial(_value(sheet, units, free), taken, free)


def _price(price: int, sheet: Sheet, numbers: list[int], units: Units) -> Trial:
    shares = {}
    for number in numbers:
        paid = sheet.lines[number].quantity - units.free[number] * WHOLE
        cost = half_up(price * paid, WHOLE)
        shares[number] = min(max(0, sheet.left[number] - cost), sheet.room[number])
    return Trial(shares)


def _dearest_first(sheet: Sheet, numbers: list[int]) -> list[int]:
    wanted = set(numbers)
    return [number for number in sheet.by_price() if number in wanted]


def _last(pool: list[tuple[int, int]], count: int) -> dict[int, int]:
    """Take so many units from the end of the pool."""
    found = {}
    for number, there in reversed(pool):
        units = min(there, count)
        if units > 0:
            found[number] = units
            count -= units
    return found


def _value(sheet: Sheet, units: Units, free: dict[int, int]) -> dict[int, int]:
    """What these units cost on top of those that are free already, within the room of each line."""
    return {
        number: min(_worth(sheet, number, units.free[number] + count) - _worth(sheet, number, units.free[number]), sheet.room[number])
        for number, count in free.items()
    }  # fmt: skip


def _worth(sheet: Sheet, number: int, count: int) -> int:
    line = sheet.lines[number]
    return half_up(count * line.sum * WHOLE, line.quantity)
