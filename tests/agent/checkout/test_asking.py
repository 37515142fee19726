"""A member whom the store does not know is asked of the server: the till goes on meanwhile, and whoever asked is answered once."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from agent.checkout import (
    Announce,
    AskServer,
    Commit,
    FindMember,
    HoldPoints,
    MemberFound,
    Searched,
    Stored,
    Told,
    WakeAt,
    Woke,
)
from agent.checkout.asking import SEARCH_WAITS
from agent.messages import CancelBasket, Identify, PutBasket, Reply, Scanned
from agent.views import Identified, Quoted
from loyalty.i18n import texts
from loyalty.quote import Basket, Line, MemberState
from loyalty.wire import Included

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, MakeKnown

    from agent.messages import CommitSale

CARD, STRANGER, OTHER_STRANGER, PHONE = "2900000000117", "2900000000414", "2900000000513", "+79123456789"
TOLD = Told("m4", "Борис", MemberState(balance=300), Included(epoch="e", seq=0))


@pytest.fixture
def till(desk: Desk) -> Desk:
    desk.context = dataclasses.replace(desk.context, may_search=True)
    return desk


def identify(desk: Desk, code: str) -> Reply:
    reply: Reply = Future()
    desk.tell(Identify(code, reply))
    return reply


def told(desk: Desk, key: str, make_known: MakeKnown) -> None:
    """The server knows him; what this till has sold to him is counted in before he is shown."""
    desk.take(Searched(key, asked=True, told=TOLD))
    assert desk.of(FindMember) == [FindMember(key, TOLD)]
    desk.take(MemberFound(key, make_known("m4", 300)))


def answered(desk: Desk, reply: Reply) -> tuple[str, str]:
    answer = desk.answer(reply)
    assert isinstance(answer, Identified)
    return answer.kind, answer.view.state


def sale_of(desk: Desk, call: CommitSale) -> Commit:
    (effect,) = [each for each in desk.tell(call) if isinstance(each, Commit)]
    return effect


def test_an_unknown_card_is_on_the_screen_at_once_and_its_member_when_the_server_has_said_so(
    till: Desk, make_known: MakeKnown
) -> None:
    till.scan(STRANGER)
    assert (till.view.state, till.view.notice) == ("card_only", texts("till.asking"))
    assert till.of(AskServer) == [AskServer(STRANGER, phone=False)]
    assert (till.of(Announce), till.state.busy) == ([], False)
    told(till, STRANGER, make_known)
    assert (till.view.state, till.view.balance, till.view.notice) == ("member", 300, None)
    assert till.of(Announce) == [Announce("counter", "member_card")]


def test_a_member_of_this_store_is_not_asked_about(till: Desk) -> None:
    till.scan(CARD)
    assert till.of(AskServer) == []


def test_the_register_is_answered_when_the_server_has_answered(till: Desk, make_known: MakeKnown) -> None:
    reply = identify(till, STRANGER)
    assert till.answer(reply) is None
    told(till, STRANGER, make_known)
    assert answered(till, reply) == ("member_card", "member")


def test_a_member_by_telephone_joins_the_open_receipt_and_his_number_is_not_in_the_sale(
    till: Desk, make_known: MakeKnown, commit: Callable[..., CommitSale]
) -> None:
    till.basket()
    reply = identify(till, PHONE)
    assert till.of(AskServer) == [AskServer(PHONE, phone=True)]
    assert (till.view.state, till.view.total) == ("idle", 50000)
    told(till, PHONE, make_known)
    assert answered(till, reply) == ("member_card", "member")
    quoted = till.basket()
    assert isinstance(quoted, Quoted)
    sale = sale_of(till, commit(quoted.quote_id)).sale
    assert (sale.member, sale.card) == ("m4", None)
    assert PHONE[1:] not in repr(till.effects)


@pytest.mark.parametrize(
    ("code", "kind", "state", "notice"),
    [(STRANGER, "card_only", "card_only", None), (PHONE, "not_loyalty", "idle", "phone_unknown")],
)
def test_whom_nobody_knows(till: Desk, code: str, kind: str, state: str, notice: str | None) -> None:
    reply = identify(till, code)
    till.take(Searched(code, asked=True))
    assert answered(till, reply) == (kind, state)
    assert till.view.notice == (notice and texts(f"till.{notice}"))


@pytest.mark.parametrize("how", ["cannot be asked", "is late", "rests"])
@pytest.mark.parametrize(("code", "kind"), [(STRANGER, "card_only"), (PHONE, "not_loyalty")])
def test_without_the_server_a_card_stays_a_card_and_a_telephone_leads_nowhere(
    till: Desk, how: str, code: str, kind: str
) -> None:
    till.context = dataclasses.replace(till.context, may_search=how != "rests")
    reply = identify(till, code)
    if how == "cannot be asked":
        till.take(Searched(code, asked=False))
    if how == "is late":
        (wake,) = till.of(WakeAt)
        assert wake.tick == till.context.tick + SEARCH_WAITS
        till.later(SEARCH_WAITS)
        till.take(Woke())
    assert answered(till, reply)[0] == kind
    assert till.view.notice == (texts("till.phone_not_asked") if code == PHONE else None)
    before = till.state
    assert till.take(Searched(code, asked=True, told=TOLD)) == [], "what comes too late says nothing"
    assert till.state == before


def test_baskets_and_holds_go_on_while_the_server_is_asked(till: Desk, commit: Callable[..., CommitSale]) -> None:
    till.context = dataclasses.replace(till.context, live=True)
    till.scan(CARD)
    identify(till, PHONE)
    reply: Reply = Future()
    till.tell(PutBasket(Basket((Line(sku="1", sum=50000),)), "max", reply))
    assert len(till.of(HoldPoints)) == 1
    till.take(Searched(PHONE, asked=True, told=TOLD))
    assert till.state.holding is not None, "the answer waits for the hold, and not the hold for it"
    till.later(0.8)
    till.take(Woke())
    quoted = till.answer(reply)
    assert isinstance(quoted, Quoted)
    sale = sale_of(till, commit(quoted.quote_id, quoted.quote.redeemed)).sale
    assert sale.member == "m1", "sold as it was quoted"


def test_a_sale_does_not_wait_and_whoever_asked_is_answered(till: Desk, commit: Callable[..., CommitSale]) -> None:
    reply = identify(till, STRANGER)
    quoted = till.basket()
    assert isinstance(quoted, Quoted)
    sale = sale_of(till, commit(quoted.quote_id))
    assert (sale.sale.member, sale.sale.card) == (None, STRANGER)
    till.take(Stored(sale.sale_id, sale.request_hash, sale.sold, created=True))
    assert answered(till, reply) == ("card_only", "sold")
    assert till.take(Searched(STRANGER, asked=True, told=TOLD)) == []


def test_another_card_or_the_end_of_the_receipt_ends_the_question(till: Desk) -> None:
    first = identify(till, PHONE)
    till.scan(CARD)
    assert answered(till, first) == ("not_loyalty", "member")
    second = identify(till, STRANGER)
    third = identify(till, OTHER_STRANGER)
    assert answered(till, second) == ("card_only", "card_only")
    till.take(Searched(STRANGER, asked=True, told=TOLD))
    assert till.state.attached.card == OTHER_STRANGER
    till.tell(CancelBasket(Future()))
    assert answered(till, third) == ("card_only", "idle")


def test_the_same_again_is_asked_once_and_each_asker_answered(till: Desk, make_known: MakeKnown) -> None:
    first, second = identify(till, PHONE), identify(till, PHONE)
    assert till.of(AskServer) == []
    assert answered(till, first) == ("not_loyalty", "idle")
    told(till, PHONE, make_known)
    assert answered(till, second) == ("member_card", "member")


def test_news_of_the_replica_may_come_first(till: Desk, make_known: MakeKnown) -> None:
    reply = identify(till, STRANGER)
    till.fresher(STRANGER, make_known("m4", 70))
    assert answered(till, reply) == ("member_card", "member")
    till.scan(STRANGER)
    assert (till.view.balance, till.of(AskServer)) == (70, []), "who is known for this receipt is not asked about again"


def test_a_scan_of_a_telephone_code_is_asked_about_too(till: Desk, make_known: MakeKnown) -> None:
    till.tell(Scanned("counter", f"tel:{PHONE}".encode(), till.context.now))
    told(till, PHONE, make_known)
    assert till.of(Announce) == [Announce("counter", "member_card")]
