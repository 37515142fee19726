from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.quote import Line, MemberState, Quote, Refusal

Club = Callable[..., Programme]
Known = Callable[..., MemberState]
Ask = Any  # the Asking of conftest.py

CAPPED = (
    "[redeem.offline]\npolicy = 'capped'\nmax_points_per_receipt = 200\nmax_points_per_day = 400\nsnapshot_hours = 24"
)


def why_not(quote: Quote) -> str:
    """What the cashier is told after what the receipt earns."""
    said = quote.prompt["en"].replace("\N{NO-BREAK SPACE}", " ")
    return said.removeprefix("This receipt earns nothing.").strip()


def test_the_example_with_its_discount_from_a_tier(club: Club, ask: Ask, known: Known) -> None:
    programme = club(
        '[earn]\nrate_bp = 100\n[redeem]\ncap_bp = 5000\n[[tier]]\nid = "basic"\ndiscount_bp = 1500\n[[tier]]\nid = "silver"\n'
        'any_of = [{ counter = "purchases", period = "lifetime", at_least = 5 }]\n[[tier]]\nid = "platinum"\nmembership = true',
        head='law = "ru"',
    )
    member = known(balance=300, purchases={"lifetime": 4, "month": 2, "day": 0}, turnover={"lifetime": 412_000})
    quote = ask(programme, Line(sku="1", sum=50_000, categories=("coffee",)), member=member, redeem="max")
    assert (quote.total, quote.discount, quote.line_discounts) == (50_000, 7_500, (7_500,))
    assert (quote.max_redeem, quote.redeemed, quote.line_redeemed, quote.pay) == (212, 212, (21_200,), 21_300)
    assert (quote.earned, quote.balance_after, quote.tier, quote.tier_after) == (2, 90, "basic", "silver")
    assert quote.to_next_tier is None
    assert (quote.programme_revision, quote.engine) == (7, 1)
    assert [(why.rule, why.money, why.points) for why in quote.why] == [("tier", -7_500, None), ("earn", None, 2)]


@pytest.mark.parametrize(("sum_", "most"), [(19_999, 99), (20_000, 100), (20_001, 100), (0, 0), (199, 0), (200, 1)])
def test_the_cap_rounds_down(club: Club, ask: Ask, known: Known, sum_: int, most: int) -> None:
    assert ask(club("[redeem]\ncap_bp = 5000"), sum_, member=known(balance=1_000)).max_redeem == most


def test_the_cap_is_of_lines_that_points_may_pay_after_discounts(club: Club, ask: Ask, known: Known) -> None:
    programme = club('[redeem]\ncap_bp = 5000\n[[tier]]\nid = "a"\ndiscount_bp = 1000')
    quote = ask(programme, 10_000, Line(sum=90_000, no_redeem=True), member=known(balance=1_000), redeem="max")
    assert (quote.max_redeem, quote.line_redeemed) == (45, (4_500, 0))


@pytest.mark.parametrize(("balance", "most"), [(-5, 0), (0, 0), (99, 99), (100, 100), (101, 100)])
def test_nobody_spends_more_than_he_has_or_owes(club: Club, ask: Ask, known: Known, balance: int, most: int) -> None:
    assert ask(club("[redeem]"), 10_000, member=known(balance=balance)).max_redeem == most


@pytest.mark.parametrize(("minimum", "most"), [(0, 100), (4_000, 60), (4_001, 59), (10_000, 0), (12_000, 0)])
def test_points_stay_above_the_minimum_price(club: Club, ask: Ask, known: Known, minimum: int, most: int) -> None:
    line = Line(sum=10_000, minimum=minimum)
    assert ask(club("[redeem]"), line, member=known(balance=1_000)).max_redeem == most


@pytest.mark.parametrize(("balance", "most"), [(99, 0), (100, 100), (109, 100), (110, 110), (999, 300)])
def test_points_go_in_steps_from_a_minimum_balance(club: Club, ask: Ask, known: Known, balance: int, most: int) -> None:
    programme = club("[redeem]\nstep = 10\nminimum_balance = 100\nmax_points_per_receipt = 305")
    assert ask(programme, 100_000, member=known(balance=balance)).max_redeem == most


