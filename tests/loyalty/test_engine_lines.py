"""What may be done to a line: flags, exclusions, the law, minimum prices, tier discounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.quote import Line, MemberState

Club = Callable[..., Programme]
Known = Callable[..., MemberState]
Ask = Any  # the Asking of conftest.py

RULES = '[earn]\nrate_bp = 1000\n[redeem]\ncap_bp = 5000\n[[tier]]\nid = "a"\ndiscount_bp = 1000'


def done_to(ask: Ask, programme: Programme, member: MemberState, line: Line) -> tuple[bool, bool, bool]:
    """Whether the line was discounted, could be paid with points, and earned."""
    quote = ask(programme, line, member=member)
    return quote.discount > 0, quote.max_redeem > 0, quote.earned > 0


@pytest.mark.parametrize(
    ("law", "line", "done"),
    [
        ("none", Line(sum=10_000), (True, True, True)),
        ("none", Line(sum=10_000, categories=("tobacco",)), (True, True, True)),
        ("ru", Line(sum=10_000, categories=("food",)), (True, True, True)),
        ("ru", Line(sum=10_000, categories=("tobacco",)), (False, False, False)),
        ("ru", Line(sum=10_000, categories=("food", "nicotine")), (False, False, False)),
        ("ru", Line(sum=10_000, categories=(" Tobacco ",)), (False, False, False)),
        ("ru", Line(sum=10_000), (False, False, True)),  # nobody knows what it is, so nothing may be given on it
        ("ru", Line(sum=10_000, categories=("", " ")), (False, False, True)),
        ("none", Line(sum=10_000, no_discount=True), (False, True, True)),
        ("none", Line(sum=10_000, no_redeem=True), (True, False, True)),
        ("none", Line(sum=10_000, no_earn=True), (True, True, False)),
        ("none", Line(sum=10_000, promo=True), (True, True, True)),
    ],
)
def test_flags_and_law(club: Club, ask: Ask, known: Known, law: str, line: Line, done: tuple[bool, bool, bool]) -> None:
    assert done_to(ask, club(RULES, head=f'law = "{law}"'), known(balance=1_000), line) == done


@pytest.mark.parametrize(
    ("exclude", "line", "hit"),
    [
        ('categories = ["alcohol"]', Line(sum=10_000, categories=("alcohol",)), True),
        ('categories = ["alcohol"]', Line(sum=10_000, categories=("food", "ALCOHOL")), True),
        ('categories = ["alcohol"]', Line(sum=10_000, categories=("food",)), False),
        ('categories = ["alcohol"]', Line(sum=10_000), False),
        ('categories = [""]', Line(sum=10_000), False),
        ('categories = ["*"]', Line(sum=10_000), True),
        ('skus = ["7"]', Line(sku="7", sum=10_000), True),
        ('skus = ["7"]', Line(sku="8", sum=10_000, categories=("7",)), False),
        ("promo = true", Line(sum=10_000, promo=True), True),
        ("promo = true", Line(sum=10_000), False),
        ("promo = false", Line(sum=10_000, promo=True), False),
    ],
)
@pytest.mark.parametrize(("table", "place"), [("discount", 0), ("redeem", 1), ("earn", 2)])
def test_each_table_excludes_for_itself(
    club: Club, ask: Ask, known: Known, exclude: str, line: Line, hit: bool, table: str, place: int
) -> None:
    programme = club(RULES + f"\n[{table}.exclude]\n{exclude}")
    done = done_to(ask, programme, known(balance=1_000), line)
    assert done == tuple(not (hit and number == place) for number in range(3))


def test_excluded_lines_are_paid_in_money_and_the_others_are_not(club: Club, ask: Ask, known: Known) -> None:
    programme = club(RULES, head='law = "ru"')
    lines = (Line(sum=20_000, categories=("tobacco",)), Line(sum=10_000, categories=("food",)))
    quote = ask(programme, *lines, member=known(balance=1_000), redeem="max")
    assert (quote.line_discounts, quote.line_redeemed) == ((0, 1_000), (0, 4_500))
    assert (quote.pay, quote.earned) == (24_500, 4)


def test_nothing_that_earns_says_so(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(RULES, head='law = "ru"'), Line(sum=10_000, categories=("tobacco",)), member=known())
    assert (quote.why, quote.prompt["en"]) == ((), "Nothing on this receipt earns points.")


@pytest.mark.parametrize(
    ("line", "discount"),
    [
        (Line(sum=4), 0),
        (Line(sum=5), 1),
        (Line(sum=14), 1),
        (Line(sum=15), 2),
        (Line(sum=10_000, minimum=9_000), 1_000),
        (Line(sum=10_000, minimum=9_001), 999),
        (Line(sum=10_000, minimum=8_999), 1_000),
        (Line(sum=10_000, minimum=10_000), 0),
        (Line(sum=10_000, minimum=12_000), 0),  # the till's own price is taken as it is
    ],
)
def test_a_tier_discount_rounds_half_up_and_stops_at_the_minimum_price(
    club: Club, ask: Ask, known: Known, line: Line, discount: int
) -> None:
    quote = ask(club(RULES), line, member=known())
    assert (quote.line_discounts, quote.pay) == ((discount,), line.sum - discount)


def test_a_percentage_lost_at_a_minimum_price_is_not_moved_to_another_line(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(RULES), Line(sum=10_000, minimum=10_000), Line(sum=10_000), member=known())
    assert quote.line_discounts == (0, 1_000)


def test_an_empty_receipt_costs_nothing(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(RULES), member=known(balance=50), redeem="max")
    assert (quote.total, quote.pay, quote.earned, quote.max_redeem, quote.line_discounts) == (0, 0, 0, 0, ())
    assert quote.why == ()
