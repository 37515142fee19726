"""Stamp cards: "five procedures, the sixth free", over any number of receipts.

Every unit that is paid for is a stamp, and those of this receipt count at once. A gift costs `buy` stamps and is given
only when its units are in the receipt; until then the stamps wait, also above `buy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from loyalty.sections import StampCard


class Stamped(NamedTuple):
    """How many units are free now, and the stamps afterwards."""

    free: int
    after: int


def settle(card: StampCard, before: int, units: int, may_be_free: int) -> Stamped:
    """Return what a card with `before` stamps gives on a receipt with so many units, of which some may be free."""
    gifts = max(0, min(may_be_free // card.free, (before + units) // (card.buy + card.free)))
    free = gifts * card.free
    return Stamped(free, before + units - free - gifts * card.buy)


def moved(now: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return a member's cards after a receipt that took them from `before` to `after`, whatever others did meanwhile.

    A card may go below nothing: two tills without a connection have both given the free unit.
    """
    return {**now, **{card: now.get(card, 0) + count - before.get(card, 0) for card, count in after.items()}}
