"""Step 7: what the cashier may say, and why the quote is as it is. Sentences only; every number was settled before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from loyalty.i18n import LANGUAGES, Language, Param, counted, money, named, percent, points, text, texts
from loyalty.programme import Programme
from loyalty.quote import Texts, ToNextTier, Why
from loyalty.rules.customer import Customer
from loyalty.rules.earning import Earning, Rate
from loyalty.rules.plan import Plan
from loyalty.rules.redemption import Limit
from loyalty.rules.won import Won
from loyalty.sections import Tier


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the steps before have settled."""

    customer: Customer
    reductions: Sequence[Won]
    limit: Limit
    redeemed: int
    pay: int
    earning: Earning
    things: Sequence[Won]
    balance: int
    tier_after: Tier | None
    to_next: ToNextTier | None


def explain(plan: Plan, outcome: Outcome) -> tuple[Why, ...]:
    """Return one line for each rule that gave money or points, in the order of acting."""
    return tuple(_reasons(plan, outcome))


def prompt(plan: Plan, outcome: Outcome) -> Texts:
    """Return the one thing worth saying on this receipt; a retailer's own line comes before ours."""
    words = _Words(plan)
    said = _retailers_line(words, outcome)
    if said is not None:
        return said
    customer, earned = outcome.customer, outcome.earning.points
    if not customer.card:
        return texts("prompt.no_card", points=words.points(earned)) if earned else texts("prompt.no_card_nothing")
    if not customer.consents:
        return texts("prompt.withdrawn")
    if not customer.known:
        return texts("prompt.unknown", points=words.points(earned))
    return _to_member(words, outcome)


def _reasons(plan: Plan, outcome: Outcome) -> Iterator[Why]:
    words, earning = _Words(plan), outcome.earning
    for won in outcome.reductions:
        if won.money:
            yield Why(rule=won.rule, money=-won.money, text=words.reduction(won, outcome.customer))
    if earning.base:
        yield Why(rule="earn", points=earning.base, text=words.earned(earning))
    multiplied = [won for won in earning.won if won.offer is not None and won.offer.offer.give.what == "multiply_bp"]
    fixed = [won for won in earning.won if won not in multiplied]
    for won in (*multiplied, *fixed):
        if won.points:
            yield Why(rule=won.rule, points=won.points, text=words.bonus(won))


def _retailers_line(words: _Words, outcome: Outcome) -> Texts | None:
    """The line of the first offer, by priority and id, that won and has one; then a gift that somebody must hand over."""
    won = [each for each in (*outcome.reductions, *outcome.earning.won, *outcome.things) if each.offer is not None]
    speaking = [(each.offer.offer.priority, each.rule, each) for each in won if each.offer and each.offer.offer.words]
    if speaking:
        return words.say(min(speaking, key=lambda each: each[:2])[2], outcome)
    for each in outcome.things:
        gift = each.offer.offer.give.gift if each.offer is not None else None
        if gift is not None:
            return texts("prompt.gift", what=gift.what, count=each.count)
    return None


def _to_member(words: _Words, outcome: Outcome) -> Texts:
    earned = outcome.earning.points
    if outcome.tier_after is not None and outcome.tier_after != outcome.customer.tier:
        return texts("prompt.new_tier", tier=words.tier(outcome.tier_after))
    if outcome.redeemed:
        spent, pay = words.points(outcome.redeemed), words.money(outcome.pay)
        return texts("prompt.redeemed", points=spent, money=pay)
    if outcome.limit.points:
        worth = words.money(outcome.limit.points * words.plan.unit_value)
        return texts("prompt.may_pay", points=words.points(outcome.limit.points), money=worth)
    if outcome.customer.state.balance > 0 and outcome.limit.reason != "none":
        return _both(words.earning(outcome), words.kept_back(outcome.limit.reason))
    if not earned or outcome.to_next is None:
        return words.earning(outcome)
    tier, missing = words.next_tier(outcome.to_next), partial(words.missing, outcome.to_next)
    return texts("prompt.earn_to_next", points=words.points(earned), tier=tier, missing=missing)


