"""Fiscal lines: price x quantity, as a fiscal registrar wants it."""

from __future__ import annotations

from fractions import Fraction

from .arithmetic import Json, down, half_up
from .lines import quantity


def near(price: int, amount: int, money: int) -> bool:
    """ "refuse a sum that differs by more than one minor unit" """
    return abs(Fraction(price * amount, 1000) - money) <= 1


def split(amount: int, money: int) -> list[Json]:
    """ "(unit price, quantity, sum; lines split where needed, marked goods keep quantity 1), each exact to one kopeck" """
    price = half_up(Fraction(1000 * money, amount))
    if near(price, amount, money):
        return [{"price": price, "quantity": amount, "sum": money}]
    low = down(Fraction(1000 * money, amount))
    over = money - Fraction(low * amount, 1000)  # kopecks above the low price: one for each unit at the high price
    high = half_up(1000 * over)
    dear = half_up(Fraction((low + 1) * high, 1000))
    return [
        {"price": low, "quantity": amount - high, "sum": money - dear},
        {"price": low + 1, "quantity": high, "sum": dear},
    ]


def fiscal_lines(lines: list[Json], money: list[int]) -> list[Json]:
    """ "The quote then adds `fiscal_lines`": line by line what is to be paid in money."""
    return [{"line": i, **part} for i, line in enumerate(lines) for part in split(quantity(line), money[i])]
