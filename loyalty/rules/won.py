"""A rule that gave something on this receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loyalty.rules.plan import OfferPlan


@dataclass(frozen=True, slots=True)
class Won:
    """The rule (an offer, a stamp card, `tier`, `earn`) and what it gave: money off, points, units or things."""

    rule: str
    offer: OfferPlan | None = None
    money: int = 0
    points: int = 0
    count: int = 0
