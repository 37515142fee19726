"""Codes at the checkout: who is attached, what is shown, what is left alone."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from agent.checkout import (
    Again,
    Announce,
    Dropped,
    FindMember,
    MemberFound,
    Refreshed,
    Show,
    WakeAt,
    Woke,
)
from agent.messages import Answer, CancelBasket, Identify, Scanned
from agent.views import Identified

if TYPE_CHECKING:
    from conftest import Desk, MakeKnown

CARD, OTHER_CARD, SILVER_CARD, STRANGER = "2900000000117", "2900000000216", "2900000000315", "2900000000414"
PRODUCT = "4006381333931"


def test_a_known_card_shows_its_member(desk: Desk) -> None:
    effects = desk.scan(CARD)
    assert [each for each in effects if isinstance(each, FindMember)] == [FindMember(CARD)]
    assert (desk.view.state, desk.view.greeting, desk.view.balance, desk.view.tier) == ("member", "Анна", 300, "basic")
    assert desk.of(Announce) == [Announce("counter", "member_card")]


def test_the_tier_is_the_one_that_the_counters_hold(desk: Desk) -> None:
    desk.scan(SILVER_CARD)
    assert desk.view.tier_name == {"ru": "Серебряный", "en": "Silver"}


def test_a_card_that_the_store_does_not_know_is_accepted_without_a_balance(desk: Desk) -> None:
    desk.scan(STRANGER)
    assert (desk.view.state, desk.view.balance, desk.view.tier) == ("card_only", None, None)
    assert desk.of(Announce) == [Announce("counter", "card_only")]


def test_an_unknown_code_says_so_and_leaves_the_member_in_place(desk: Desk) -> None:
    desk.scan(CARD)
    desk.scan("HELLO")
    assert desk.view.state == "member"
    assert desk.view.notice == {"ru": "Это не карта лояльности.", "en": "This is not a loyalty code."}
    assert desk.of(Announce) == [Announce("counter", "not_loyalty")]


def test_an_unknown_code_without_a_member_is_a_state_of_its_own_and_fades(desk: Desk) -> None:
    desk.scan("HELLO")
    assert desk.view.state == "unknown_code"
    (wake,) = desk.of(WakeAt)
    desk.later(wake.tick - desk.context.tick)
    desk.tell(Woke())
    assert (desk.view.state, desk.view.notice) == ("idle", None)


@pytest.mark.parametrize("code", [PRODUCT, "]E04006381333931", "96385074"])
def test_product_codes_are_ignored_quietly(desk: Desk, code: str) -> None:
    desk.scan(CARD)
    before = desk.state
    assert desk.scan(code) == []
    assert desk.state == before


def test_another_card_replaces_the_member_before_payment(desk: Desk) -> None:
    desk.scan(CARD)
    desk.scan(OTHER_CARD)
    assert (desk.view.balance, desk.state.attached.known.member) == (50, "m2")


def test_a_scan_that_was_cut_off_is_not_looked_up(desk: Desk) -> None:
    desk.tell(Scanned("counter", CARD.encode(), desk.context.now, partial=True))
    assert desk.of(FindMember) == []
    assert "en" in desk.view.notice


def test_an_answer_that_nobody_asked_for_attaches_nobody(desk: Desk) -> None:
    desk.take(Scanned("counter", CARD.encode(), desk.context.now))
    desk.take(MemberFound(OTHER_CARD, None))
    assert desk.state.attached is None
    assert desk.state.busy


def test_identify_answers_with_kind_and_view(desk: Desk) -> None:
    assert desk.identify(CARD) == Identified("member_card", desk.view)
    assert desk.identify(STRANGER) == Identified("card_only", desk.view)
    answer = desk.identify("HELLO")
    assert (answer.kind, answer.view.state) == ("not_loyalty", "card_only")


def test_a_member_without_a_receipt_leaves_after_a_while(desk: Desk) -> None:
    desk.scan(CARD)
    (wake,) = desk.of(WakeAt)
    desk.later(wake.tick - desk.context.tick - 1)
    desk.tell(Woke())
    assert desk.view.state == "member"
    desk.later(1)
    desk.tell(Woke())
    assert desk.view.state == "idle"


def test_nobody_leaves_in_the_middle_of_a_look_up(desk: Desk) -> None:
    desk.scan(CARD)
    reply: Future[Answer] = Future()
    desk.take(Identify(OTHER_CARD, reply))
    desk.later(600)
    desk.take(Woke())
    desk.take(MemberFound(OTHER_CARD, None))
    assert isinstance(desk.answer(reply), Identified)


def test_a_member_with_an_open_receipt_stays(desk: Desk) -> None:
    desk.scan(CARD)
    desk.basket()
    desk.later(7200)
    desk.tell(Woke())
    assert desk.view.state == "member"


def test_a_member_who_becomes_known_is_shown_without_another_scan(desk: Desk, make_known: MakeKnown) -> None:
    desk.scan(STRANGER)
    assert desk.fresher(STRANGER, make_known("m4", 70)) == [Show(desk.view)]
    assert (desk.view.state, desk.view.greeting, desk.view.balance) == ("member", "Анна", 70)


def test_a_newer_balance_is_shown_and_asks_for_no_longer_stay(desk: Desk, make_known: MakeKnown) -> None:
    desk.scan(CARD)
    idle_at = desk.state.idle_at
    desk.later(60)
    desk.fresher(CARD, make_known("m1", 450))
    assert (desk.view.balance, desk.state.idle_at) == (450, idle_at)


def test_what_was_told_to_the_cashier_stays_when_news_come(desk: Desk, make_known: MakeKnown) -> None:
    desk.scan(CARD)
    desk.scan("HELLO")
    desk.fresher(CARD, make_known("m1", 450))
    assert desk.view.notice == {"ru": "Это не карта лояльности.", "en": "This is not a loyalty code."}


def test_news_of_nobody_here_change_nothing(desk: Desk, make_known: MakeKnown) -> None:
    desk.scan(CARD)
    assert desk.fresher(CARD, make_known("m1", 300)) == []
    assert desk.fresher(CARD, None) == []  # a replica that is being fetched again knows nobody
    assert desk.view.state == "member"
    desk.tell(CancelBasket(Future()))
    assert desk.take(Refreshed()) == []


def test_news_in_the_middle_of_a_look_up_wait_for_its_end(desk: Desk, make_known: MakeKnown) -> None:
    desk.take(Scanned("counter", CARD.encode(), desk.context.now))
    assert desk.take(Refreshed()) == []
    assert desk.take(Refreshed()) == []
    desk.take(MemberFound(CARD, None))  # as it was before the news
    assert desk.of(Again) == [Again(Refreshed())]
    desk.fresher(CARD, make_known("m1", 300))
    assert desk.view.state == "member"


def test_news_are_not_refused_however_much_is_waiting(desk: Desk) -> None:
    desk.take(Scanned("counter", CARD.encode(), desk.context.now))
    while not desk.of(Dropped):
        desk.take(Scanned("counter", OTHER_CARD.encode(), desk.context.now))
    desk.take(Refreshed())
    desk.take(MemberFound(CARD, None))
    assert desk.of(Again)[-1] == Again(Refreshed())


@pytest.mark.parametrize(("missing", "word"), [("store", "registered"), ("programme", "programme")])
def test_without_claim_or_programme_the_screen_says_what_is_waited_for(desk: Desk, missing: str, word: str) -> None:
    whole = desk.context
    desk.context = dataclasses.replace(whole, **{missing: None})
    desk.tell(Refreshed())
    assert desk.view.state == "unavailable"
    assert word in desk.view.notice["en"]
    assert desk.identify(CARD).code == "no_programme"
    assert desk.basket().code == "no_programme"
    desk.scan(CARD)
    assert desk.of(FindMember) == []
    desk.context = whole
    desk.tell(Refreshed())
    assert desk.of(Show)[0].view.state == "idle"