@pytest.mark.parametrize(("gross", "most"), [(49_999, 0), (50_000, 50), (50_001, 50)])
def test_the_minimum_receipt_counts_the_gross_sum_of_all_lines(
    club: Club, ask: Ask, known: Known, gross: int, most: int
) -> None:
    programme = club('[redeem]\nminimum_receipt = 50000\n[[tier]]\nid = "a"\ndiscount_bp = 5000')
    lines = (Line(sum=10_000), Line(sum=gross - 10_000, no_redeem=True))
    assert ask(programme, *lines, member=known(balance=1_000)).max_redeem == most


@pytest.mark.parametrize(("before", "most"), [(1, 100), (2, 0), (3, 0)])
def test_only_so_many_redemptions_a_day(club: Club, ask: Ask, known: Known, before: int, most: int) -> None:
    programme = club("[redeem]\nmax_redemptions_per_day = 2")
    quote = ask(programme, 10_000, member=known(balance=100, redemptions={"day": before}))
    assert quote.max_redeem == most
    assert ("No more points can be used today." in why_not(quote)) is (not most)


@pytest.mark.parametrize(
    ("value", "decimals", "balance", "most", "money"),
    [
        (100, 0, 70, 70, 7_000),
        (50, 0, 999, 200, 10_000),
        (33, 0, 999, 303, 9_999),
        (100, 2, 99_999, 10_000, 10_000),
        (300, 2, 3, 3, 9),
    ],
)
def test_points_pay_what_they_are_worth(
    club: Club, ask: Ask, known: Known, value: int, decimals: int, balance: int, most: int, money: int
) -> None:
    programme = club("[redeem]", head=f"point_value = {value}\npoint_decimals = {decimals}")
    quote = ask(programme, 10_000, member=known(balance=balance), redeem="max")
    assert (quote.redeemed, quote.line_redeemed, quote.pay) == (most, (money,), 10_000 - money)


def test_more_than_the_most_is_refused_with_the_most(club: Club, ask: Ask, known: Known) -> None:
    programme = club("[redeem]\ncap_bp = 5000")
    assert ask(programme, 20_000, member=known(balance=300), redeem=100).redeemed == 100
    refusal = ask.any(programme, 20_000, member=known(balance=300), redeem=101)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.at, refusal.most) == ("redeem_above_most", "redeem", 100)
    assert refusal.text["ru"].endswith("100\N{NO-BREAK SPACE}бонусов.")


def test_points_between_two_steps_are_refused(club: Club, ask: Ask, known: Known) -> None:
    refusal = ask.any(club("[redeem]\nstep = 10"), 20_000, member=known(balance=300), redeem=15)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.at, refusal.most) == ("redeem_step", "redeem", 200)


@pytest.mark.parametrize("member", [None, MemberState(balance=300)], ids=["no card", "card only"])
def test_who_is_not_known_redeems_nothing(club: Club, ask: Ask, member: MemberState | None) -> None:
    assert ask(club("[redeem]"), 20_000, member=member, redeem="max").redeemed == 0
    refusal = ask.any(club("[redeem]"), 20_000, member=member, redeem=1)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.most) == ("redeem_above_most", 0)


def test_a_programme_without_redeem_redeems_nothing_and_gives_no_reason(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(), 20_000, member=known(balance=300), redeem="max")
    assert (quote.redeemed, quote.why) == (0, ())
    refusal = ask.any(club(), 20_000, member=known(balance=300), redeem=1)
    assert isinstance(refusal, Refusal)


