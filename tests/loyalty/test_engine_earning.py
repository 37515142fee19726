from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.quote import Line, MemberState

Club = Callable[..., Programme]
Known = Callable[..., MemberState]
Ask = Any  # the Asking of conftest.py

BY_RATE = "[earn]\nrate_bp = 100"
BY_STEPS = "[earn]\nstep = 10000\npoints_per_step = 5"


@pytest.mark.parametrize(("paid", "points"), [(0, 0), (9_999, 0), (10_000, 1), (10_001, 1), (19_999, 1), (20_000, 2)])
def test_a_rate_rounds_down(club: Club, ask: Ask, known: Known, paid: int, points: int) -> None:
    assert ask(club(BY_RATE), paid, member=known()).earned == points


def test_a_rate_rounds_once_over_the_receipt_not_on_each_line(club: Club, ask: Ask, known: Known) -> None:
    assert ask(club(BY_RATE), *[3_334] * 3, member=known()).earned == 1


@pytest.mark.parametrize(
    ("value", "decimals", "points"),
    [(100, 0, 12), (100, 2, 1234), (50, 0, 24), (33, 0, 37), (1, 0, 1234), (300, 2, 411)],
)
def test_points_have_a_value_and_decimals(
    club: Club, ask: Ask, known: Known, value: int, decimals: int, points: int
) -> None:
    programme = club("[earn]\nrate_bp = 1000", head=f"point_value = {value}\npoint_decimals = {decimals}")
    assert ask(programme, 12_346, member=known()).earned == points


@pytest.mark.parametrize(("paid", "points"), [(9_999, 0), (10_000, 5), (10_001, 5), (19_999, 5), (20_000, 10)])
def test_steps_count_only_when_they_are_full(club: Club, ask: Ask, known: Known, paid: int, points: int) -> None:
    assert ask(club(BY_STEPS), paid, member=known()).earned == points


def test_steps_are_counted_on_the_receipt_not_by_line(club: Club, ask: Ask, known: Known) -> None:
    assert ask(club(BY_STEPS), 5_000, 4_999, 1, member=known()).earned == 5


def test_points_per_step_are_whole_points(club: Club, ask: Ask, known: Known) -> None:
    assert ask(club(BY_STEPS, head="point_decimals = 2"), 10_000, member=known()).earned == 500


@pytest.mark.parametrize(("paid", "points"), [(9_999, 0), (10_000, 1), (10_001, 1)])
def test_less_than_the_minimum_earns_nothing(club: Club, ask: Ask, known: Known, paid: int, points: int) -> None:
    quote = ask(club("[earn]\nrate_bp = 150\nminimum_paid = 10000"), paid, member=known())
    assert quote.earned == points
    assert [(why.rule, why.points) for why in quote.why] == ([("earn", points)] if points else [])
    assert ("от 100,00 руб." in quote.prompt["ru"].replace("\N{NO-BREAK SPACE}", " ")) or points


def test_the_minimum_is_counted_on_all_money_that_is_paid(club: Club, ask: Ask, known: Known) -> None:
    programme = club("[earn]\nrate_bp = 1000\nminimum_paid = 10000")
    assert ask(programme, 4_999, Line(sum=5_000, no_earn=True), member=known()).earned == 0
    assert ask(programme, 5_000, Line(sum=5_000, no_earn=True), member=known()).earned == 5


@pytest.mark.parametrize(("before", "points"), [(0, 10), (2, 10), (3, 0), (4, 0)])
def test_only_so_many_receipts_of_a_day_earn(club: Club, ask: Ask, known: Known, before: int, points: int) -> None:
    programme = club("[earn]\nrate_bp = 1000\nmax_receipts_per_day = 3")
    quote = ask(programme, 10_000, member=known(earnings={"day": before}))
    assert quote.earned == points
    said = quote.why[0].text if points else quote.prompt
    assert said["en"].startswith("10%" if points else "No more receipts")


def test_what_was_paid_with_points_earns_nothing(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(BY_RATE + "\n[redeem]"), 100_000, member=known(balance=501), redeem="max")
    assert (quote.redeemed, quote.pay, quote.earned, quote.balance_after) == (501, 49_900, 4, 4)


@pytest.mark.parametrize(
    ("purchases", "points"), [({}, 5), ({"lifetime": 0}, 5), ({"lifetime": 1}, 1), ({"lifetime": 2}, 1)]
)
def test_the_first_purchase_beats_the_tier(
    club: Club, ask: Ask, known: Known, purchases: dict[str, int], points: int
) -> None:
    programme = club('[earn]\nrate_bp = 1000\nfirst_purchase_rate_bp = 500\n[[tier]]\nid = "a"\nearn_rate_bp = 100')
    assert ask(programme, 10_000, member=known(purchases=purchases)).earned == points


