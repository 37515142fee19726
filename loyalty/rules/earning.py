"""Step 5: points earned on money paid: one exact sum over the receipt, rounded down once."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.money import BASIS
from loyalty.programme import Programme
from loyalty.rules.customer import Customer
from loyalty.rules.positions import Position


@dataclass(frozen=True, slots=True)
class Rate:
    """So many basis points of the money paid."""

    basis_points: int

    def points(self, programme: Programme, paid: int) -> int:
        """Return the points, in units of 10^-point_decimals."""
        header = programme.header
        return paid * self.basis_points * int(10**header.point_decimals) // (BASIS * header.point_value)


@dataclass(frozen=True, slots=True)
class Steps:
    """Whole points for each full step of the money paid."""

    step: int
    each: int

    def points(self, programme: Programme, paid: int) -> int:
        """Return the points, in units of 10^-point_decimals."""
        return paid // self.step * self.each * int(10**programme.header.point_decimals)


@dataclass(frozen=True, slots=True)
class Earning:
    """What a receipt earns, on which money, by which terms; or the reason for nothing (a key `why.earn_<reason>`)."""

    points: int
    paid: int
    terms: Rate | Steps
    reason: str | None = None


def earn(programme: Programme, customer: Customer, rows: tuple[Position, ...]) -> Earning:
    """Return what these lines, as they are paid now, earn for this customer."""
    paid = sum(row.left for row in rows if row.may_earn)
    terms = _terms(programme, customer)
    reason = _reason(programme, customer, paid, sum(row.left for row in rows))
    return Earning(0 if reason else terms.points(programme, paid), paid, terms, reason)


def _terms(programme: Programme, customer: Customer) -> Rate | Steps:
    rules, tier = programme.earn, customer.tier
    if rules.first_purchase_rate_bp is not None and customer.first_purchase:
        return Rate(rules.first_purchase_rate_bp)
    if rules.step is not None and rules.points_per_step is not None:
        own = tier.points_per_step if tier is not None else None
        return Steps(rules.step, rules.points_per_step if own is None else own)
    own = tier.earn_rate_bp if tier is not None else None
    return Rate((rules.rate_bp or 0) if own is None else own)


def _reason(programme: Programme, customer: Customer, paid: int, pay: int) -> str | None:
    rules = programme.earn
    if not customer.consents:
        return "consent"
    receipts = customer.state.counters.earnings.get("day", 0)
    if rules.max_receipts_per_day is not None and receipts >= rules.max_receipts_per_day:
        return "day"
    if pay > paid == 0:
        return "excluded"
    return "minimum" if paid < rules.minimum_paid else None
