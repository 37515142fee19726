"""Step 6: which tier a member holds, and what is missing to the next one. Thresholds are inclusive."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

from loyalty.programme import Programme
from loyalty.quote import Counters, MemberState, ToNextTier
from loyalty.sections import Condition, Tier


def held(programme: Programme, state: MemberState, day: date) -> Tier | None:
    """Return the last listed tier whose conditions hold on that day; the counters must be those of that day."""
    for tier in reversed(programme.tiers[1:]):
        if _holds(tier, state, day):
            return tier
    return programme.tiers[0] if programme.tiers else None


def to_next(programme: Programme, now: Tier | None, state: MemberState, day: date) -> ToNextTier | None:
    """Return what is missing to the tier listed next; None where there is none that one can shop one's way to."""
    above = programme.tiers[programme.tiers.index(now) + 1 :] if now is not None else ()
    if not above or not above[0].any_of or (above[0].membership and not _is_member(state, day)):
        return None
    target = above[0]
    return ToNextTier(
        tier=target.id,
        purchases=_missing(target.any_of, "purchases", state.counters),
        turnover=_missing(target.any_of, "turnover", state.counters),
    )


def _holds(tier: Tier, state: MemberState, day: date) -> bool:
    if tier.membership and not _is_member(state, day):
        return False
    return not tier.any_of or any(_gap(condition, state.counters) <= 0 for condition in tier.any_of)


def _is_member(state: MemberState, day: date) -> bool:
    """A membership is held through the whole of its last day."""
    return state.membership is not None and day <= date.fromisoformat(state.membership)


def _gap(condition: Condition, counters: Counters) -> int:
    values = counters.purchases if condition.counter == "purchases" else counters.turnover
    return condition.at_least - values.get(condition.period, 0)


def _missing(
    conditions: Iterable[Condition], counter: Literal["purchases", "turnover"], counters: Counters
) -> int | None:
    return min((_gap(each, counters) for each in conditions if each.counter == counter), default=None)
