"""Returns of one sale by tills that may not know of each other: in any order the same, and never more than was sold."""

from __future__ import annotations

from collections.abc import Callable

from loyalty import returns
from loyalty.quote import Line
from loyalty.returns import Effect, Sold, TakenBack
from loyalty.wire import Return

from .test_returns import AT, BACK, RECEIPT, in_pieces, sale_of, sell, units
from .worlds import seeded

BOUGHT = (Line(sum=10_000, quantity=2_000), Line(sum=5_000))


def rows(sold: Sold, seed: int) -> list[Return]:
    """The whole receipt brought back piece by piece, as one till after another writes it down."""
    state, found = returns.nothing(sold), []
    for piece in in_pieces(seeded(seed), sold):
        now = returns.take_back(sold, state, piece)
        assert isinstance(now, TakenBack)
        found.append(returns.event(sold, state, now, receipt=BACK, sale=RECEIPT, member="m"))
        state = now
    return found


def row(units: tuple[int, ...] = (), *, pending: bool = False, points_back: int = 0, turnover: int = 0) -> Return:
    """A return that says no more than this."""
    return Return(
        receipt=BACK, sale=RECEIPT, day=AT.date(), refund=0,
        units=units, pending=pending, points_back=points_back, turnover=turnover,
    )  # fmt: skip


def everything(sold: Sold) -> Effect:
    return returns.together(sold, [row(pending=True)])[0]


def test_those_that_know_of_each_other_are_their_sum_in_any_order(size: Callable[[int, int], int]) -> None:
    for seed in range(size(300, 3_000)):
        sold = sale_of(seed)
        if sold is None:
            continue
        taken = rows(sold, seed)
        assert returns.together(sold, taken) == (everything(sold), False)
        part = taken[: len(taken) // 2]
        seeded(seed).shuffle(part)
        assert returns.together(sold, part) == returns.together(sold, taken[: len(taken) // 2])
        assert returns.together(sold, taken[:1]) == (returns.alone(sold, taken[0]), False)


def test_what_came_back_twice_is_taken_once_and_said() -> None:
    sold = sell("", *BOUGHT)
    (first, *_) = rows(sold, 1)
    assert returns.together(sold, [first, first, first])[1]
    effect, excess = returns.together(sold, [row(), row()])
    assert (effect, excess) == (everything(sold), True)
    assert returns.together(sold, [row((3_000, 0))])[1]


def test_a_till_that_knew_no_points_is_settled_by_its_units() -> None:
    sold = sell("", *BOUGHT)
    one = returns.take_back(sold, returns.nothing(sold), units(0))
    assert isinstance(one, TakenBack)
    exact = returns.effect(sold, returns.nothing(sold), one)
    pending = row((1_000, 0), pending=True)
    assert returns.alone(sold, pending) == exact
    assert returns.together(sold, [pending]) == (exact, False)
    assert everything(sold).less(exact).turnover == sold.quote.pay - exact.turnover


def test_of_another_receipts_lines_nothing_comes_back_and_it_is_said() -> None:
    sold = sell("", *BOUGHT)
    foreign = row((1_000,), pending=True)
    assert returns.alone(sold, foreign) == Effect()
    assert returns.together(sold, [foreign]) == (Effect(), True)


def test_more_points_than_there_were_are_not_believed() -> None:
    sold = sell("", *BOUGHT)
    greedy = row((1_000, 0), points_back=10**6, turnover=10**9)
    assert returns.alone(sold, greedy).points_back == sold.quote.redeemed
    assert returns.together(sold, [greedy])[0].turnover == 5_000
