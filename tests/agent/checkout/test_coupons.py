"""Coupons of a member on the open receipt: the server keeps them for this till, or the receipt goes without them."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from agent.checkout import Commit, HoldAnswered, HoldPoints, MemberFound, ReleaseHold
from agent.messages import CancelBasket, PutBasket, Reply, Scanned
from agent.views import Quoted
from loyalty import programme
from loyalty.i18n import texts
from loyalty.quote import Basket, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, MakeKnown

    from agent.checkout import Held, Known
    from agent.checkout.model import Redeem
    from agent.messages import Answer, CommitSale
    from loyalty.quote import Quote

CARD = "2900000000117"
PROGRAMME = """
[programme]
id = "club"
revision = 8
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[redeem]
cap_bp = 5000
offline = { policy = "none" }
[[offer]]
id = "latte"
group = "coupons"
when = { coupon = "LATTE-7" }
give = { discount = 10000 }
[[offer]]
id = "tea"
when = { coupon = "TEA-1", bought = { skus = ["tea"] } }
give = { discount = 5000 }
"""


@pytest.fixture
def whose(make_known: MakeKnown) -> Known:
    known = make_known("m1", 300)
    return replace(known, state=msgspec.structs.replace(known.state, coupons=("LATTE-7", "TEA-1")))


@pytest.fixture
def till(desk: Desk, whose: Known) -> Desk:
    """With a member of two coupons, and a server that is there."""
    desk.context = replace(desk.context, live=True, programme=programme.load(PROGRAMME, "toml"))
    desk.take(Scanned("counter", CARD.encode(), desk.context.now))
    desk.take(MemberFound(CARD, whose))
    return desk


def put(desk: Desk, redeem: Redeem = 0, sku: str = "coffee") -> Reply:
    reply: Reply = Future()
    desk.take(PutBasket(Basket((Line(sku=sku, sum=50000),)), redeem, reply))
    return reply


def asked(desk: Desk) -> tuple[int, tuple[str, ...]]:
    (wanted,) = desk.of(HoldPoints)
    return wanted.hold.points, wanted.hold.coupons


def said(desk: Desk, granted: bool, most: int | None = None, taken: tuple[str, ...] = ()) -> Held:
    assert desk.state.holding is not None
    hold = desk.state.holding.offer.hold
    assert hold is not None
    desk.take(HoldAnswered(hold, granted, most, taken))
    return hold


def quote_of(answer: Answer | None) -> Quote:
    assert isinstance(answer, Quoted)
    return answer.quote


def released(desk: Desk) -> list[str]:
    return [each.hold for each in desk.of(ReleaseHold)]


def test_the_coupon_that_a_receipt_uses_is_held_and_no_other(till: Desk, commit: Callable[..., CommitSale]) -> None:
    reply = put(till)
    assert (till.answer(reply), asked(till)) == (None, (0, ("LATTE-7",)))
    hold = said(till, granted=True)
    quoted = till.answer(reply)
    assert (quote_of(quoted).coupons_used, quote_of(quoted).pay) == (("LATTE-7",), 40000)
    (effect,) = [each for each in till.take(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert (effect.sale.hold, effect.sale.offline) == (hold.id, False)
    assert effect.sale.quote.coupons_used == ("LATTE-7",)


def test_points_and_coupons_are_held_together(till: Desk) -> None:
    reply = put(till, "max", "tea")
    assert asked(till) == (175, ("LATTE-7", "TEA-1"))
    said(till, granted=True)
    assert quote_of(till.answer(reply)).redeemed == 175


def test_a_coupon_that_another_till_has_is_left_out_and_the_cashier_is_told(till: Desk) -> None:
    reply = put(till, sku="tea")
    said(till, granted=False, taken=("LATTE-7",))
    assert (till.answer(reply), asked(till)) == (None, (0, ("TEA-1",)))
    said(till, granted=True)
    assert (quote_of(till.answer(reply)).coupons_used, quote_of(till.answer(reply)).pay) == (("TEA-1",), 45000)
    assert till.view.notice == texts("till.coupon_taken")
    assert (till.view.state, till.view.pay) == ("member", 45000)


def test_without_any_coupon_left_nothing_is_held(till: Desk, commit: Callable[..., CommitSale]) -> None:
    reply = put(till)
    said(till, granted=False, taken=("LATTE-7",))
    quoted = till.answer(reply)
    assert (quote_of(quoted).coupons_used, quote_of(quoted).pay, released(till)) == ((), 50000, [])
    (effect,) = [each for each in till.take(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert effect.sale.member_state.coupons == ("TEA-1",), "as the engine was told, so that the server finds the same"


def test_what_the_server_has_said_of_points_holds_when_it_has_spoken_of_coupons(till: Desk) -> None:
    reply = put(till, "max")
    assert asked(till) == (200, ("LATTE-7",))
    said(till, granted=False, most=40)
    assert asked(till) == (40, ("LATTE-7",))
    said(till, granted=False, taken=("LATTE-7",))
    assert asked(till) == (40, ())
    said(till, granted=True)
    assert (quote_of(till.answer(reply)).redeemed, quote_of(till.answer(reply)).pay) == (40, 46000)


@pytest.mark.parametrize("live", [True, False])
def test_without_the_server_the_coupon_is_good(till: Desk, live: bool) -> None:
    till.context = replace(till.context, live=live)
    reply = put(till)
    if live:
        hold = said(till, granted=False)
        assert released(till) == [hold.id], "it may have been granted"
    assert quote_of(till.answer(reply)).coupons_used == ("LATTE-7",)


def test_a_server_that_refuses_what_it_does_not_name_is_not_asked_for_ever(till: Desk) -> None:
    reply = put(till, "max")
    said(till, granted=False, most=10**6)
    assert till.of(HoldPoints) == []
    assert quote_of(till.answer(reply)).redeemed == 0


def test_the_next_basket_asks_again_and_what_is_not_needed_is_given_back(till: Desk) -> None:
    put(till)
    said(till, granted=False, taken=("LATTE-7",))
    put(till)
    hold = said(till, granted=True)
    put(till, sku="tea")
    assert (asked(till), till.state.holding.offer.hold.id) == ((0, ("LATTE-7", "TEA-1")), hold.id)
    said(till, granted=True)
    till.take(CancelBasket(Future()))
    assert released(till) == [hold.id]


def test_news_of_the_member_do_not_bring_back_a_coupon_that_is_taken(till: Desk, whose: Known) -> None:
    put(till, sku="tea")
    said(till, granted=False, taken=("LATTE-7",))
    said(till, granted=True)
    fresher = replace(whose, state=msgspec.structs.replace(whose.state, balance=310))
    till.fresher(CARD, fresher)
    assert till.state.offer.quote.coupons_used == ("TEA-1",)