def test_offline_nothing_is_redeemed_unless_the_programme_says_so(club: Club, ask: Ask, known: Known) -> None:
    for text in ("[redeem]", "[redeem]\noffline = { policy = 'none' }"):
        quote = ask(club(text), 20_000, member=known(balance=300), offline=True)
        assert quote.max_redeem == 0
        assert why_not(quote) == "No connection to the server: points cannot be used yet."
        assert ask(club(text), 20_000, member=known(balance=300)).max_redeem == 200


@pytest.mark.parametrize(("used", "most"), [(0, 200), (199, 200), (200, 200), (201, 199), (399, 1), (400, 0), (500, 0)])
def test_offline_caps_a_receipt_and_a_day(club: Club, ask: Ask, known: Known, used: int, most: int) -> None:
    member = known(balance=1_000, redeemed={"day": used})
    assert ask(club(CAPPED), 100_000, member=member, offline=True).max_redeem == most
    assert ask(club(CAPPED), 100_000, member=member).max_redeem == 1_000


@pytest.mark.parametrize(
    ("age", "most"),
    [
        (timedelta(), 100),
        (timedelta(hours=24, microseconds=-1), 100),
        (timedelta(hours=24), 0),
        (timedelta(hours=-24, microseconds=1), 100),
        (timedelta(hours=-24), 0),
    ],
)
def test_offline_an_old_balance_pays_nothing(club: Club, ask: Ask, known: Known, age: timedelta, most: int) -> None:
    member = known(balance=100, as_of=ask.at - age)
    quote = ask(club(CAPPED), 100_000, member=member, offline=True)
    assert quote.max_redeem == most
    assert why_not(quote).startswith("No connection to the server for long") is (not most)
    assert ask(club(CAPPED), 100_000, member=member).max_redeem == 100


@pytest.mark.parametrize(
    ("text", "member", "line", "said"),
    [
        ("[redeem]", {"consent": "withdrawn"}, Line(sum=10_000), "Consent withdrawn: a sale without points."),
        ("[redeem]\nminimum_balance = 101", {}, Line(sum=10_000), "Points can be used once the card holds 101 points."),
        ("[redeem]\nminimum_receipt = 10001", {}, Line(sum=10_000), "Points can be used on receipts from RUB 100.01."),
        ("[redeem]", {}, Line(sum=10_000, no_redeem=True), "Nothing on this receipt can be paid with points."),
        ("[redeem]\nstep = 200", {}, Line(sum=30_000), "Too few points on the card to use them."),
        ("[redeem]\ncap_bp = 99", {}, Line(sum=10_000), "The sum is too small to be paid with points."),
    ],
)
def test_it_says_why_points_cannot_pay(
    club: Club, ask: Ask, known: Known, text: str, member: dict[str, Any], line: Line, said: str
) -> None:
    assert why_not(ask(club(text), line, member=known(balance=100, **member))) == said


def test_a_member_without_points_is_not_told_why_they_cannot_pay(club: Club, ask: Ask, known: Known) -> None:
    assert why_not(ask(club("[redeem]"), 10_000, member=known(balance=0))) == ""


@pytest.mark.parametrize(
    ("lines", "redeem", "shares"),
    [
        ([Line(sum=10_000), Line(sum=10_000), Line(sum=10_000)], 100, (3_334, 3_333, 3_333)),
        ([Line(sku="b", sum=10_000), Line(sku="a", sum=10_000), Line(sku="c", sum=10_000)], 100, (3_333, 3_334, 3_333)),
        ([Line(sum=20_000), Line(sum=10_000)], 100, (6_667, 3_333)),
        ([Line(sum=10_000, minimum=9_900), Line(sum=10_000)], 50, (100, 4_900)),
        ([Line(sum=10_000, no_redeem=True), Line(sum=10_000)], 50, (0, 5_000)),
    ],
)
def test_money_paid_with_points_lies_on_the_lines_by_what_is_left_of_each(
    club: Club, ask: Ask, known: Known, lines: list[Line], redeem: int, shares: tuple[int, ...]
) -> None:
    quote = ask(club("[redeem]"), *lines, member=known(balance=1_000), redeem=redeem)
    assert quote.line_redeemed == shares
