"""Integer arithmetic of money and points: rounding and sharing, each in one place.

Money is minor units, a rate is basis points. Money rounds half up, points and limits round down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

BASIS = 10_000
"""Basis points in a whole."""

_OTHER_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class Portion(NamedTuple):
    """One line's claim on a shared amount: its weight, the most it can take, and its place among equals."""

    weight: int
    room: int
    rank: Any = ()


def half_up(numerator: int, denominator: int) -> int:
    """Return numerator / denominator (> 0) rounded to the nearest whole, a half towards plus infinity."""
    return (2 * numerator + denominator) // (2 * denominator)


def share_of(amount: int, basis_points: int) -> int:
    """Return that rate of a sum of money, half up."""
    return half_up(amount * basis_points, BASIS)


def exponent(currency: str) -> int:
    """Return how many digits the minor unit of a currency has (ISO 4217)."""
    return _OTHER_EXPONENTS.get(currency, 2)


def share(amount: int, portions: Sequence[Portion]) -> tuple[int, ...]:
    """Share `amount` by weight, with largest remainder; nobody gets more than his room, the rest takes over.

    Equal remainders go to the smaller rank, then to the earlier portion. The shares sum to `amount`, or to all the
    room there is. A portion without weight gets nothing.
    """
    shares = [0] * len(portions)
    active = [number for number, each in enumerate(portions) if each.weight > 0 and each.room > 0]
    left = min(amount, sum(portions[number].room for number in active))
    while active:
        weights = sum(portions[number].weight for number in active)
        full = {number for number in active if left * portions[number].weight >= portions[number].room * weights}
        if not full:
            break
        for number in full:
            shares[number] = portions[number].room
        left -= sum(portions[number].room for number in full)
        active = [number for number in active if number not in full]
    for number, part in _largest_remainder(left, active, portions):
        shares[number] = part
    return tuple(shares)


def _largest_remainder(left: int, active: list[int], portions: Sequence[Portion]) -> list[tuple[int, int]]:
    weights = sum(portions[number].weight for number in active)
    parts = {number: left * portions[number].weight // weights for number in active}
    by_remainder = sorted(
        active,
        key=lambda number: (-(left * portions[number].weight % weights), portions[number].rank, number),
    )
    for number in by_remainder[: left - sum(parts.values())]:
        parts[number] += 1
    return list(parts.items())
