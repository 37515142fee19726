"""Step 5: points earned on money paid: one exact sum over the receipt, rounded down once; then multipliers, fixed points.

A multiplier makes a line's money count several times before rates or steps are counted; only the best of a line
counts. Fixed points of offers come on top. Whatever shuts earning shuts all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.money import BASIS
from loyalty.programme import Programme
from loyalty.rules.conditions import Facts
from loyalty.rules.customer import Customer
from loyalty.rules.plan import GroupPlan, OfferPlan, Plan
from loyalty.rules.sheet import Sheet
from loyalty.rules.won import Won


@dataclass(frozen=True, slots=True)
class Rate:
    """So many basis points of the money paid."""

    basis_points: int

    def points(self, plan: Plan, weighted: int) -> int:
        """Return the points of money that is weighted in basis points."""
        return weighted * self.basis_points // (BASIS * BASIS * plan.unit_value)

    @property
    def earns(self) -> bool:
        """False where nothing can come of it."""
        return self.basis_points > 0


@dataclass(frozen=True, slots=True)
class Steps:
    """Whole points for each full step of the money paid."""

    step: int
    each: int

    def points(self, plan: Plan, weighted: int) -> int:
        """Return the points of money that is weighted in basis points."""
        return weighted // (self.step * BASIS) * self.each * plan.units_per_point

    @property
    def earns(self) -> bool:
        """False where nothing can come of it."""
        return self.each > 0


@dataclass(frozen=True, slots=True)
class Earning:
    """What a receipt earns, on which money, by which terms and offers; or the reason for nothing (a key of texts)."""

    points: int
    base: int
    paid: int
    terms: Rate | Steps
    won: tuple[Won, ...] = ()
    reason: str | None = None


def earn(plan: Plan, facts: Facts, sheet: Sheet) -> Earning:
    """Return what these lines, as they are paid now, earn for this customer."""
    terms = _terms(plan.programme, facts.customer)
    paid, pay = sheet.paid(sheet.earning), sum(sheet.left)
    reason = _shut(plan.programme, facts.customer, pay)
    if reason is not None:
        return Earning(0, 0, paid, terms, reason=reason)
    base = terms.points(plan, paid * BASIS)
    won = _Offers(plan, facts, sheet, terms, paid).winners() if plan.points else []
    points = base + sum(each.points for each in won)
    excluded = "excluded" if not points and pay > paid == 0 else None
    return Earning(points, base, paid, terms, tuple(won), excluded)


def _terms(programme: Programme, customer: Customer) -> Rate | Steps:
    rules, tier = programme.earn, customer.tier
    if rules.first_purchase_rate_bp is not None and customer.first_purchase:
        return Rate(rules.first_purchase_rate_bp)
    if rules.step is not None and rules.points_per_step is not None:
        own = tier.points_per_step if tier is not None else None
        return Steps(rules.step, rules.points_per_step if own is None else own)
    own = tier.earn_rate_bp if tier is not None else None
    return Rate((rules.rate_bp or 0) if own is None else own)


def _shut(programme: Programme, customer: Customer, pay: int) -> str | None:
    rules = programme.earn
    if not customer.consents:
        return "consent"
    receipts = customer.state.counters.earnings.get("day", 0)
    if rules.max_receipts_per_day is not None and receipts >= rules.max_receipts_per_day:
        return "day"
    return "minimum" if pay < rules.minimum_paid else None


class _Offers:
    """The offers of points, group by group; a multiplier owns the lines on which it is the best."""

    def __init__(self, plan: Plan, facts: Facts, sheet: Sheet, terms: Rate | Steps, paid: int) -> None:
        self._plan, self._facts, self._sheet, self._terms = plan, facts, sheet, terms
        self._times = [BASIS] * len(sheet.lines)
        self._owner: dict[int, str] = {}
        self._weighted = paid * BASIS

    def winners(self) -> list[Won]:
        """Return what won, in the order of groups."""
        chosen = [offer for group in self._plan.points for offer in self._best(group)]
        owners = set(self._owner.values())
        weighted = before = self._sheet.paid(self._sheet.earning) * BASIS
        times = [BASIS] * len(self._times)
        won = []
        for offer in chosen:
            if offer.offer.give.multiply_bp is None:
                won.append(Won(offer.id, offer, points=self._fixed(offer)))
            elif offer.id in owners:
                weighted += self._extra(offer, times)
                for number in self._lines(offer):
                    times[number] = max(times[number], offer.offer.give.multiply_bp)
                won.append(Won(offer.id, offer, points=self._points(weighted) - self._points(before)))
                before = weighted
        return won

    def _best(self, group: GroupPlan) -> list[OfferPlan]:
        able = [offer for offer in group.holding(self._facts) if self._can_gain(offer)]
        best = max(able, key=self._gain) if len(able) > 1 else able[0] if able else None
        if best is None:
            return []
        times = best.offer.give.multiply_bp
        if times is not None:
            self._weighted += self._extra(best, self._times)
            for number in self._lines(best):
                if self._times[number] < times and self._sheet.left[number]:
                    self._times[number], self._owner[number] = times, best.id
        return [best]

    def _can_gain(self, offer: OfferPlan) -> bool:
        if offer.offer.give.multiply_bp is None:
            return bool(self._lines(offer)) and self._fixed(offer) > 0
        return self._terms.earns and self._extra(offer, self._times) > 0

    def _gain(self, offer: OfferPlan) -> int:
        if offer.offer.give.multiply_bp is None:
            return self._fixed(offer)
        return self._points(self._weighted + self._extra(offer, self._times)) - self._points(self._weighted)

    def _fixed(self, offer: OfferPlan) -> int:
        return (offer.offer.give.points or 0) * self._plan.units_per_point

    def _extra(self, offer: OfferPlan, times: list[int]) -> int:
        """By how much an offer of a multiplier raises the weighted money."""
        own, left = offer.offer.give.multiply_bp or 0, self._sheet.left
        return sum([left[number] * (own - times[number]) for number in self._lines(offer) if own > times[number]])

    def _lines(self, offer: OfferPlan) -> list[int]:
        return self._sheet.chosen(offer.bits, "earning")

    def _points(self, weighted: int) -> int:
        return self._terms.points(self._plan, weighted)
