"""Step 1: lines with what may be done to each: flags, the programme's exclusions, the law. And lines on their way on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loyalty.money import Portion, share
from loyalty.programme import Exclude, Programme
from loyalty.quote import Line

_FORBIDDEN = {"ru": frozenset({"tobacco", "nicotine"}), "none": frozenset[str]()}
"""Categories on which a law lets nobody earn, redeem or give a discount."""


@dataclass(frozen=True, slots=True)
class Position:
    """A line, and what became of its sum so far."""

    line: Line
    may_discount: bool
    may_redeem: bool
    may_earn: bool
    discount: int = 0
    redeemed: int = 0

    @property
    def left(self) -> int:
        """What is still to be paid in money."""
        return self.line.sum - self.discount - self.redeemed

    @property
    def room(self) -> int:
        """How much of it may still go, above the line's minimum price."""
        return max(0, self.left - self.line.minimum)

    @property
    def rank(self) -> tuple[object, ...]:
        """Its place among lines with equal remainders."""
        line = self.line
        flags = (line.promo, line.no_earn, line.no_redeem, line.no_discount)
        return (line.sku, line.sum, line.quantity, line.minimum, flags)

    def discounted(self, amount: int) -> Position:
        """Return it with so much more discount, never below its minimum price."""
        return replace(self, discount=self.discount + min(amount, self.room))

    def paid_with_points(self, amount: int) -> Position:
        """Return it with so much more of it paid with points."""
        return replace(self, redeemed=self.redeemed + amount)


def positions(programme: Programme, lines: Sequence[Line]) -> tuple[Position, ...]:
    """Return the lines with what the law, the programme and their own flags let us do."""
    return tuple(_position(programme, line) for line in lines)


def spread(amount: int, rows: Sequence[Position]) -> tuple[int, ...]:
    """Share an amount over the lines by what is left of each, within the room of each."""
    return share(amount, [Portion(row.left, row.room, row.rank) for row in rows])


def _position(programme: Programme, line: Line) -> Position:
    law = programme.header.law
    categories = _plain(line.categories)
    legal = not categories & _FORBIDDEN[law]
    # A law forbids by category, so nothing may be given on a line that has none: nobody knows what it is.
    sorted_out = legal and (bool(categories) or law == "none")
    redeem = programme.redeem
    return Position(
        line=line,
        may_discount=sorted_out and not line.no_discount and not _hit(programme.discount.exclude, categories, line),
        may_redeem=sorted_out
        and not line.no_redeem
        and redeem is not None
        and not _hit(redeem.exclude, categories, line),
        may_earn=legal and not line.no_earn and not _hit(programme.earn.exclude, categories, line),
    )


def _hit(exclude: Exclude, categories: frozenset[str], line: Line) -> bool:
    return bool(categories & _plain(exclude.categories)) or (exclude.promo and line.promo)


def _plain(categories: Sequence[str]) -> frozenset[str]:
    return frozenset(category.strip().casefold() for category in categories if category.strip())
