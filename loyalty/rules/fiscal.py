"""Fiscal lines: what a registrar is told, price x quantity for each line, exact to one minor unit.

A registrar refuses a line whose sum differs from price x quantity by more than one minor unit. Where no unit price fits
the money paid, the line is split in two whose prices differ by one; so every minor unit finds its place. One unit is
never split, which is how marked goods need it.
"""

from __future__ import annotations

from collections.abc import Sequence

from loyalty.money import half_up
from loyalty.quote import FiscalLine, Line
from loyalty.rules.sheet import WHOLE


def fiscal_lines(lines: Sequence[Line], paid: Sequence[int]) -> tuple[FiscalLine, ...]:
    """Return the lines with the money that was paid for each."""
    return tuple(part for number, line in enumerate(lines) for part in _parts(number, line.quantity, paid[number]))


def _parts(number: int, quantity: int, paid: int) -> tuple[FiscalLine, ...]:
    price = half_up(paid * WHOLE, quantity)
    if abs(price * quantity - paid * WHOLE) <= WHOLE:
        return (FiscalLine(number, price, quantity, paid),)
    low, dearer = divmod(paid * WHOLE, quantity)
    dear = half_up((low + 1) * dearer, WHOLE)
    return FiscalLine(number, low, quantity - dearer, paid - dear), FiscalLine(number, low + 1, dearer, dear)
