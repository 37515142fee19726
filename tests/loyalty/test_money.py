from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.money import Portion, exponent, half_up, share, share_of

PORTIONS = st.lists(st.builds(Portion, st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 3)), max_size=12)


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(0, 7, 0), (1, 2, 1), (149, 100, 1), (150, 100, 2), (151, 100, 2), (-1, 2, 0), (-3, 2, -1), (-151, 100, -2)],
)
def test_money_rounds_half_up(numerator: int, denominator: int, rounded: int) -> None:
    assert half_up(numerator, denominator) == rounded


@pytest.mark.parametrize(("amount", "rate", "part"), [(49, 100, 0), (50, 100, 1), (51, 100, 1), (33333, 1500, 5000)])
def test_a_rate_of_money_rounds_half_up(amount: int, rate: int, part: int) -> None:
    assert share_of(amount, rate) == part


@pytest.mark.parametrize(("currency", "digits"), [("RUB", 2), ("JPY", 0), ("VND", 0), ("KWD", 3), ("XYZ", 2)])
def test_minor_units_follow_the_currency(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize(
    ("amount", "portions", "shares"),
    [
        (100, [(1, 100), (1, 100), (1, 100)], (34, 33, 33)),  # equal remainders: the earlier one
        (100, [(1, 100, "b"), (1, 100, "a"), (1, 100, "c")], (33, 34, 33)),  # a smaller rank comes before place
        (10, [(999, 999), (1, 1)], (10, 0)),
        (10, [(2, 3), (1, 100), (1, 100)], (3, 4, 3)),  # the first is full at once, the others take over
        (10, [(8, 2), (1, 3), (1, 100)], (2, 3, 5)),  # the second fills up only in the second round
        (10, [(1, 4), (1, 4)], (4, 4)),  # there is no more room
        (10, [(0, 100), (1, 100)], (0, 10)),
        (10, [(0, 100)], (0,)),
        (0, [(1, 5)], (0,)),
        (5, [], ()),
    ],
)
def test_sharing_by_largest_remainder(amount: int, portions: list[tuple[int, ...]], shares: tuple[int, ...]) -> None:
    assert share(amount, [Portion(*each) for each in portions]) == shares


@given(st.integers(0, 100_000), PORTIONS)
def test_shares_sum_to_the_whole_and_stay_in_their_room(amount: int, portions: list[Portion]) -> None:
    shares = share(amount, portions)
    assert sum(shares) == min(amount, sum(each.room for each in portions if each.weight))
    assert all(0 <= part <= each.room for part, each in zip(shares, portions, strict=True))


@given(st.integers(0, 100_000), PORTIONS)
def test_where_nobody_is_full_each_gets_his_exact_part_rounded_down_or_up(amount: int, portions: list[Portion]) -> None:
    weights = sum(each.weight for each in portions if each.room)
    shares = share(amount, portions)
    if weights and all(part < each.room for part, each in zip(shares, portions, strict=True) if each.weight):
        assert all(
            abs(part * weights - amount * each.weight) < weights for part, each in zip(shares, portions, strict=True)
        )


@given(st.integers(0, 100_000), PORTIONS, st.randoms(use_true_random=False))
def test_order_changes_nobodys_share_where_ranks_differ(amount: int, portions: list[Portion], random: Random) -> None:
    portions = [each._replace(rank=number) for number, each in enumerate(portions)]
    shuffled = list(portions)
    random.shuffle(shuffled)
    before = sorted(zip(portions, share(amount, portions), strict=True))
    after = sorted(zip(shuffled, share(amount, shuffled), strict=True))
    assert before == after
