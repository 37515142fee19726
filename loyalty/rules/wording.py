"""Step 7: what the cashier may say, and why the quote is as it is. Sentences only; every number was settled before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from loyalty.i18n import Language, Param, counted, money, named, percent, points, text, texts
from loyalty.programme import Programme, Tier
from loyalty.quote import Texts, ToNextTier, Why
from loyalty.rules.customer import Customer
from loyalty.rules.earning import Earning, Rate
from loyalty.rules.redemption import Limit, money_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the steps before have settled."""

    customer: Customer
    discount: int
    limit: Limit
    redeemed: int
    pay: int
    earning: Earning
    tier_after: Tier | None
    to_next: ToNextTier | None


def explain(programme: Programme, outcome: Outcome) -> tuple[Why, ...]:
    """Return one line for each rule that gave something, or that kept back what the customer may ask about."""
    return tuple(_reasons(programme, outcome))


def prompt(programme: Programme, outcome: Outcome) -> Texts:
    """Return the one thing worth saying on this receipt."""
    words = _Words(programme)
    customer, earned = outcome.customer, outcome.earning.points
    if not customer.card:
        return texts("prompt.no_card", points=words.points(earned)) if earned else texts("prompt.no_card_nothing")
    if not customer.consents:
        return texts("prompt.withdrawn")
    if not customer.known:
        return texts("prompt.unknown", points=words.points(earned))
    return _to_member(words, outcome)


def _to_member(words: _Words, outcome: Outcome) -> Texts:
    earned = outcome.earning.points
    if outcome.tier_after is not None and outcome.tier_after != outcome.customer.tier:
        return texts("prompt.new_tier", tier=words.tier(outcome.tier_after))
    if outcome.redeemed:
        spent, pay = words.points(outcome.redeemed), words.money(outcome.pay)
        return texts("prompt.redeemed", points=spent, money=pay)
    if outcome.limit.points:
        worth = words.money(money_of(words.programme.header, outcome.limit.points))
        return texts("prompt.may_pay", points=words.points(outcome.limit.points), money=worth)
    if not earned:
        return texts("prompt.nothing")
    if outcome.to_next is None:
        return texts("prompt.earn", points=words.points(earned))
    tier, missing = words.next_tier(outcome.to_next), partial(words.missing, outcome.to_next)
    return texts("prompt.earn_to_next", points=words.points(earned), tier=tier, missing=missing)


def _reasons(programme: Programme, outcome: Outcome) -> Iterator[Why]:
    words = _Words(programme)
    held, earning, limit = outcome.customer.held, outcome.earning, outcome.limit
    if outcome.discount and held is not None:
        rate = partial(percent, held.discount_bp)
        said = texts("why.tier_discount", tier=words.tier(held), rate=rate)
        yield Why(rule="tier", money=-outcome.discount, text=said)
    if not limit.points and outcome.customer.state.balance > 0 and limit.reason != "none":
        yield Why(rule="redeem", points=0, text=words.kept_back(limit.reason))
    if earning.points:
        yield Why(rule="earn", points=earning.points, text=words.earned(earning))
    elif earning.reason is not None:
        yield Why(rule="earn", points=0, text=words.not_earned(earning.reason))


@dataclass(frozen=True, slots=True)
class _Words:
    """The programme's money, points and names as words."""

    programme: Programme

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

    def earned(self, earning: Earning) -> Texts:
        gained, paid = self.points(earning.points), self.money(earning.paid)
        if isinstance(earning.terms, Rate):
            rate = partial(percent, earning.terms.basis_points)
            return texts("why.earn_rate", rate=rate, money=paid, points=gained)
        scale = 10**self.programme.header.point_decimals
        each, step = self.points(earning.terms.each * scale), self.money(earning.terms.step)
        return texts("why.earn_steps", each=each, step=step, money=paid, points=gained)

    def not_earned(self, reason: str) -> Texts:
        return texts(f"why.earn_{reason}", money=self.money(self.programme.earn.minimum_paid))

    def kept_back(self, reason: str) -> Texts:
        redeem = self.programme.redeem
        balance, receipt = (redeem.minimum_balance, redeem.minimum_receipt) if redeem is not None else (0, 0)
        return texts(f"why.redeem_{reason}", points=self.points(balance), money=self.money(receipt))
