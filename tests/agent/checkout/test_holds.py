"""Points that the server holds for the open receipt: asked for in time, given back, and never waited for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.checkout import Commit, HoldAnswered, HoldPoints, NotStored, Recovered, ReleaseHold, Stored, WakeAt, Woke
from agent.checkout.basket import HOLD_WAITS
from agent.messages import CancelBasket, CommitSale, PutBasket, Reply, Scanned
from agent.views import Identified, Quoted
from loyalty.quote import Basket, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, MakeKnown

    from agent.checkout import Held
    from agent.checkout.model import Redeem
    from agent.messages import Answer

    MakeCommit = Callable[..., CommitSale]

CARD, OTHER_CARD, STRANGER = "2900000000117", "2900000000216", "2900000000414"


@pytest.fixture
def till(desk: Desk) -> Desk:
    """With a member of 300 points, of which 200 may be paid offline, and a server that is there."""
    desk.context = replace(desk.context, live=True)
    desk.scan(CARD)
    return desk


def ask(desk: Desk, redeem: Redeem = "max", total: int = 50000) -> tuple[Reply, Held]:
    reply: Reply = Future()
    desk.tell(PutBasket(Basket((Line(sku="1", sum=total),)), redeem, reply))
    assert desk.answer(reply) is None, "it waits for the server"
    (wanted,) = desk.of(HoldPoints)
    return reply, wanted.hold


def told(desk: Desk, asked: tuple[Reply, Held], granted: bool, most: int | None = None) -> Answer | None:
    reply, hold = asked
    desk.tell(HoldAnswered(hold, granted, most))
    return desk.answer(reply)


def released(desk: Desk) -> list[str]:
    return [each.hold for each in desk.of(ReleaseHold)]


def sale_of(desk: Desk, call: CommitSale) -> Commit:
    (effect,) = [each for each in desk.tell(call) if isinstance(each, Commit)]
    return effect


def test_points_that_are_held_may_be_more_than_the_offline_policy_allows(till: Desk, commit: MakeCommit) -> None:
    asked = ask(till)
    assert (asked[1].member, asked[1].points) == ("m1", 250)  # half of 500.00; offline 200
    quoted = told(till, asked, granted=True)
    assert isinstance(quoted, Quoted)
    assert (quoted.quote.redeemed, quoted.quote.pay) == (250, 25000)
    sale = sale_of(till, commit(quoted.quote_id, 250)).sale
    assert (sale.hold, sale.offline, sale.quote.redeemed) == (asked[1].id, False, 250)
    assert released(till) == []


@pytest.mark.parametrize("redeem", ["max", 100])
def test_without_an_answer_in_time_the_offline_policy_decides(till: Desk, commit: MakeCommit, redeem: Redeem) -> None:
    reply, hold = ask(till, redeem)
    assert till.of(WakeAt) == [WakeAt(till.context.tick + HOLD_WAITS)]
    till.later(HOLD_WAITS - 0.01)
    till.tell(Woke())
    assert till.answer(reply) is None
    till.later(0.01)
    till.tell(Woke())
    quoted = till.answer(reply)
    assert isinstance(quoted, Quoted)
    assert quoted.quote.redeemed == (200 if redeem == "max" else 100)
    assert released(till) == [hold.id], "it may have been granted"
    before = till.state
    told(till, (reply, hold), granted=True)
    assert till.state == before, "too late"
    sale = sale_of(till, commit(quoted.quote_id, quoted.quote.redeemed)).sale
    assert (sale.hold, sale.offline) == (None, True)


def test_a_server_that_cannot_answer_is_as_one_that_is_late(till: Desk) -> None:
    asked = ask(till)
    quoted = told(till, asked, granted=False)
    assert isinstance(quoted, Quoted)
    assert (quoted.quote.redeemed, released(till)) == (200, [asked[1].id])


def test_where_less_is_there_less_is_held(till: Desk) -> None:
    reply, hold = ask(till)
    assert told(till, (reply, hold), granted=False, most=40) is None
    (again,) = till.of(HoldPoints)
    assert again.hold.points == 40
    quoted = told(till, (reply, again.hold), granted=True)
    assert isinstance(quoted, Quoted)
    assert quoted.quote.redeemed == 40


def test_a_number_of_points_that_are_not_there_is_refused_with_the_most(till: Desk) -> None:
    before = till.state
    refused = told(till, ask(till, 100), granted=False, most=40)
    assert (refused.code, refused.detail != "") == ("redeem_above_most", True)
    assert replace(till.state, shown=before.shown) == before


def test_where_nothing_is_there_the_offline_policy_is_not_asked(till: Desk) -> None:
    quoted = told(till, ask(till), granted=False, most=0)
    assert isinstance(quoted, Quoted)
    assert (quoted.quote.redeemed, till.of(HoldPoints)) == (0, [])


def test_asking_ends_with_the_first_question_s_time(till: Desk) -> None:
    reply, hold = ask(till)
    till.later(HOLD_WAITS / 2)
    told(till, (reply, hold), granted=False, most=40)
    till.later(HOLD_WAITS / 2)
    till.tell(Woke())
    assert isinstance(till.answer(reply), Quoted)


def test_the_same_receipt_keeps_its_hold(till: Desk) -> None:
    first = ask(till)
    told(till, first, granted=True)
    second = ask(till, 10, 60000)
    assert (second[1].id, second[1].points) == (first[1].id, 10)
    assert released(till) == []
    told(till, second, granted=True)
    quoted = till.basket(60000, 0)
    assert isinstance(quoted, Quoted)
    assert (quoted.quote.redeemed, released(till)) == (0, [first[1].id])
    assert ask(till, 10)[1].id != first[1].id, "what was given back is over"


def test_each_quote_of_a_receipt_that_stays_open_renews_its_hold(till: Desk) -> None:
    first = ask(till)
    told(till, first, granted=True)
    till.later(14 * 60)
    second = ask(till)
    assert (second[1], released(till)) == (first[1], [])
    assert told(till, second, granted=False, most=40) is None, "another receipt has got what had run out here"
    assert [each.hold.points for each in till.of(HoldPoints)] == [40]


def test_nobody_is_asked_where_there_is_nothing_to_hold(till: Desk) -> None:
    assert isinstance(till.basket(50000, 0), Quoted)
    assert till.of(HoldPoints) == []
    till.context = replace(till.context, live=False)
    quoted = till.basket(50000, "max")
    assert (quoted.quote.redeemed, till.of(HoldPoints)) == (200, [])
    till.context = replace(till.context, live=True)
    till.tell(CancelBasket(Future()))
    assert isinstance(till.basket(50000, "max"), Quoted)
    till.scan(STRANGER)
    assert isinstance(till.basket(50000, "max"), Quoted)
    assert till.of(HoldPoints) == []


def test_a_quote_says_how_many_points_could_be_held(till: Desk, commit: MakeCommit) -> None:
    quoted = till.basket(50000, 0)
    assert quoted.quote.max_redeem == 250
    till.context = replace(till.context, live=False)
    assert till.basket(50000, 0).quote.max_redeem == 200
    till.context = replace(till.context, live=True)
    assert sale_of(till, commit(till.basket(50000, 0).quote_id, 0)).sale.offline is False


def test_points_that_nobody_has_asked_for_before_the_commit_follow_the_offline_policy(
    till: Desk, commit: MakeCommit
) -> None:
    quoted = till.basket(50000, 0)
    sale = sale_of(till, commit(quoted.quote_id, 150)).sale
    assert (sale.hold, sale.offline, sale.quote.redeemed) == (None, True, 150)


def test_more_than_the_member_has_is_refused_without_asking(till: Desk) -> None:
    refused = till.basket(500000, 301)
    assert (refused.code, till.of(HoldPoints)) == ("redeem_above_most", [])


def test_a_cancelled_receipt_gives_back_what_was_held(till: Desk) -> None:
    asked = ask(till)
    told(till, asked, granted=True)
    till.tell(CancelBasket(Future()))
    assert released(till) == [asked[1].id]


def test_a_basket_for_another_card_gives_back_what_was_held(till: Desk) -> None:
    first = ask(till)
    told(till, first, granted=True)
    till.scan(OTHER_CARD)
    assert till.state.offer is not None
    assert till.state.offer.quote.redeemed == 0
    second = ask(till)
    assert (second[1].member, second[1].id != first[1].id) == ("m2", True)
    told(till, second, granted=True)
    assert released(till) == [first[1].id]


def test_what_comes_meanwhile_waits(till: Desk) -> None:
    asked = ask(till)
    till.take(Scanned("counter", OTHER_CARD.encode(), till.context.now))
    assert till.state.attached is not None
    assert till.state.attached.card == CARD
    quoted = told(till, asked, granted=True)
    assert isinstance(quoted, Quoted)
    assert not till.state.waiting


def test_a_fresher_balance_leaves_the_hold(till: Desk, make_known: MakeKnown, commit: MakeCommit) -> None:
    asked = ask(till)
    quoted = told(till, asked, granted=True)
    assert isinstance(quoted, Quoted)
    till.fresher(CARD, make_known("m1", 20))
    assert till.state.offer is not None
    assert (till.state.offer.quote.redeemed, till.state.offer.id) == (250, quoted.quote_id)
    sale = sale_of(till, commit(quoted.quote_id, 250)).sale
    assert (sale.hold, sale.offline) == (asked[1].id, False)


@pytest.mark.parametrize(("redeemed", "offline"), [(0, False), (100, False), (200, False)])
def test_fewer_points_than_were_held_are_paid_with_the_hold(
    till: Desk, commit: MakeCommit, redeemed: int, offline: bool
) -> None:
    asked = ask(till)
    quoted = told(till, asked, granted=True)
    assert isinstance(quoted, Quoted)
    sale = sale_of(till, commit(quoted.quote_id, redeemed)).sale
    assert (sale.hold, sale.offline, sale.quote.redeemed) == (asked[1].id, offline, redeemed)


def test_more_points_than_were_held_follow_the_offline_policy(till: Desk, commit: MakeCommit) -> None:
    quoted = told(till, ask(till, 50), granted=True)
    assert isinstance(quoted, Quoted)
    sale = sale_of(till, commit(quoted.quote_id, 150)).sale
    assert (sale.hold is not None, sale.offline, sale.quote.redeemed) == (True, True, 150)


def test_a_look_at_the_card_does_not_wait_for_a_server(till: Desk) -> None:
    assert isinstance(till.identify(OTHER_CARD), Identified)


def stored(desk: Desk, sale: Commit, problem: str | None = None) -> None:
    said = Stored(sale.sale_id, sale.request_hash, sale.sold, True)
    desk.take(NotStored(sale.sale_id, problem) if problem else said)


def test_a_sale_to_another_card_gives_back_what_was_held_for_the_first(till: Desk, commit: MakeCommit) -> None:
    _, hold = asked = ask(till)
    told(till, asked, granted=True)
    till.scan(OTHER_CARD)
    assert released(till) == [], "the quote that the register knows can still be paid"
    assert till.state.offer is not None
    sale = sale_of(till, commit(till.state.offer.id))
    assert (sale.sale.member, sale.sale.hold) == ("m2", None)
    stored(till, sale)
    assert released(till) == [hold.id]


def test_the_quote_that_the_register_knows_is_sold_with_its_hold(till: Desk, commit: MakeCommit) -> None:
    _, hold = asked = ask(till)
    quoted = told(till, asked, granted=True)
    assert isinstance(quoted, Quoted)
    till.scan(OTHER_CARD)
    sale = sale_of(till, commit(quoted.quote_id, 250))
    stored(till, sale)
    assert (sale.sale.hold, released(till)) == (hold.id, [])


@pytest.mark.parametrize(
    ("problem", "given_back"), [("receipt_conflict", True), ("sale_conflict", False), ("queue_full", False)]
)
def test_a_receipt_that_is_known_as_another_sale_gives_back_what_was_held(
    till: Desk, commit: MakeCommit, problem: str, given_back: bool
) -> None:
    """The sale of `sale_conflict` is stored already, and its hold goes with it; on a full queue the receipt stays open."""
    _, hold = asked = ask(till)
    quoted = told(till, asked, granted=True)
    assert isinstance(quoted, Quoted)
    stored(till, sale_of(till, commit(quoted.quote_id, 250)), problem)
    assert released(till) == ([hold.id] if given_back else [])


def test_what_was_asked_when_the_till_stumbled_is_given_back(till: Desk) -> None:
    _, hold = ask(till)
    till.take(Recovered())
    assert released(till) == [hold.id]


def test_a_receipt_that_keeps_its_quote_keeps_its_hold(till: Desk) -> None:
    first = ask(till, 10)
    told(till, first, granted=True)
    refused = told(till, ask(till, 250), granted=False)
    assert refused.code == "redeem_above_most", "more than may be paid offline"
    assert (released(till), till.state.offer.hold) == ([], first[1])
    till.tell(CancelBasket(Future()))
    assert released(till) == [first[1].id]
