from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.quote import MemberState, ToNextTier
from loyalty.rules.tiers import held

Club = Callable[..., Programme]
Known = Callable[..., MemberState]
Ask = Any  # the Asking of conftest.py

TIERS = """
[earn]
rate_bp = 100
[[tier]]
id = "basic"
[[tier]]
id = "silver"
any_of = [
  { counter = "purchases", period = "lifetime", at_least = 5 },
  { counter = "turnover", period = "lifetime", at_least = 1000000 },
]
[[tier]]
id = "gold"
any_of = [{ counter = "turnover", period = "year", at_least = 2500000 }]
[[tier]]
id = "club"
membership = true
"""


@pytest.mark.parametrize(
    ("purchases", "turnover", "tier", "after"),
    [
        (0, 0, "basic", "basic"),
        (3, 0, "basic", "basic"),
        (4, 0, "basic", "silver"),
        (5, 0, "silver", "silver"),
        (0, 989_999, "basic", "basic"),
        (0, 990_000, "basic", "silver"),
        (0, 999_999, "basic", "silver"),
        (0, 1_000_000, "silver", "silver"),
        (0, 1_000_001, "silver", "silver"),
    ],
)
def test_thresholds_are_inclusive_and_hold_from_the_next_purchase(
    club: Club, ask: Ask, known: Known, purchases: int, turnover: int, tier: str, after: str
) -> None:
    member = known(purchases={"lifetime": purchases}, turnover={"lifetime": turnover})
    quote = ask(club(TIERS), 10_000, member=member)
    assert (quote.tier, quote.tier_after) == (tier, after)


def test_the_held_tier_is_the_last_listed_whose_condition_holds(club: Club, ask: Ask, known: Known) -> None:
    member = known(turnover={"year": 2_500_000})
    assert ask(club(TIERS), 1, member=member).tier == "gold"  # silver's own condition does not hold


@pytest.mark.parametrize(
    ("until", "at", "tier"),
    [
        (None, datetime(2026, 12, 12, 9, tzinfo=UTC), "basic"),
        ("2026-12-11", datetime(2026, 12, 12, 9, tzinfo=UTC), "basic"),
        ("2026-12-12", datetime(2026, 12, 12, 9, tzinfo=UTC), "club"),
        ("2026-12-13", datetime(2026, 12, 12, 9, tzinfo=UTC), "club"),
        ("2026-12-12", datetime(2026, 12, 12, 20, 59, 59, tzinfo=UTC), "club"),
        ("2026-12-12", datetime(2026, 12, 12, 21, 0, tzinfo=UTC), "basic"),  # midnight in Moscow
    ],
)
def test_a_paid_club_is_held_through_its_last_local_day(
    club: Club, ask: Ask, known: Known, until: str | None, at: datetime, tier: str
) -> None:
    assert ask(club(TIERS), 1, member=known(membership=until, as_of=at), at=at).tier == tier


@pytest.mark.parametrize(
    ("counters", "missing"),
    [
        ({}, ToNextTier(tier="silver", purchases=4, turnover=990_000)),
        ({"purchases": {"lifetime": 3}}, ToNextTier(tier="silver", purchases=1, turnover=990_000)),
        ({"purchases": {"lifetime": 4}}, ToNextTier(tier="gold", turnover=2_490_000)),
        ({"turnover": {"lifetime": 990_000, "year": 50_000}}, ToNextTier(tier="gold", turnover=2_440_000)),
        ({"turnover": {"year": 2_490_000}}, None),
    ],
)
def test_what_is_still_missing_counts_this_receipt(
    club: Club, ask: Ask, known: Known, counters: dict[str, dict[str, int]], missing: ToNextTier | None
) -> None:
    assert ask(club(TIERS), 10_000, member=known(**counters)).to_next_tier == missing


def test_of_several_conditions_on_a_counter_the_nearest_is_said(club: Club, ask: Ask, known: Known) -> None:
    programme = club(
        '[[tier]]\nid = "a"\n[[tier]]\nid = "b"\nany_of = [\n'
        '{ counter = "purchases", period = "lifetime", at_least = 20 },\n'
        '{ counter = "purchases", period = "month", at_least = 3 } ]'
    )
    quote = ask(programme, 1, member=known(purchases={"lifetime": 10, "month": 1}))
    assert quote.to_next_tier == ToNextTier(tier="b", purchases=1)


def test_turnover_is_money_paid(club: Club, ask: Ask, known: Known) -> None:
    programme = club(TIERS + "\n[redeem]")
    member = known(balance=1, turnover={"lifetime": 990_000})
    assert ask(programme, 10_000, member=member).tier_after == "silver"
    assert ask(programme, 10_000, member=member, redeem=1).tier_after == "basic"


def test_counters_of_an_earlier_day_are_rolled_over(club: Club, ask: Ask, known: Known) -> None:
    programme = club("[earn]\nrate_bp = 10000\nmax_receipts_per_day = 1\n" + TIERS.split("rate_bp = 100")[1])
    yesterday = known(earnings={"day": 1}, turnover={"year": 2_500_000}, on=date(2026, 12, 11))
    assert ask(programme, 100, member=yesterday).earned == 1
    assert ask(programme, 100, member=known(earnings={"day": 1}, on=date(2026, 12, 12))).earned == 0
    new_year = datetime(2026, 12, 31, 21, tzinfo=UTC)
    assert ask(programme, 100, member=yesterday).tier == "gold"
    assert ask(programme, 100, member=yesterday, at=new_year).tier == "basic"


def test_a_programme_without_tiers_has_none(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(), 1, member=known())
    assert (quote.tier, quote.tier_after, quote.to_next_tier) == (None, None, None)
    assert held(club(), known(), date(2026, 12, 12)) is None


@pytest.mark.parametrize(
    ("membership", "member", "missing"),
    [
        (False, None, 2),
        (True, None, None),  # one cannot shop one's way to it
        (True, "2026-12-11", None),
        (True, "2026-12-12", 2),
    ],
)
def test_only_the_tier_listed_next_is_said_and_only_if_shopping_leads_to_it(
    club: Club, ask: Ask, known: Known, membership: bool, member: str | None, missing: int | None
) -> None:
    programme = club(
        f'[[tier]]\nid = "a"\n[[tier]]\nid = "b"\nmembership = {str(membership).lower()}\n'
        'any_of = [{ counter = "purchases", period = "lifetime", at_least = 3 }]\n'
        '[[tier]]\nid = "c"\nany_of = [{ counter = "purchases", period = "lifetime", at_least = 9 }]'
    )
    quote = ask(programme, 1, member=known(membership=member))
    assert quote.to_next_tier == (None if missing is None else ToNextTier(tier="b", purchases=missing))


@pytest.mark.parametrize(
    ("purchases", "membership", "tier"),
    [(4, "2026-12-31", "a"), (5, None, "a"), (5, "2026-12-11", "a"), (5, "2026-12-12", "both")],
)
def test_a_tier_with_a_membership_and_a_counter_needs_both(
    club: Club, ask: Ask, known: Known, purchases: int, membership: str | None, tier: str
) -> None:
    programme = club(
        '[[tier]]\nid = "a"\n[[tier]]\nid = "both"\nmembership = true\n'
        'any_of = [{ counter = "purchases", period = "lifetime", at_least = 5 }]'
    )
    assert ask(programme, 1, member=known(membership=membership, purchases={"lifetime": purchases})).tier == tier
