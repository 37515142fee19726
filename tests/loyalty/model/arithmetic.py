"""Rounding and sharing: exact fractions, rounded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

Json = dict[str, Any]
Key = tuple[str, int, int, int, tuple[bool, bool, bool, bool]]


def half_up(number: Fraction) -> int:
    """ "Money rounds half up to the minor unit." """
    return math.floor(number + Fraction(1, 2))


def down(number: Fraction) -> int:
    """ "Points, caps and free units round down." """
    return math.floor(number)


def tie_key(line: Json) -> Key:
    """ "ties to the smaller (sku, sum, quantity, minimum, flags)" """
    flags = tuple(bool(line.get(flag, False)) for flag in ("promo", "no_earn", "no_redeem", "no_discount"))
    promo, no_earn, no_redeem, no_discount = flags
    return (
        line.get("sku", ""),
        line["sum"],
        line.get("quantity", 1000),
        line.get("minimum", 0),
        (promo, no_earn, no_redeem, no_discount),
    )


def largest_remainder(exact: Sequence[Fraction], total: int, lines: Sequence[Json]) -> list[int]:
    """ "Shares over lines go by largest remainder, ties to the smaller (sku, ...), then to the earlier line *" """
    shares = [down(part) for part in exact]
    missing = total - sum(shares)
    turn = sorted(range(len(exact)), key=lambda i: (-(exact[i] - shares[i]), tie_key(lines[i]), i))
    for i in turn[:missing]:
        shares[i] += 1
    return shares


def share(amount: int, weights: Sequence[int], rooms: Sequence[int], lines: Sequence[Json]) -> list[int]:
    """ "... and never push a line below zero or below its `minimum`": a line that is full leaves, the others share on."""
    full: dict[int, int] = {}
    while True:
        rest = Fraction(amount - sum(full.values()))
        weight = sum(weights[i] for i in range(len(lines)) if i not in full)
        exact = [
            Fraction(full[i]) if i in full else (rest * weights[i] / weight if weight else Fraction(0))
            for i in range(len(lines))
        ]
        over = [i for i in range(len(lines)) if exact[i] > rooms[i]]
        if not over:
            return largest_remainder(exact, amount, lines)
        for i in over:
            full[i] = rooms[i]
