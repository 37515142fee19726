"""Step 6: which tier a member holds, and what is missing to the next one. Thresholds are inclusive."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

from loyalty.programme import Condition, Programme, Tier
from loyalty.quote import Counters, MemberState, ToNextTier


def held(programme: Programme, state: MemberState, day: date) -> Tier | None:
    """Return the last listed tier whose condition holds on that day; the counters must be those of that day."""
    holding = [tier for tier in programme.tiers[1:] if _holds(tier, state, day)]
    return [*programme.tiers[:1], *holding][-1] if programme.tiers else None


def to_next(programme: Programme, now: Tier | None, counters: Counters) -> ToNextTier | None:
    """Return what is missing to the next tier above `now` that one can shop one's way to."""
    if now is None:
        return None
    above = programme.tiers[programme.tiers.index(now) + 1 :]
    target = next((tier for tier in above if tier.any_of), None)
    if target is None:
        return None
    return ToNextTier(
        tier=target.id,
        purchases=_missing(target.any_of, "purchases", counters),
        turnover=_missing(target.any_of, "turnover", counters),
    )


def _holds(tier: Tier, state: MemberState, day: date) -> bool:
    if tier.membership:
        return state.membership is not None and day <= date.fromisoformat(state.membership)
    return any(_gap(condition, state.counters) <= 0 for condition in tier.any_of)


def _gap(condition: Condition, counters: Counters) -> int:
    values: dict[str, int] = getattr(counters, condition.counter)
    return condition.at_least - values.get(condition.period, 0)


def _missing(
    conditions: Iterable[Condition], counter: Literal["purchases", "turnover"], counters: Counters
) -> int | None:
    return min((_gap(each, counters) for each in conditions if each.counter == counter), default=None)
