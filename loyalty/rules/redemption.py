"""Step 4: the most that points may pay, why it is not more, and how a payment with points lies on the lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import NamedTuple

from loyalty import ledger
from loyalty.i18n import points
from loyalty.money import BASIS
from loyalty.quote import Refusal
from loyalty.rules.customer import Customer
from loyalty.rules.plan import Plan
from loyalty.rules.sheet import Sheet
from loyalty.rules.validation import refusal
from loyalty.sections import Offline, Redeem


class Limit(NamedTuple):
    """So many points at most, and the reason (a key `why.redeem_<reason>`)."""

    points: int
    reason: str


def most(plan: Plan, customer: Customer, sheet: Sheet, at: datetime, *, offline: bool) -> Limit:
    """Return the tightest limit on points for this receipt; of equal ones the first."""
    redeem = plan.programme.redeem
    if redeem is None or not customer.card:
        return Limit(0, "none")
    balance = customer.state.balance - ledger.dead(customer.state.lots or (), at)
    limits = [*_admission(redeem, customer, sheet, balance), *_amounts(plan, redeem, sheet, balance)]
    if offline:
        limits += _offline(plan, redeem.offline, customer, at)
    tightest = min(limits, key=lambda limit: limit.points)
    return tightest._replace(points=tightest.points - tightest.points % redeem.step)


def refuse(plan: Plan, asked: int, limit: Limit) -> Refusal | None:
    """Return why that many points cannot pay, with the most that can; or None."""
    decimals = plan.programme.header.point_decimals
    step = plan.programme.redeem.step if plan.programme.redeem is not None else 1
    if asked > limit.points:
        said = partial(points, limit.points, decimals)
        return refusal("redeem_above_most", "redeem", limit.points, points=said)
    if asked % step:
        return refusal("redeem_step", "redeem", limit.points, points=partial(points, step, decimals))
    return None


def spend(plan: Plan, sheet: Sheet, amount: int) -> tuple[int, ...]:
    """Lay so many points (not above `most`) on the lines that may be paid with them; return the money of each line."""
    paid = [0] * len(sheet.lines)
    if amount:
        shares = dict(zip(sheet.payable, sheet.spread(amount * plan.unit_value, sheet.payable), strict=True))
        sheet.take(shares)
        for number, share in shares.items():
            paid[number] = share
    return tuple(paid)


def _admission(redeem: Redeem, customer: Customer, sheet: Sheet, balance: int) -> Iterator[Limit]:
    """What must hold before any point may pay."""
    if not customer.consents:
        yield Limit(0, "consent")
    if not customer.known:
        yield Limit(0, "unknown")
    if balance < redeem.minimum_balance:
        yield Limit(0, "minimum_balance")
    if sheet.gross < redeem.minimum_receipt:
        yield Limit(0, "minimum_receipt")
    times = redeem.max_redemptions_per_day
    if times is not None and customer.state.counters.redemptions.get("day", 0) >= times:
        yield Limit(0, "day")


def _amounts(plan: Plan, redeem: Redeem, sheet: Sheet, balance: int) -> Iterator[Limit]:
    room = sheet.room
    yield Limit(sum([room[number] for number in sheet.payable]) // plan.unit_value, "excluded")
    yield Limit(max(0, balance), "balance")
    yield Limit(sheet.paid(sheet.payable) * redeem.cap_bp // (BASIS * plan.unit_value), "cap")
    if redeem.max_points_per_receipt is not None:
        yield Limit(redeem.max_points_per_receipt, "cap")


def _offline(plan: Plan, offline: Offline, customer: Customer, at: datetime) -> Iterator[Limit]:
    if offline.policy == "none" or customer.state.no_offline_redeem:
        yield Limit(0, "offline")
        return
    # A clock that is far off in either direction says nothing about how old the balance is.
    if customer.state.as_of is None or abs(at - customer.state.as_of) >= plan.snapshot:
        yield Limit(0, "stale")
    used = customer.state.counters.redeemed.get("day", 0)
    yield Limit(offline.max_points_per_receipt or 0, "offline")
    yield Limit(max(0, (offline.max_points_per_day or 0) - used), "day")
