"""Step 4: the most that points may pay, why it is not more, and how a payment with points lies on the lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from loyalty.i18n import points
from loyalty.money import BASIS
from loyalty.programme import Header, Offline, Programme, Redeem
from loyalty.quote import Refusal
from loyalty.rules.customer import Customer
from loyalty.rules.positions import Position, spread
from loyalty.rules.validation import refusal


class Limit(NamedTuple):
    """So many points at most, and the reason (a key `why.redeem_<reason>`)."""

    points: int
    reason: str


def money_of(header: Header, amount: int) -> int:
    """Return the money that points pay, rounded down."""
    return amount * header.point_value // int(10**header.point_decimals)


def points_of(header: Header, money: int) -> int:
    """Return the points that money is worth, rounded down."""
    return money * int(10**header.point_decimals) // header.point_value


def most(programme: Programme, customer: Customer, rows: tuple[Position, ...], at: datetime, *, offline: bool) -> Limit:
    """Return the tightest limit on points for this receipt; of equal ones the first."""
    redeem = programme.redeem
    if redeem is None or not customer.card:
        return Limit(0, "none")
    limits = [*_admission(redeem, customer, rows), *_amounts(programme.header, redeem, customer, rows)]
    if offline:
        limits += _offline(redeem.offline, customer, at)
    tightest = min(limits, key=lambda limit: limit.points)
    return tightest._replace(points=tightest.points - tightest.points % redeem.step)


def refuse(programme: Programme, asked: int, limit: Limit) -> Refusal | None:
    """Return why that many points cannot pay, with the most that can; or None."""
    decimals = programme.header.point_decimals
    step = programme.redeem.step if programme.redeem is not None else 1
    if asked > limit.points:
        said = partial(points, limit.points, decimals)
        return refusal("redeem_above_most", "redeem", limit.points, points=said)
    if asked % step:
        return refusal("redeem_step", "redeem", limit.points, points=partial(points, step, decimals))
    return None


def spend(programme: Programme, rows: tuple[Position, ...], amount: int) -> tuple[Position, ...]:
    """Return the lines with so many points (not above `most`) laid on those that may be paid with them."""
    payable = [number for number, row in enumerate(rows) if row.may_redeem]
    shares = spread(money_of(programme.header, amount), [rows[number] for number in payable])
    paid = dict(zip(payable, shares, strict=True))
    return tuple(row.paid_with_points(paid.get(number, 0)) for number, row in enumerate(rows))


def _admission(redeem: Redeem, customer: Customer, rows: tuple[Position, ...]) -> Iterator[Limit]:
    """What must hold before any point may pay."""
    state = customer.state
    if not customer.consents:
        yield Limit(0, "consent")
    if not customer.known:
        yield Limit(0, "unknown")
    if state.balance < redeem.minimum_balance:
        yield Limit(0, "minimum_balance")
    if sum(row.line.sum for row in rows) < redeem.minimum_receipt:
        yield Limit(0, "minimum_receipt")
    times = redeem.max_redemptions_per_day
    if times is not None and state.counters.redemptions.get("day", 0) >= times:
        yield Limit(0, "day")


def _amounts(header: Header, redeem: Redeem, customer: Customer, rows: tuple[Position, ...]) -> Iterator[Limit]:
    payable = [row for row in rows if row.may_redeem]
    yield Limit(points_of(header, sum(row.room for row in payable)), "excluded")
    yield Limit(max(0, customer.state.balance), "balance")
    yield Limit(points_of(header, sum(row.left for row in payable) * redeem.cap_bp // BASIS), "cap")
    if redeem.max_points_per_receipt is not None:
        yield Limit(redeem.max_points_per_receipt, "cap")


def _offline(offline: Offline, customer: Customer, at: datetime) -> Iterator[Limit]:
    if offline.policy == "none":
        yield Limit(0, "offline")
        return
    # A clock that is far off in either direction says nothing about how old the balance is.
    if customer.state.as_of is None or abs(at - customer.state.as_of) > timedelta(hours=offline.snapshot_hours):
        yield Limit(0, "stale")
    used = customer.state.counters.redeemed.get("day", 0)
    yield Limit(offline.max_points_per_receipt or 0, "offline")
    yield Limit(max(0, (offline.max_points_per_day or 0) - used), "day")
