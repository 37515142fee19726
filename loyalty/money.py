"""Integer arithmetic of money and points: rounding and sharing, each in one place.

Money is minor units, a rate is basis points. Money rounds half up, points and limits round down. A sum that is shared
over lines goes by largest remainder: every line gets its exact part rounded down, and the units that are missing go to
the largest remainders, of equal ones to the smaller rank, then to the earlier line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

BASIS = 10_000
"""Basis points in a whole."""

_FINE = 10**24
"""Tells any two different fractions apart whose parts are up to 10**12."""

_OTHER_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}

Ranks = Callable[[], Sequence[int]]
"""Asks for the rank of each part; only called when remainders are equal, because it may be dear."""


def half_up(numerator: int, denominator: int) -> int:
    """Return numerator / denominator (> 0) rounded to the nearest whole, a half towards plus infinity."""
    return (2 * numerator + denominator) // (2 * denominator)


def exponent(currency: str) -> int:
    """Return how many digits the minor unit of a currency has (ISO 4217)."""
    return _OTHER_EXPONENTS.get(currency, 2)


def order_of_fraction(numerator: int, denominator: int) -> int:
    """Return a whole number that orders fractions exactly as their values do (parts up to 10**12)."""
    return numerator * _FINE // denominator


def in_order(count: int) -> Ranks:
    """Return ranks for parts that are equal but for their place."""
    return lambda: range(count)


def rounded(numerators: Sequence[int], denominator: int, total: int, ranks: Ranks) -> list[int]:
    """Return the exact parts `numerators / denominator` as whole numbers that sum to `total`, by largest remainder.

    `total` must be the sum of the parts rounded down, or up to one for each part with a remainder more.
    """
    parts = [numerator // denominator for numerator in numerators]
    missing = total - sum(parts)
    if missing:
        remainders = [numerator % denominator for numerator in numerators]
        for number in _largest(remainders, missing, ranks):
            parts[number] += 1
    return parts


def share(amount: int, weights: Sequence[int], rooms: Sequence[int], ranks: Ranks) -> list[int]:
    """Share `amount` by weight; no part exceeds its room (<= weight), what it cannot take goes to the others by weight.

    The parts sum to the amount, or to all the room there is.
    """
    amount = min(amount, sum(rooms))
    full = _full(amount, weights, rooms)
    if not full:
        return (
            rounded([amount * weight for weight in weights], sum(weights), amount, ranks)
            if amount
            else [0] * len(rooms)
        )
    left = amount - sum(rooms[number] for number in full)
    free = [0 if number in full else weight for number, weight in enumerate(weights)]
    parts = rounded([left * weight for weight in free], sum(free) or 1, left, ranks)
    return [rooms[number] if number in full else part for number, part in enumerate(parts)]


def _full(amount: int, weights: Sequence[int], rooms: Sequence[int]) -> set[int]:
    """The parts whose share by weight is more than their room: tightest first, each leaves more for those that stay."""
    tight = [number for number, (weight, room) in enumerate(zip(weights, rooms, strict=True)) if room < weight]
    tight.sort(key=lambda number: order_of_fraction(rooms[number], weights[number]))
    total, full = sum(weights), set()
    for number in tight:
        if amount * weights[number] <= rooms[number] * total:
            break
        full.add(number)
        amount -= rooms[number]
        total -= weights[number]
    return full


def _largest(remainders: list[int], count: int, ranks: Ranks) -> list[int]:
    """Where the `count` largest remainders stand."""
    cut = sorted(remainders, reverse=True)[count - 1]
    above = [number for number, remainder in enumerate(remainders) if remainder > cut]
    equal = [number for number, remainder in enumerate(remainders) if remainder == cut]
    wanted = count - len(above)
    if wanted < len(equal):
        rank = ranks()
        equal = sorted(equal, key=lambda number: rank[number])[:wanted]
    return above + equal