def _both(first: Texts, second: Texts) -> Texts:
    return {language: f"{first[language]} {second[language]}" for language in first}


@dataclass(frozen=True, slots=True)
class _Words:
    """The programme's money, points, names and rules as words."""

    plan: Plan

    @property
    def programme(self) -> Programme:
        return self.plan.programme

    def points(self, amount: int) -> Param:
        return partial(points, amount, self.programme.header.point_decimals)

    def money(self, minor: int) -> Param:
        return partial(money, minor, self.programme.header.currency)

    def tier(self, tier: Tier) -> Param:
        return lambda language: named(tier.name, language, tier.id)

    def next_tier(self, target: ToNextTier) -> Param:
        return self.tier(next(tier for tier in self.programme.tiers if tier.id == target.tier))

    def missing(self, target: ToNextTier, language: Language) -> str:
        parts = [counted("purchases", target.purchases, language)] if target.purchases is not None else []
        if target.turnover is not None:
            parts.append(money(target.turnover, self.programme.header.currency, language))
        return text("prompt.or", language, first=parts[0], second=parts[1]) if len(parts) > 1 else parts[0]

    def reduction(self, won: Won, customer: Customer) -> Texts:
        said = self.plan.said.get(won.rule)
        if said is not None:
            return dict(said)
        if customer.held is not None and won.rule == "tier":
            rate = partial(percent, customer.held.discount_bp)
            return texts("why.tier_discount", tier=self.tier(customer.held), rate=rate)
        names = self.plan.names[won.rule]
        return texts("why.free_units", name=names.__getitem__, units=partial(counted, "units", won.count))

    def bonus(self, won: Won) -> Texts:
        return dict(self.plan.said[won.rule])

    def earned(self, earning: Earning) -> Texts:
        gained, paid = self.points(earning.base), self.money(earning.paid)
        if isinstance(earning.terms, Rate):
            rate = partial(percent, earning.terms.basis_points)
            return texts("why.earn_rate", rate=rate, money=paid, points=gained)
        each, step = self.points(earning.terms.each * self.plan.units_per_point), self.money(earning.terms.step)
        return texts("why.earn_steps", each=each, step=step, money=paid, points=gained)

    def earning(self, outcome: Outcome) -> Texts:
        earning = outcome.earning
        if earning.points:
            return texts("prompt.earn", points=self.points(earning.points))
        if earning.reason is None:
            return texts("prompt.nothing")
        return texts(f"why.earn_{earning.reason}", money=self.money(self.programme.earn.minimum_paid))

    def kept_back(self, reason: str) -> Texts:
        redeem = self.programme.redeem
        balance, receipt = (redeem.minimum_balance, redeem.minimum_receipt) if redeem is not None else (0, 0)
        return texts(f"why.redeem_{reason}", points=self.points(balance), money=self.money(receipt))

    def say(self, won: Won, outcome: Outcome) -> Texts:
        """The retailer's line with its numbers; for a language that he left out, as it is in another."""
        offer = won.offer.offer if won.offer is not None else None
        lines = offer.words if offer is not None else {}
        coupon = offer.give.coupon if offer is not None else None
        days = coupon.valid_days if coupon is not None else None
        own = self.money(won.money) if won.money else self.points(won.points) if won.points else str(won.count)
        values: dict[str, Param] = {
            "number": own,
            "money": self.money(won.money),
            "points": self.points(won.points),
            "count": str(won.count),
            "days": partial(counted, "days", days or 0),
            "earned": self.points(outcome.earning.points),
            "pay": self.money(outcome.pay),
            "balance": self.points(max(0, outcome.balance)),
            "max_redeem": self.points(outcome.limit.points),
        }
        said: Texts = {}
        for language in LANGUAGES:
            spoken = language if lines.get(language) else next(iter(lines), language)
            words = {name: each(spoken) if callable(each) else str(each) for name, each in values.items()}
            said[language] = named(lines, language, "").format(**words)
        return said
