"""The engine: what a receipt costs, earns and may be paid with. Pure, total, deterministic; the same on till and server.

The order is always the same, and each step only sees what the steps before it have settled:

    0 validate  1 flags, law, minimum prices  2 line offers  3 discounts  4 most that points may pay
    5 earning on money paid  6 counters and tier for the next purchase  7 why and what to say

Steps 2 and the offers of step 3 have no rules in the document yet; their fields in the quote are empty.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from loyalty import counters
from loyalty.programme import Programme, Tier
from loyalty.quote import Basket, Counters, MemberState, Quote, Refusal, ToNextTier
from loyalty.rules import redemption, tiers, validation, wording
from loyalty.rules.customer import Customer, recognise
from loyalty.rules.discounts import tier_discount
from loyalty.rules.earning import Earning, earn
from loyalty.rules.positions import Position, positions
from loyalty.rules.redemption import Limit


def quote(
    programme: Programme,
    member: MemberState | None,
    basket: Basket,
    at: datetime,
    redeem: int | Literal["max"],
    offline: bool,
) -> Quote | Refusal:
    """Return the quote for a receipt at that time, or a typed refusal; never raises on what a till can send.

    `member` None is a receipt without a card: `earned` is then what a newcomer's card would have earned. `redeem` is
    a number of points or "max"; more than may be used is refused with the most. `offline` says that the server was not
    asked, so the programme's offline policy holds.
    """
    refused = validation.check(member, basket, at, redeem)
    if refused is not None:
        return refused
    customer = recognise(programme, member, programme.day(at))
    rows = tier_discount(customer, positions(programme, basket.lines))
    limit = redemption.most(programme, customer, rows, at, offline=offline)
    redeemed = limit.points if redeem == "max" else redeem
    refused = redemption.refuse(programme, redeemed, limit)
    if refused is not None:
        return refused
    rows = redemption.spend(programme, rows, redeemed)
    return _settle(programme, customer, rows, limit, redeemed)


def _settle(programme: Programme, customer: Customer, rows: tuple[Position, ...], limit: Limit, redeemed: int) -> Quote:
    earning = earn(programme, customer, rows)
    pay = sum(row.left for row in rows)
    tier_after, to_next = _next_purchase(programme, customer, pay, redeemed, earning)
    discount = sum(row.discount for row in rows)
    outcome = wording.Outcome(customer, discount, limit, redeemed, pay, earning, tier_after, to_next)
    held = customer.held
    return Quote(
        total=sum(row.line.sum for row in rows),
        discount=discount,
        line_discounts=tuple(row.discount for row in rows),
        max_redeem=limit.points,
        redeemed=redeemed,
        line_redeemed=tuple(row.redeemed for row in rows),
        pay=pay,
        earned=earning.points,
        balance_after=customer.state.balance - redeemed + earning.points,
        tier=held.id if held is not None else None,
        tier_after=tier_after.id if tier_after is not None else None,
        to_next_tier=to_next,
        stamps_after=customer.state.stamps,
        free_units={},
        gifts=(),
        slips=(),
        coupons_used=(),
        why=wording.explain(programme, outcome),
        prompt=wording.prompt(programme, outcome),
        programme_revision=programme.header.revision,
        engine=programme.header.engine,
    )


def _next_purchase(
    programme: Programme, customer: Customer, pay: int, redeemed: int, earning: Earning
) -> tuple[Tier | None, ToNextTier | None]:
    """Step 6. Of a card that is only recognised nothing is known, and a withdrawn consent counts nothing."""
    if not (customer.known and customer.consents):
        return customer.held, None
    receipt = counters.Receipt(pay, earning.points, redeemed)
    after = counters.counted(customer.state.counters, customer.day, receipt)
    tier = tiers.held(programme, _with(customer.state, after), customer.day)
    return tier, tiers.to_next(programme, tier, after)


def _with(state: MemberState, after: Counters) -> MemberState:
    return MemberState(membership=state.membership, counters=after)
