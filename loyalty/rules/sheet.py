"""Step 1: the lines of a receipt, what may be done to each, and what is left of each on the way through the engine.

A sheet is the engine's working paper for one quote: steps write on it, and nobody keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from loyalty.money import order_of_fraction, share
from loyalty.quote import Line
from loyalty.rules.plan import EVERY, Plan, plain

WHOLE = 1000
"""Thousandths in one unit."""


class Sheet:
    """Lists over the lines: what each is (`bits`), what is `left` to pay of it, how much of that may go (`room`).

    `legal`, `discountable`, `payable`, `earning` are the numbers of the lines that a step may touch.
    """

    __slots__ = (
        "_by_price", "_chosen", "_ranks", "bits", "discountable", "earning", "gross", "left", "legal", "lines", "payable",
        "room",
    )  # fmt: skip

    def __init__(self, plan: Plan, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.left = [line.sum for line in lines]
        self.gross = sum(self.left)
        self.room = [max(0, line.sum - line.minimum) for line in lines]
        self.bits = [_bits(plan, line) for line in lines]
        self.legal = [number for number, bits in enumerate(self.bits) if not bits & plan.law]
        known = self.legal
        if plan.needs_category:
            # A law forbids by category, so nothing may be given on a line that has none: nobody knows what it is.
            known = [number for number in known if any(map(str.strip, lines[number].categories))]
        self.discountable = self._allowed(known, plan.no_discount, plan.discount_promo, "no_discount")
        self.payable = self._allowed(known, plan.no_redeem, plan.redeem_promo, "no_redeem")
        self.earning = self._allowed(self.legal, plan.no_earn, plan.earn_promo, "no_earn")
        self._chosen: dict[tuple[str, int], list[int]] = {}
        self._ranks: list[int] | None = None
        self._by_price: list[int] | None = None

    def _allowed(self, among: list[int], excluded: int, no_promo: bool, flag: str) -> list[int]:
        lines, bits = self.lines, self.bits
        return [
            number
            for number in among
            if not (bits[number] & excluded or getattr(lines[number], flag) or (no_promo and lines[number].promo))
        ]

    def chosen(self, bits: int, among: str) -> list[int]:
        """Return the lines of a rule (its `bits`) that are also in the list of that name."""
        base: list[int] = getattr(self, among)
        if bits == EVERY:
            return base
        found = self._chosen.get((among, bits))
        if found is None:
            own = self.bits
            found = self._chosen[among, bits] = [number for number in base if own[number] & bits]
        return found

    def ranks(self) -> list[int]:
        """Return the place of each line among equals: smaller sku, sum, quantity, minimum, flags, then earlier."""
        if self._ranks is None:
            keys = [_key(line) for line in self.lines]
            self._ranks = [0] * len(keys)
            for rank, number in enumerate(sorted(range(len(keys)), key=keys.__getitem__)):
                self._ranks[number] = rank
        return self._ranks

    def by_price(self) -> list[int]:
        """Return all lines by what one unit costs, the dearest first; of equal ones the smaller rank first."""
        if self._by_price is None:
            ranks, lines = self.ranks(), self.lines
            self._by_price = sorted(
                range(len(lines)),
                key=lambda number: (-order_of_fraction(lines[number].sum, lines[number].quantity), ranks[number]),
            )
        return self._by_price

    def ranks_of(self, numbers: list[int]) -> list[int]:
        """Return the ranks of these lines, in their order."""
        ranks = self.ranks()
        return [ranks[number] for number in numbers]

    def spread(self, amount: int, numbers: list[int]) -> list[int]:
        """Share an amount over these lines by what is left of each, within the room of each."""
        left, room = self.left, self.room
        weights, rooms = [left[number] for number in numbers], [room[number] for number in numbers]
        return share(amount, weights, rooms, lambda: self.ranks_of(numbers))

    def paid(self, numbers: Iterable[int]) -> int:
        """Return the money that is left to pay for these lines."""
        left = self.left
        return sum([left[number] for number in numbers])

    def take(self, shares: Mapping[int, int]) -> None:
        """Take so much off each line; never more than its room."""
        left, room = self.left, self.room
        for number, amount in shares.items():
            left[number] -= amount
            room[number] -= amount


def _bits(plan: Plan, line: Line) -> int:
    bits, categories = plan.every_line | plan.skus.get(line.sku, 0), plan.categories
    for category in line.categories:
        found = categories.get(category)
        bits |= categories.get(plain(category), 0) if found is None else found
    return bits


def _key(line: Line) -> tuple[object, ...]:
    flags = (line.promo, line.no_earn, line.no_redeem, line.no_discount)
    return (line.sku, line.sum, line.quantity, line.minimum, flags)
