"""Step 7, things: gifts to hand over, coupons and one-time codes to print, prompts. They cost no line anything."""

from __future__ import annotations

from loyalty.quote import Gift, Slip
from loyalty.rules.conditions import Facts
from loyalty.rules.plan import OfferPlan, Plan
from loyalty.rules.sheet import Sheet
from loyalty.rules.won import Won


def things(plan: Plan, facts: Facts, sheet: Sheet) -> list[Won]:
    """Return the things that are given, in the order of groups; `count` is how many. Lines of the law count for none."""
    won = []
    for group in plan.things:
        counts = [(_count(offer, sheet), offer) for offer in group.holding(facts)]
        count, best = max(counts, key=lambda each: each[0], default=(0, None))
        if best is not None and count:
            won.append(Won(best.id, best, count=count))
    return won


def gifts(won: list[Won]) -> tuple[Gift, ...]:
    """Return the gifts among them."""
    return tuple(
        Gift(each.rule, each.offer.offer.give.gift.what, each.count)
        for each in won
        if each.offer is not None and each.offer.offer.give.gift is not None
    )


def slips(won: list[Won]) -> tuple[Slip, ...]:
    """Return the coupons and codes among them."""
    return tuple(slip for each in won if each.offer is not None for slip in _slip(each.offer))


def _slip(offer: OfferPlan) -> list[Slip]:
    give = offer.offer.give
    if give.coupon is not None:
        return [Slip("coupon", give.coupon.offer, give.coupon.valid_days)]
    return [Slip(give.slip, offer.id)] if give.slip is not None else []


def _count(offer: OfferPlan, sheet: Sheet) -> int:
    lines, gift = sheet.chosen(offer.bits, "legal"), offer.offer.give.gift
    if gift is None or gift.for_each is None:
        return int(bool(lines))
    return sum(sheet.lines[number].sum for number in lines) // gift.for_each