def test_the_first_purchase_goes_by_rate_where_others_go_by_steps(club: Club, ask: Ask, known: Known) -> None:
    programme = club(BY_STEPS + "\nfirst_purchase_rate_bp = 1000")
    assert ask(programme, 9_999, member=known()).earned == 9
    assert ask(programme, 9_999, member=known(purchases={"lifetime": 1})).earned == 0


def test_a_tier_has_its_own_rate_or_the_base_one(club: Club, ask: Ask, known: Known) -> None:
    condition = 'any_of = [{ counter = "purchases", period = "lifetime", at_least = 5 }]'
    own = club(f'{BY_RATE}\n[[tier]]\nid = "a"\n[[tier]]\nid = "b"\nearn_rate_bp = 300\n{condition}')
    assert ask(own, 10_000, member=known(purchases={"lifetime": 4})).earned == 1
    assert ask(own, 10_000, member=known(purchases={"lifetime": 5})).earned == 3
    none = club(f'{BY_RATE}\n[[tier]]\nid = "a"\n[[tier]]\nid = "b"\nearn_rate_bp = 0\n{condition}')
    assert ask(none, 10_000, member=known(purchases={"lifetime": 5})).earned == 0


def test_a_tier_has_its_own_points_for_a_step(club: Club, ask: Ask, known: Known) -> None:
    programme = club(
        f'{BY_STEPS}\n[[tier]]\nid = "a"\n[[tier]]\nid = "b"\npoints_per_step = 7\n'
        'any_of = [{ counter = "purchases", period = "lifetime", at_least = 5 }]'
    )
    assert ask(programme, 10_000, member=known(purchases={"lifetime": 4})).earned == 5
    assert ask(programme, 10_000, member=known(purchases={"lifetime": 5})).earned == 7


def test_without_earn_only_tiers_earn(club: Club, ask: Ask, known: Known) -> None:
    assert ask(club(), 10_000, member=known()).earned == 0
    assert ask(club('[[tier]]\nid = "a"\nearn_rate_bp = 100'), 10_000, member=known()).earned == 1


def test_a_receipt_without_a_card_says_what_a_card_would_have_earned(club: Club, ask: Ask) -> None:
    tiers = '[[tier]]\nid = "a"\nearn_rate_bp = 200\ndiscount_bp = 1000'
    quote = ask(club(f"{BY_RATE}\n[redeem]\n{tiers}"), 10_000, redeem="max")
    assert (quote.earned, quote.redeemed, quote.max_redeem, quote.balance_after) == (2, 0, 0, 0)
    assert (quote.discount, quote.pay) == (0, 10_000)  # a tier is held by a card
    assert (quote.tier, quote.tier_after, quote.to_next_tier) == (None, None, None)
    assert ask(club(f"{BY_RATE}\nfirst_purchase_rate_bp = 500\n{tiers}"), 10_000).earned == 2  # promise the less


def test_a_card_that_is_only_recognised_earns_by_the_first_tier(club: Club, ask: Ask) -> None:
    programme = club(
        f'{BY_RATE}\nfirst_purchase_rate_bp = 900\n[redeem]\n[[tier]]\nid = "a"\nearn_rate_bp = 200\n'
        '[[tier]]\nid = "b"\nearn_rate_bp = 300\nany_of = [{ counter = "purchases", period = "lifetime", at_least = 1 }]'
    )
    quote = ask(programme, 10_000, member=MemberState(balance=50), redeem="max")
    assert (quote.earned, quote.redeemed, quote.tier, quote.tier_after) == (2, 0, "a", "a")
    assert quote.to_next_tier is None


def test_a_withdrawn_consent_earns_and_redeems_nothing_and_the_sale_goes_on(club: Club, ask: Ask, known: Known) -> None:
    programme = club(
        f'{BY_RATE}\n[redeem]\n[[tier]]\nid = "a"\n'
        '[[tier]]\nid = "b"\nany_of = [{ counter = "purchases", period = "lifetime", at_least = 1 }]'
    )
    quote = ask(programme, 10_000, member=known(balance=70, consent="withdrawn"), redeem="max")
    assert (quote.pay, quote.earned, quote.redeemed, quote.max_redeem, quote.balance_after) == (10_000, 0, 0, 0, 70)
    assert (quote.tier, quote.tier_after, quote.to_next_tier) == ("a", "b", None)
    assert ask(programme, 10_000, member=known(balance=70, consent="none"), redeem="max").redeemed == 70
