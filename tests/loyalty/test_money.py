from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.money import exponent, half_up, in_order, order_of_fraction, rounded, share

Part = tuple[int, int, int]  # weight, room, rank
PARTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 3)), max_size=12).map(
    lambda parts: [(weight, min(room, weight), rank) for weight, room, rank in parts]
)


def shared(amount: int, parts: Sequence[Part]) -> list[int]:
    places = sorted(set(parts), key=lambda each: each[::-1])  # rank first; only equal parts have the same place
    return share(
        amount, [each[0] for each in parts], [each[1] for each in parts], lambda: [places.index(each) for each in parts]
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "whole"),
    [(0, 7, 0), (1, 2, 1), (149, 100, 1), (150, 100, 2), (151, 100, 2), (-1, 2, 0), (-3, 2, -1), (-151, 100, -2)],
)
def test_money_rounds_half_up(numerator: int, denominator: int, whole: int) -> None:
    assert half_up(numerator, denominator) == whole


@pytest.mark.parametrize(("currency", "digits"), [("RUB", 2), ("JPY", 0), ("VND", 0), ("KWD", 3), ("XYZ", 2)])
def test_minor_units_follow_the_currency(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


FRACTIONS = st.tuples(st.integers(0, 10**12), st.integers(1, 10**12))


@given(FRACTIONS, FRACTIONS)
def test_fractions_keep_their_order(one: tuple[int, int], other: tuple[int, int]) -> None:
    exact = one[0] * other[1] - other[0] * one[1]
    found = order_of_fraction(*one) - order_of_fraction(*other)
    assert (exact > 0, exact < 0) == (found > 0, found < 0)


def test_the_nearest_fractions_of_all_are_told_apart() -> None:
    largest = 10**12
    assert order_of_fraction(largest - 1, largest) > order_of_fraction(largest - 2, largest - 1)
    assert order_of_fraction(largest // 2, largest) == order_of_fraction(1, 2)


def test_the_missing_units_go_to_the_largest_remainders() -> None:
    assert rounded([19, 11, 15], 10, 5, in_order(3)) == [2, 1, 2]
    assert rounded([15, 15, 15], 10, 5, in_order(3)) == [2, 2, 1]
    assert rounded([15, 15, 15], 10, 5, lambda: [2, 1, 0]) == [1, 2, 2]


@pytest.mark.parametrize(
    ("amount", "parts", "shares"),
    [
        (100, [(100, 100, 0), (100, 100, 1), (100, 100, 2)], [34, 33, 33]),
        (100, [(100, 100, 1), (100, 100, 0), (100, 100, 2)], [33, 34, 33]),
        (10, [(999, 999, 0), (1, 1, 0)], [10, 0]),
        (10, [(200, 3, 0), (100, 100, 1), (100, 100, 2)], [3, 4, 3]),  # the first is full at once, the others take over
        (10, [(80, 2, 0), (10, 3, 0), (10, 10, 0)], [2, 3, 5]),  # the second fills up only once the first has left
        (10, [(4, 4, 0), (4, 4, 0)], [4, 4]),  # there is no more room
        (10, [(0, 0, 0), (10, 10, 0)], [0, 10]),
        (10, [(10, 0, 0), (10, 10, 0)], [0, 10]),
        (10, [(0, 0, 0)], [0]),
        (0, [(5, 5, 0)], [0]),
        (5, [], []),
    ],
)
def test_sharing_by_largest_remainder(amount: int, parts: list[Part], shares: list[int]) -> None:
    assert shared(amount, parts) == shares


@given(st.integers(0, 100_000), PARTS)
def test_shares_sum_to_the_whole_and_stay_in_their_room(amount: int, parts: list[Part]) -> None:
    shares = shared(amount, parts)
    assert sum(shares) == min(amount, sum(room for _, room, _ in parts))
    assert all(0 <= part <= room for part, (_, room, _) in zip(shares, parts, strict=True))


@given(st.integers(0, 100_000), PARTS)
def test_who_is_not_full_gets_his_exact_part_of_what_the_full_ones_leave(amount: int, parts: list[Part]) -> None:
    shares = shared(amount, parts)
    free = [(part, weight) for part, (weight, room, _) in zip(shares, parts, strict=True) if part < room]
    weights, left = sum(weight for _, weight in free), sum(part for part, _ in free)
    assert all(abs(part * weights - left * weight) < weights * len(free) for part, weight in free)


@given(st.integers(0, 100_000), PARTS, st.randoms(use_true_random=False))
def test_order_changes_nobodys_share_unless_all_else_is_equal(amount: int, parts: list[Part], random: Random) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    before = sorted(zip(parts, shared(amount, parts), strict=True))
    after = sorted(zip(shuffled, shared(amount, shuffled), strict=True))
    assert before == after
