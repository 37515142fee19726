"""The engine: what a receipt costs, earns and may be paid with. Pure, total, deterministic; the same on till and server.

The order is always the same, and each step only sees what the steps before it have settled:

    0 validate  1 flags, law, minimum prices  2 line offers  3 discounts  4 most that points may pay
    5 earning on money paid  6 counters and tier for the next purchase  7 why, what to say, slips, fiscal lines
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec

from loyalty import counters, ledger
from loyalty.programme import Programme
from loyalty.quote import Basket, FiscalLine, Line, MemberState, Quote, Refusal, ToNextTier
from loyalty.rules import redemption, things, tiers, validation, wording
from loyalty.rules.conditions import Facts
from loyalty.rules.customer import recognise
from loyalty.rules.earning import Earning, earn
from loyalty.rules.fiscal import fiscal_lines
from loyalty.rules.plan import Plan
from loyalty.rules.redemption import Limit
from loyalty.rules.reductions import Reductions, reduce
from loyalty.rules.sheet import Sheet
from loyalty.rules.won import Won
from loyalty.sections import Tier


def quote(
    programme: Programme,
    member: MemberState | None,
    basket: Basket,
    at: datetime,
    redeem: int | Literal["max"],
    offline: bool,
    store: str = "",
) -> Quote | Refusal:
    """Return the quote for a receipt at that time, or a typed refusal; never raises on what a till can send.

    `member` None is a receipt without a card: `earned` is then what a card would have earned. `redeem` is
    a number of points or "max"; more than may be used is refused with the most. `offline` says that the server was not
    asked, so the programme's offline policy holds. `store` is the shop, for offers of some shops only.
    """
    refused = validation.check(member, basket, at, redeem)
    if refused is not None:
        return refused
    plan = programme.plan
    sheet = Sheet(plan, basket.lines)
    facts = facts_of(plan, member, sheet, at, store)
    reductions = reduce(plan, facts, sheet)
    discounts = tuple([line.sum - left for line, left in zip(basket.lines, sheet.left, strict=True)])
    limit = redemption.most(plan, facts.customer, sheet, at, offline=offline)
    redeemed = limit.points if redeem == "max" else redeem
    refused = redemption.refuse(plan, redeemed, limit)
    if refused is not None:
        return refused
    payment = _Payment(discounts, limit, redeemed, redemption.spend(plan, sheet, redeemed))
    return _settle(plan, facts, sheet, reductions, payment)


def facts_of(plan: Plan, member: MemberState | None, sheet: Sheet, at: datetime, store: str) -> Facts:
    """Return what the conditions of offers ask about."""
    local = at.astimezone(plan.zone)
    bits = 0
    for each in sheet.bits:
        bits |= each
    return Facts(recognise(plan.programme, member, local.date()), at.astimezone(UTC), local, store, sheet.gross, bits)


class _Payment(NamedTuple):
    discounts: tuple[int, ...]
    limit: Limit
    redeemed: int
    lines: tuple[int, ...]


def _settle(plan: Plan, facts: Facts, sheet: Sheet, reductions: Reductions, payment: _Payment) -> Quote:
    customer, programme = facts.customer, plan.programme
    earning = earn(plan, facts, sheet)
    given = things.things(plan, facts, sheet)
    pay = sum(sheet.left)
    tier_after, to_next = _next_purchase(plan, facts, pay, payment.redeemed, earning)
    won = (*reductions.won, *earning.won, *given)
    outcome = wording.Outcome(
        customer, reductions.won, payment.limit, payment.redeemed, pay, earning, given, _balance(facts, payment, earning),
        tier_after, to_next,
    )  # fmt: skip
    held = customer.held
    return Quote(
        total=sheet.gross,
        discount=sum(payment.discounts),
        line_discounts=payment.discounts,
        max_redeem=payment.limit.points,
        redeemed=payment.redeemed,
        line_redeemed=payment.lines,
        pay=pay,
        earned=earning.points,
        balance_after=outcome.balance,
        tier=held.id if held is not None else None,
        tier_after=tier_after.id if tier_after is not None else None,
        to_next_tier=to_next,
        stamps_after=reductions.stamps_after,
        free_units=reductions.free_units,
        gifts=things.gifts(given),
        slips=things.slips(given),
        coupons_used=_coupons(won),
        why=wording.explain(plan, outcome),
        prompt=wording.prompt(plan, outcome),
        programme_revision=programme.header.revision,
        engine=programme.header.engine,
        fiscal_lines=_fiscal(plan, sheet.lines, sheet.left),
        lots_after=_lots_after(customer.state, payment.redeemed, facts.at),
    )


def _balance(facts: Facts, payment: _Payment, earning: Earning) -> int:
    if not facts.customer.card:
        return 0
    state = facts.customer.state
    return state.balance - ledger.dead(state.lots or (), facts.at) - payment.redeemed + earning.points


def _coupons(won: Sequence[Won]) -> tuple[str, ...]:
    """The coupons of the offers that won, each once, in the order of use."""
    codes = [each.offer.offer.when.coupon for each in won if each.offer is not None]
    return tuple(dict.fromkeys(code for code in codes if code is not None))


def _fiscal(plan: Plan, lines: Sequence[Line], paid: Sequence[int]) -> tuple[FiscalLine, ...] | msgspec.UnsetType:
    return fiscal_lines(lines, paid) if plan.programme.fiscal.lines == "unit_price" else msgspec.UNSET


def _lots_after(state: MemberState, redeemed: int, at: datetime) -> dict[str, int] | msgspec.UnsetType:
    if state.lots is None:
        return msgspec.UNSET
    lots, _ = ledger.spend(state.lots, redeemed, at)
    return {lot.id: 0 if ledger.is_dead(lot, at) else lot.points for lot in lots}


def _next_purchase(
    plan: Plan, facts: Facts, pay: int, redeemed: int, earning: Earning
) -> tuple[Tier | None, ToNextTier | None]:
    """Step 6. Of a card that is only recognised nothing is known, so nothing is said."""
    customer, programme = facts.customer, plan.programme
    if not (customer.known and programme.tiers):
        return customer.held, None
    receipt = counters.Receipt(pay, earning.points, redeemed)
    after = counters.counted(customer.state.counters, customer.day, receipt)
    state = MemberState(membership=customer.state.membership, counters=after)
    tier = tiers.held(programme, state, customer.day)
    return tier, tiers.to_next(programme, tier, state, customer.day)
