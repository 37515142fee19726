"""The receipt at the checkout: quotes, commits, slips, and what happens when the queue says no."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from agent.checkout import (
    Again,
    Commit,
    FindMember,
    FindSale,
    NotStored,
    Recovered,
    Refreshed,
    Respond,
    Stored,
    StoreEnrolment,
    TakeToken,
    Woke,
)
from agent.messages import CancelBasket, CommitSale, Enrol, PutBasket, Scanned
from agent.views import Cancelled, Quoted, SaleAnswer, Sold
from loyalty.quote import Basket, Line
from receipt_templates.layout import slip_lines

if TYPE_CHECKING:
    from conftest import Desk, MakeKnown

    MakeCommit = Callable[..., CommitSale]

CARD, OTHER_CARD, SILVER_CARD, STRANGER = "2900000000117", "2900000000216", "2900000000315", "2900000000414"
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
URL = "HTTPS://EXAMPLE.ORG/E/" + "A" * 32


def stored(effect: Commit, seq: int = 1, job: int | None = 5, *, created: bool = True) -> Stored:
    sold = Sold(
        **{name: getattr(effect.sold, name) for name in effect.sold.__struct_fields__} | {"seq": seq, "job": job}
    )
    return Stored(effect.sale_id, effect.request_hash, sold, created)


def test_a_basket_with_a_member_is_quoted_and_shown(desk: Desk) -> None:
    desk.scan(CARD)
    quoted = desk.basket(50000, "max")
    assert isinstance(quoted, Quoted)
    assert (quoted.quote.redeemed, quoted.quote.pay) == (200, 30000)  # the offline cap: there are no holds yet
    assert (desk.view.total, desk.view.pay, desk.view.redeemed, desk.view.earns) == (50000, 30000, 200, 3)
    assert quoted.slip.qr is None
    assert any("Начислено" in line for line in quoted.slip.lines)


def test_a_basket_without_a_card_carries_the_invitation(desk: Desk) -> None:
    quoted = desk.basket()
    assert quoted.slip.qr == URL
    assert f"[qr {URL}]" in "".join(line.strip() for line in quoted.slip.lines)
    assert "example.org" in "\n".join(quoted.slip.lines)
    assert desk.of(TakeToken) == [TakeToken()]
    assert (desk.view.state, desk.view.earns) == ("idle", 5)


def test_the_token_of_an_open_receipt_is_taken_once(desk: Desk) -> None:
    first = desk.basket(50000)
    desk.context = replace(desk.context, next_token="B" * 32)
    second = desk.basket(60000)
    assert desk.of(TakeToken) == []
    assert first.slip.qr == second.slip.qr
    assert first.quote_id != second.quote_id


def test_more_points_than_may_be_paid_are_refused_and_change_nothing(desk: Desk) -> None:
    desk.scan(CARD)
    desk.basket(50000)
    before = desk.state
    refused = desk.basket(50000, 201)
    assert (refused.status, refused.code) == (422, "redeem_above_most")
    assert desk.state == before


def test_a_basket_that_is_refused_leaves_what_was_sold_on_the_screen(desk: Desk, commit: MakeCommit) -> None:
    (effect,) = [each for each in desk.tell(commit(desk.basket().quote_id)) if isinstance(each, Commit)]
    desk.tell(stored(effect))
    assert desk.basket(50000, 1).code == "redeem_above_most"
    assert desk.view.state == "sold"


def test_a_commit_is_answered_once_it_is_stored(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(CARD)
    call = commit(desk.basket(50000, 100).quote_id, 100)
    (effect,) = [each for each in desk.tell(call) if isinstance(each, Commit)]
    assert desk.answer(call.reply) is None
    assert (effect.sale.member, effect.sale.card, effect.sale.token, effect.sale.offline) == ("m1", None, None, True)
    assert (effect.sale.receipt.store, effect.sale.receipt.till, effect.sale.receipt.number) == ("S1", "1", "7")
    assert effect.sale.member_state is not None
    desk.tell(stored(effect))
    sold = Sold(sale_id=effect.sale_id, seq=1, earned=4, redeemed=100, balance_after=204, job=5, token=None)
    assert desk.answer(call.reply) == SaleAnswer(True, sold)
    assert (desk.view.state, desk.view.earns, desk.view.balance, desk.view.greeting) == ("sold", 4, 204, "Анна")
    assert desk.state.attached is None


def test_what_was_sold_leaves_with_the_next_scan_basket_or_after_a_while(desk: Desk, commit: MakeCommit) -> None:
    def sell() -> None:
        (effect,) = [each for each in desk.tell(commit(desk.basket().quote_id)) if isinstance(each, Commit)]
        desk.tell(stored(effect))
        assert desk.view.state == "sold"

    sell()
    desk.scan("4006381333931")
    assert desk.view.state == "sold"
    desk.scan(CARD)
    assert (desk.view.state, desk.view.total) == ("member", None)
    desk.tell(CancelBasket(Future()))
    sell()
    desk.basket(100)
    assert (desk.view.state, desk.view.total) == ("idle", 100)
    sell()
    desk.later(3600)
    desk.tell(Woke())
    assert (desk.view.state, desk.view.total) == ("idle", None)


def test_a_sale_without_a_card_prints_its_token_and_stores_it(desk: Desk, commit: MakeCommit) -> None:
    (effect,) = [each for each in desk.tell(commit(desk.basket().quote_id)) if isinstance(each, Commit)]
    assert effect.sale.token == effect.sold.token == "A" * 32
    assert effect.slip is not None
    lines = "\n".join(slip_lines(effect.slip, 42))
    assert URL in lines.replace("\n", "")
    assert "Чек № 7" in lines


@pytest.mark.parametrize(
    ("prints", "has_printer", "slip", "token"),
    [
        ("agent", True, True, True),
        ("agent", False, False, False),
        ("pos", True, False, True),
        ("none", True, False, False),
    ],
)
def test_a_token_is_stored_only_when_it_is_on_paper(
    desk: Desk, commit: MakeCommit, prints: str, has_printer: bool, slip: bool, token: bool
) -> None:
    desk.context = replace(desk.context, prints=has_printer)
    call = commit(desk.basket().quote_id, prints=prints)
    (effect,) = [each for each in desk.tell(call) if isinstance(each, Commit)]
    assert (effect.slip is not None, effect.sale.token is not None) == (slip, token)


ASKING = ("agent", "requested", "pos", "none")
BY_AGENT = {  # paper, card -> for which `prints` the agent's printer prints the slip
    ("always", CARD): ("agent", "requested"),
    ("always", None): ("agent", "requested"),
    ("no_member", CARD): (),
    ("no_member", None): ("agent", "requested"),
    ("on_request", CARD): ("requested",),
    ("on_request", None): ("requested",),
    ("never", CARD): (),
    ("never", None): (),
}


@pytest.fixture
def with_paper(desk: Desk) -> Callable[[str], None]:
    def change(paper: str) -> None:
        programme = desk.context.programme
        assert programme is not None
        header = replace(programme.header, paper=paper)
        desk.context = replace(desk.context, programme=replace(programme, header=header))

    return change


@pytest.mark.parametrize("prints", ASKING)
@pytest.mark.parametrize(("paper", "card"), BY_AGENT)
def test_the_programme_says_who_gets_a_slip(
    desk: Desk, commit: MakeCommit, with_paper: Callable[[str], None], paper: str, card: str | None, prints: str
) -> None:
    with_paper(paper)
    if card:
        desk.scan(card)
    quoted = desk.basket()
    slip_of_pos = paper != "never" and not (paper == "no_member" and card)
    assert bool(quoted.slip.lines) == slip_of_pos
    assert bool(quoted.slip.qr) == (slip_of_pos and card is None)
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id, prints=prints)) if isinstance(each, Commit)]
    printed = prints in BY_AGENT[paper, card]
    assert (effect.slip is not None) == printed
    on_paper = printed or (prints == "pos" and slip_of_pos)
    assert (effect.sale.token is not None) == (on_paper and card is None)


@pytest.mark.parametrize(
    ("paper", "slip"), [("always", True), ("no_member", True), ("on_request", True), ("never", False)]
)
def test_an_invitation_that_is_asked_for_is_printed_unless_there_are_no_slips(
    desk: Desk, with_paper: Callable[[str], None], paper: str, slip: bool
) -> None:
    with_paper(paper)
    (effect,) = [each for each in desk.tell(Enrol(Future())) if isinstance(each, StoreEnrolment)]
    assert (effect.slip is not None) == slip


def test_a_recognised_card_is_booked_by_its_number(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(STRANGER)
    (effect,) = [each for each in desk.tell(commit(desk.basket().quote_id)) if isinstance(each, Commit)]
    assert (effect.sale.member, effect.sale.card, effect.sold.balance_after) == (None, STRANGER, None)


def test_points_chosen_at_the_commit_are_quoted_again(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(CARD)
    quote_id = desk.basket(50000, 0).quote_id
    call = commit(quote_id, 201)
    desk.tell(call)
    assert desk.answer(call.reply).code == "redeem_above_most"
    (effect,) = [each for each in desk.tell(commit(quote_id, 150)) if isinstance(each, Commit)]
    assert (effect.sale.quote.redeemed, effect.sale.quote.pay) == (150, 35000)


def test_a_card_scanned_into_an_open_receipt_joins_it(desk: Desk, commit: MakeCommit) -> None:
    quoted = desk.basket()
    desk.scan(CARD)
    assert (desk.view.state, desk.view.total, desk.view.earns) == ("member", 50000, 5)
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert (effect.sale.member, effect.sale.token) == ("m1", None)  # the money is as the POS knows it


def test_where_a_scan_changes_the_money_the_closed_receipt_counts(desk: Desk, commit: MakeCommit) -> None:
    quoted = desk.basket()
    desk.scan(SILVER_CARD)
    assert desk.view.pay == 47500
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert (effect.sale.member, effect.sale.quote.pay) == (None, 50000)


def test_the_quote_that_the_pos_knows_outlives_any_number_of_scans(desk: Desk, commit: MakeCommit) -> None:
    quoted = desk.basket()
    for card in (SILVER_CARD, CARD, SILVER_CARD):
        desk.scan(card)
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert effect.sale.quote.pay == 50000
    desk.tell(NotStored(quoted.quote_id, "queue_full"))
    desk.scan(CARD)  # the money is as the POS knows it again
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert effect.sale.member == "m1"


def test_news_of_the_member_keep_the_quote_that_the_pos_knows(
    desk: Desk, commit: MakeCommit, make_known: MakeKnown
) -> None:
    desk.scan(STRANGER)
    quoted = desk.basket()
    desk.later(120)
    desk.fresher(STRANGER, make_known("m4", 70))
    assert (desk.view.state, desk.view.balance, desk.view.max_redeem, desk.view.pay) == ("member", 70, 70, 50000)
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert (effect.sale_id, effect.sale.member, effect.sale.card) == (quoted.quote_id, "m4", None)
    assert (effect.sold.balance_after, effect.at) == (75, NOW)  # the receipt is of the time at which it was quoted


def test_where_news_change_the_money_the_closed_receipt_counts(
    desk: Desk, commit: MakeCommit, make_known: MakeKnown
) -> None:
    desk.scan(CARD)
    quoted = desk.basket()
    desk.fresher(CARD, make_known("m1", 300, purchases=9))  # silver now
    assert desk.view.pay == 47500
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id)) if isinstance(each, Commit)]
    assert (effect.sale.member, effect.sale.quote.pay) == ("m1", 50000)


def test_points_that_are_gone_leave_the_receipt_on_the_screen(
    desk: Desk, commit: MakeCommit, make_known: MakeKnown
) -> None:
    desk.scan(CARD)
    quoted = desk.basket(50000, 200)
    desk.fresher(CARD, make_known("m1", 50))
    assert (desk.view.balance, desk.view.redeemed, desk.view.pay, desk.view.max_redeem) == (50, 0, 50000, 50)
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id, 200)) if isinstance(each, Commit)]
    assert (effect.sale.quote.redeemed, effect.sale.quote.pay) == (200, 30000)  # as the receipt says


def test_news_during_a_commit_do_not_touch_what_was_sold(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(CARD)
    (effect,) = [each for each in desk.tell(commit(desk.basket().quote_id)) if isinstance(each, Commit)]
    assert desk.take(Refreshed()) == []
    desk.tell(stored(effect))
    assert desk.of(Again) == [Again(Refreshed())]
    assert desk.take(Refreshed()) == []
    assert (desk.view.state, desk.view.balance) == ("sold", 305)


@pytest.mark.parametrize(
    ("prints", "member", "token"), [("pos", None, "A" * 32), ("agent", "m1", None), ("none", "m1", None)]
)
def test_a_qr_that_the_pos_has_on_paper_is_the_one_of_the_sale(
    desk: Desk, commit: MakeCommit, prints: str, member: str | None, token: str | None
) -> None:
    quoted = desk.basket()
    assert "A" * 32 in quoted.slip.qr
    desk.scan(CARD)  # the money stays, so the quote does; the POS may have the slip on paper already
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id, prints=prints)) if isinstance(each, Commit)]
    assert (effect.sale.member, effect.sale.token, effect.sold.token) == (member, token, token)


def test_a_pos_that_asks_again_after_the_scan_prints_no_qr_and_sells_to_the_member(
    desk: Desk, commit: MakeCommit
) -> None:
    desk.basket()
    desk.scan(CARD)
    quoted = desk.basket()
    assert quoted.slip.qr is None
    (effect,) = [each for each in desk.tell(commit(quoted.quote_id, prints="pos")) if isinstance(each, Commit)]
    assert (effect.sale.member, effect.sale.token) == ("m1", None)


def test_an_enrolment_waits_for_its_first_token(desk: Desk) -> None:
    desk.context = replace(desk.context, next_token=None)
    enrol = Enrol(Future())
    desk.tell(enrol)
    assert desk.answer(enrol.reply).code == "busy"


def test_points_of_one_card_are_not_spent_for_another(desk: Desk) -> None:
    desk.scan(OTHER_CARD)
    desk.basket(50000, 50)
    desk.scan(CARD)
    assert (desk.view.redeemed, desk.view.pay, desk.view.max_redeem) == (0, 50000, 200)


def test_a_scan_during_a_commit_waits_and_belongs_to_the_next_receipt(desk: Desk, commit: MakeCommit) -> None:
    (effect,) = [each for each in desk.tell(commit(desk.basket().quote_id)) if isinstance(each, Commit)]
    scan = Scanned("counter", CARD.encode(), desk.context.now)
    assert desk.tell(scan) == []
    desk.tell(stored(effect))
    assert desk.of(Again) == [Again(scan)]
    assert desk.view.state == "sold"
    desk.tell(scan)
    assert (desk.view.state, desk.view.total) == ("member", None)


def test_too_much_waiting_is_refused_not_piled_up(desk: Desk, commit: MakeCommit) -> None:
    desk.tell(commit(desk.basket().quote_id))
    for _ in range(64):
        assert desk.scan(CARD) == []
    assert [type(each).__name__ for each in desk.scan(CARD)] == ["Dropped"]
    call = commit("any")
    desk.tell(call)
    assert desk.answer(call.reply).code == "busy"


def test_the_same_commit_again_gets_the_stored_answer(desk: Desk, commit: MakeCommit) -> None:
    quote_id = desk.basket().quote_id
    (effect,) = [each for each in desk.tell(commit(quote_id)) if isinstance(each, Commit)]
    done = stored(effect)
    desk.tell(done)
    again = commit(quote_id)
    assert [each for each in desk.tell(again) if isinstance(each, FindSale | Commit)] == [FindSale(quote_id)]
    desk.tell(replace(done, created=False))
    assert desk.answer(again.reply) == SaleAnswer(False, done.sold)


def test_the_same_sale_with_another_body_is_a_conflict(desk: Desk, commit: MakeCommit) -> None:
    quote_id = desk.basket().quote_id
    (effect,) = [each for each in desk.tell(commit(quote_id)) if isinstance(each, Commit)]
    desk.tell(stored(effect))
    other = commit(quote_id, number="8", body="other")
    desk.tell(other)
    desk.tell(stored(effect, created=False))
    assert (desk.answer(other.reply).status, desk.answer(other.reply).code) == (409, "sale_conflict")


def test_a_quote_that_nobody_knows(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(CARD)
    call = commit("nothing")
    desk.tell(call)
    desk.tell(NotStored("nothing", "quote_unknown"))
    assert (desk.answer(call.reply).status, desk.answer(call.reply).code) == (409, "quote_unknown")
    assert desk.view.state == "member"


def test_a_sale_that_the_queue_refuses_can_be_tried_again(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(CARD)
    quote_id = desk.basket().quote_id
    call = commit(quote_id)
    desk.tell(call)
    desk.tell(NotStored(quote_id, "queue_full"))
    assert desk.answer(call.reply).code == "queue_full"
    assert (desk.view.state, desk.view.total) == ("member", 50000)
    assert [each for each in desk.tell(commit(quote_id)) if isinstance(each, Commit)]


def test_a_receipt_that_is_stored_as_another_sale_is_over(desk: Desk, commit: MakeCommit) -> None:
    desk.scan(CARD)
    quote_id = desk.basket().quote_id
    call = commit(quote_id)
    desk.tell(call)
    desk.tell(NotStored(quote_id, "receipt_conflict"))
    assert desk.answer(call.reply).code == "receipt_conflict"
    assert (desk.view.state, desk.view.total) == ("idle", None)


def test_cancelling_takes_basket_and_member_away(desk: Desk) -> None:
    desk.scan(CARD)
    desk.basket()
    cancel = CancelBasket(Future())
    desk.tell(cancel)
    assert desk.answer(cancel.reply) == Cancelled()
    assert (desk.view.state, desk.view.total) == ("idle", None)


@pytest.mark.parametrize("prints", [True, False])
def test_an_enrolment_without_a_sale(desk: Desk, prints: bool) -> None:
    desk.context = replace(desk.context, prints=prints)
    enrol = Enrol(Future())
    desk.tell(enrol)
    (effect,) = desk.of(StoreEnrolment)
    assert (effect.token, effect.url, effect.slip is not None) == ("A" * 32, URL, prints)
    assert effect.reply is enrol.reply
    assert desk.of(TakeToken)


def test_after_a_crash_of_the_thread_nobody_waits_for_ever(desk: Desk, commit: MakeCommit) -> None:
    quote_id = desk.basket().quote_id
    call = commit(quote_id)
    desk.tell(call)
    desk.tell(Recovered())
    assert desk.answer(call.reply).code == "internal"
    assert not desk.state.busy
    (effect,) = [each for each in desk.tell(commit(quote_id)) if isinstance(each, Commit)]
    assert effect.sale_id == quote_id


def test_an_old_answer_of_the_queue_is_not_taken_for_a_new_one(desk: Desk, commit: MakeCommit) -> None:
    first = desk.basket().quote_id
    (effect,) = [each for each in desk.tell(commit(first)) if isinstance(each, Commit)]
    desk.tell(Recovered())
    second = commit(desk.basket().quote_id)
    desk.tell(second)
    desk.tell(stored(effect))
    assert desk.of(Respond) == []
    assert desk.state.busy


def test_a_look_up_is_not_started_while_another_is_under_way(desk: Desk) -> None:
    desk.take(Scanned("counter", CARD.encode(), desk.context.now))
    basket = PutBasket(Basket((Line(sum=100),)), 0, Future())
    assert desk.take(basket) == []
    assert desk.take(Scanned("counter", OTHER_CARD.encode(), desk.context.now)) == []
    assert desk.of(FindMember) == []
