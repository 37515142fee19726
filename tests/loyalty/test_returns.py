"""Returns: in any order, unit by unit or all at once, the end is the same, and nothing is left of a receipt that came back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import msgspec
import pytest

from loyalty import case, engine, member, returns
from loyalty.programme import Programme, load
from loyalty.quote import Basket, Line, MemberState, Quote, Refusal, Returned, ReturnRequest
from loyalty.returns import Sold, TakenBack
from loyalty.wire import ReceiptId, Return, Sale

from . import worlds
from .worlds import seeded

Json = dict[str, Any]
AT = datetime(2026, 12, 12, 9, tzinfo=UTC)
RECEIPT = ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="1", number="1")
BACK = ReceiptId(store="S1", till="1", business_day=date(2026, 12, 20), shift="8", number="9")


def sale_of(seed: int) -> Sold | None:
    """A random sale that has lines, or None."""
    random = seeded(seed)
    document = worlds.programme(random)
    question = worlds.case(random, document) | {"redeem": "max"}
    read = case.read(json.dumps(question).encode())
    assert isinstance(read, case.Case)
    programme = load(json.dumps(document), "json")
    quote = engine.quote(programme, read.member, read.basket, read.at, "max", read.offline, read.store)
    assert isinstance(quote, Quote)
    sold = Sold(
        programme=programme, member=read.member, basket=read.basket, at=read.at, quote=quote, store=read.store
    )  # fmt: skip
    return sold if read.basket.lines else None


def in_pieces(random: Random, sold: Sold) -> list[ReturnRequest]:
    """The whole receipt in random pieces: units one by one, the rest of a line at its end."""
    pieces: list[ReturnRequest] = []
    for number, line in enumerate(sold.basket.lines):
        units = random.randint(0, (line.quantity - 1) // 1_000)
        pieces += [ReturnRequest(units=((number, 1),)) for _ in range(units)]
    random.shuffle(pieces)
    lines = list(range(len(sold.basket.lines)))
    random.shuffle(lines)
    return pieces + [ReturnRequest(lines=(number,)) for number in lines]


def after(sold: Sold, pieces: list[ReturnRequest]) -> TakenBack:
    state = returns.nothing(sold)
    for piece in pieces:
        found = returns.take_back(sold, state, piece)
        assert isinstance(found, TakenBack)
        state = found
    return state


@pytest.mark.no_cover  # traced, it takes twice as long and reaches no line that others do not
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_returns_in_any_order_equal_one_return(part: int, size: Callable[[int, int], int]) -> None:
    done = 0
    for seed in range(part, 10**9, 4):
        sold = sale_of(seed)
        if sold is None:
            continue
        random = seeded(seed)
        some = in_pieces(random, sold)[: random.randint(1, 12)]
        units = [piece for piece in some if piece.units]
        lines = [piece for piece in some if piece.lines]
        random.shuffle(units)
        at_once = _together(units) + _together(lines)
        assert after(sold, at_once) == after(sold, [*units, *lines[::-1]]) == after(sold, some), f"seed {seed}"
        done += 1
        if done == size(500, 5_000):
            return


def _together(pieces: list[ReturnRequest]) -> list[ReturnRequest]:
    """One return in place of several."""
    if not pieces:
        return []
    units = tuple(unit for piece in pieces for unit in piece.units)
    return [ReturnRequest(units=units, lines=tuple(line for piece in pieces for line in piece.lines))]


@pytest.mark.no_cover  # traced, it takes twice as long and reaches no line that others do not
@pytest.mark.parametrize("part", range(4))
def test_of_a_receipt_that_came_back_whole_nothing_is_left(part: int, size: Callable[[int, int], int]) -> None:
    for seed in range(part, size(1_200, 12_000), 4):
        sold = sale_of(seed)
        if sold is None:
            continue
        state = returns.nothing(sold)
        money = 0
        for piece in in_pieces(seeded(seed), sold):
            found = returns.take_back(sold, state, piece)
            assert isinstance(found, TakenBack)
            money += returns.returned(sold, state, found).refund
            assert found.points_back >= state.points_back
            assert found.money >= state.money
            state = found
        assert state.money == sold.quote.pay
        assert money == sold.quote.pay - state.kept
        assert state.earned == 0
        assert state.points_back == sold.quote.redeemed
        value = sold.programme.header.unit_value
        assert state.clawback + state.forgiven + state.kept // value == sold.quote.earned


@pytest.mark.parametrize("seed", range(0, 1_200, 3))
def test_a_whole_return_leaves_the_member_as_he_was(seed: int) -> None:
    """Balance and counters; stamps and coupons stay used, as the discounts stay given."""
    sold = sale_of(seed)
    if sold is None or sold.member is None or sold.programme.returns.spent_points != "debt":
        return
    before = member.rolled(sold.member, sold.programme.day(sold.at))
    sale = Sale(receipt=RECEIPT, basket=sold.basket, quote=sold.quote, offline=False, member_state=before)
    sale = msgspec.structs.replace(sale, receipt=msgspec.structs.replace(RECEIPT, business_day=date(2000, 1, 1)))
    now = member.apply(before, sale)
    state = returns.nothing(sold)
    for piece in in_pieces(seeded(seed), sold):
        found = returns.take_back(sold, state, piece)
        assert isinstance(found, TakenBack)
        event = returns.event(sold, state, found, receipt=BACK, sale=sale.receipt)
        sent = msgspec.json.decode(msgspec.json.encode(event), type=Return)
        now, state = member.apply(now, sent), found
    assert now.balance == before.balance
    for name in ("purchases", "turnover", "earnings", "redemptions", "redeemed"):
        kept = {period: value for period, value in getattr(now.counters, name).items() if value}
        assert kept == {period: value for period, value in getattr(before.counters, name).items() if value}, name


# --- worked by hand ---------------------------------------------------------------------------------------------------

HEAD = """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
"""


def sell(
    rules: str, *lines: Line, balance: int = 0, redeem: int = 0, state: MemberState | None = None, card: bool = True
) -> Sold:
    programme: Programme = load(HEAD + rules, "toml")
    who = state or MemberState(balance=balance, as_of=AT) if card else None
    quote = engine.quote(programme, who, Basket(lines), AT, redeem, offline=False)
    assert isinstance(quote, Quote), quote
    return Sold(programme=programme, member=who, basket=Basket(lines), at=AT, quote=quote)


def give_back(sold: Sold, *requests: ReturnRequest) -> list[tuple[int, int, int, int]]:
    found = returns.settle(sold, requests)
    assert not isinstance(found, Refusal), found
    return [(each.refund, each.points_back, each.clawback, each.balance_after) for each in found]


def units(line: int, count: int = 1) -> ReturnRequest:
    return ReturnRequest(units=((line, count),))


def test_units_share_the_money_of_their_line_by_cumulative_half_up() -> None:
    sold = sell("", Line(sum=100, quantity=3_000))
    assert [each[0] for each in give_back(sold, units(0), units(0), units(0))] == [33, 34, 33]
    assert [each[0] for each in give_back(sold, units(0, 2), ReturnRequest(lines=(0,)))] == [67, 33]
    by_weight = sell("", Line(sum=100, quantity=1_500))
    assert [each[0] for each in give_back(by_weight, units(0), ReturnRequest(lines=(0,)))] == [67, 33]


def test_what_was_earned_is_earned_anew_on_what_stays() -> None:
    """5 per full 100.00: three lines of 60.00 earn 5; one of them goes, 120.00 still earn 5; two go, 60.00 earn none."""
    sold = sell("[earn]\nstep = 10000\npoints_per_step = 5", *[Line(sum=6_000)] * 3)
    back = [ReturnRequest(lines=(number,)) for number in range(3)]
    assert give_back(sold, *back) == [(6_000, 0, 0, 5), (6_000, 0, 5, 0), (6_000, 0, 0, 0)]


def test_an_offer_of_points_goes_with_its_threshold() -> None:
    rules = '[[offer]]\nid = "p"\ngive = { points = 50 }\nwhen = { receipt_at_least = 10000 }'
    sold = sell(rules, Line(sum=9_999), Line(sum=1))
    assert give_back(sold, ReturnRequest(lines=(1,))) == [(1, 0, 50, 0)]


def test_a_frozen_member_is_asked_and_not_the_one_of_today() -> None:
    """It stays the first purchase of then."""
    rules = "[earn]\nrate_bp = 100\nfirst_purchase_rate_bp = 1000"
    sold = sell(rules, Line(sum=10_000), Line(sum=10_000))
    assert sold.quote.earned == 20
    assert give_back(sold, ReturnRequest(lines=(0,))) == [(10_000, 0, 10, 10)]


SPENT = "[earn]\nrate_bp = 1000\n[returns]\nspent_points = '{policy}'"


@pytest.mark.parametrize(
    ("policy", "balance", "expected"),
    [
        ("debt", -10, (10_000, 0, 10, -10)),
        ("debt", -3, (10_000, 0, 10, -3)),
        ("debt", 0, (10_000, 0, 10, 0)),
        ("forgive", 0, (10_000, 0, 10, 0)),
        ("forgive", -3, (10_000, 0, 7, 0)),  # 7 are left of the 10, the other 3 were spent
        ("forgive", -10, (10_000, 0, 0, 0)),
        ("forgive", -12, (10_000, 0, 0, -2)),  # a debt from before stays one
        ("from_money", 0, (10_000, 0, 10, 0)),
        ("from_money", -3, (9_700, 0, 7, 0)),
        ("from_money", -10, (9_000, 0, 0, 0)),
    ],
)
def test_points_that_were_spent_already(policy: str, balance: int, expected: tuple[int, ...]) -> None:
    sold = sell(SPENT.format(policy=policy), Line(sum=10_000), balance=balance)
    assert give_back(sold, ReturnRequest(lines=(0,))) == [expected]


def test_what_the_refund_cannot_cover_is_a_debt() -> None:
    rules = (
        SPENT.format(policy="from_money")
        + '\n[[offer]]\nid = "p"\ngive = { points = 50 }\nwhen = { receipt_at_least = 10000 }'
    )
    sold = sell(rules, Line(sum=1_050), Line(sum=8_950), balance=-60)
    assert give_back(sold, ReturnRequest(lines=(0,))) == [(50, 0, 42, -42)]  # 52 to take, 10 kept as 10.00, 42 owed


def test_an_earlier_refund_may_have_to_cover_a_later_shortage() -> None:
    """Else the order of returns would decide who owes what: 89.00 went out, then the last 1.00 takes 50 points with it."""
    rules = (
        SPENT.format(policy="from_money")
        + '\n[[offer]]\nid = "p"\ngive = { points = 50 }\nwhen = { receipt_at_least = 100 }'
    )
    sold = sell(rules, Line(sum=9_900), Line(sum=100), balance=-60)
    one_by_one = give_back(sold, ReturnRequest(lines=(0,)), ReturnRequest(lines=(1,)))
    assert one_by_one == [(8_900, 0, 0, 0), (-4_900, 0, 0, 0)]
    assert give_back(sold, ReturnRequest(lines=(0, 1))) == [(4_000, 0, 0, 0)]


def test_without_a_card_only_the_qr_loses() -> None:
    sold = sell("[earn]\nrate_bp = 1000\n[redeem]", Line(sum=10_000), Line(sum=10_000), card=False)
    assert give_back(sold, ReturnRequest(lines=(0,)), ReturnRequest(lines=(1,))) == [(10_000, 0, 10, 0)] * 2


@pytest.mark.parametrize(
    "request_",
    [
        ReturnRequest(),
        ReturnRequest(lines=(1,)),
        ReturnRequest(lines=(-1,)),
        ReturnRequest(lines=(0, 0)),
        units(0, 4),
        units(0, 0),
        units(0, -1),
        units(2),
        ReturnRequest(units=((0, 2), (0, 2))),
    ],
)
def test_more_than_there_is_cannot_come_back(request_: ReturnRequest) -> None:
    found = returns.settle(sell("", Line(sum=100, quantity=3_000)), (request_,))
    assert isinstance(found, Refusal)
    assert (found.code, found.at) == ("bad_return", "returns[0]")


def test_the_second_return_is_named() -> None:
    found = returns.settle(sell("", Line(sum=100)), (units(0), units(0)))
    assert isinstance(found, Refusal)
    assert found.at == "returns[1]"


def test_the_answer_has_the_shape_of_the_design() -> None:
    assert Returned.__struct_fields__ == ("refund", "points_back", "clawback", "balance_after")


def test_a_whole_return_takes_the_purchase_out_of_its_own_period_only() -> None:
    """A sale of November that comes back in December leaves December's counters alone."""
    sold = sell("", Line(sum=10_000), Line(sum=5_000))
    state = MemberState(as_of=AT)
    sale = Sale(receipt=RECEIPT, basket=sold.basket, quote=sold.quote, offline=False, member_state=state)
    bought = member.rolled(member.apply(state, sale), date(2027, 1, 7))
    partly = returns.take_back(sold, returns.nothing(sold), units(0))
    assert isinstance(partly, TakenBack)
    first = returns.event(sold, returns.nothing(sold), partly, receipt=BACK, sale=RECEIPT, member="m")
    assert (first.purchases, first.turnover, first.day, first.member) == (0, 10_000, date(2026, 12, 12), "m")
    whole = returns.take_back(sold, partly, units(1))
    assert isinstance(whole, TakenBack)
    second = returns.event(sold, partly, whole, receipt=BACK, sale=RECEIPT)
    now = member.apply(member.apply(bought, first), second)
    assert now.counters.purchases == {"lifetime": 0}
    assert now.counters.turnover == {"lifetime": 0}
    assert now.counters.on == date(2027, 1, 7)


def test_till_and_server_that_see_the_same_events_end_equal() -> None:
    """The till starts from the server's page at any point and goes on by itself, over the wire."""
    for seed in range(60):
        random = seeded(seed)
        events: list[Sale | Return] = []
        state = MemberState(balance=100, as_of=AT, stamps={"card0": 2}, coupons=("A",))
        pages = [state]
        for _ in range(6):
            sold = sale_of(random.randint(0, 10**6))
            if sold is None or sold.member is None:
                continue
            sale = Sale(receipt=RECEIPT, basket=sold.basket, quote=sold.quote, offline=True, member_state=sold.member)
            pieces = in_pieces(random, sold)[:2]
            back = returns.event(sold, returns.nothing(sold), after(sold, pieces), receipt=BACK, sale=RECEIPT)
            for event in (sale, back):
                events.append(event)
                state = member.apply(state, event)
                pages.append(state)
        for seen, page in enumerate(pages):
            till = msgspec.json.decode(msgspec.json.encode(page), type=MemberState)
            for event in events[seen:]:
                till = member.apply(till, msgspec.json.decode(msgspec.json.encode(event), type=type(event)))
            assert till == state
