"""Step 3: discounts. The tier's comes before all offers; a percentage that meets a line's minimum price is lost there."""

from __future__ import annotations

from loyalty.money import share_of
from loyalty.rules.customer import Customer
from loyalty.rules.positions import Position


def tier_discount(customer: Customer, rows: tuple[Position, ...]) -> tuple[Position, ...]:
    """Return the lines with the discount of the tier that the customer holds, rounded on each line."""
    rate = customer.held.discount_bp if customer.held is not None else 0
    return tuple(row.discounted(share_of(row.left, rate)) if row.may_discount else row for row in rows)
