"""One member by card or telephone: what his store may see of him, and nothing about anybody else."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import update

from loyalty.codes import ident
from loyalty.quote import MemberState
from loyalty.wire import MemberChange, MemberSearchReply
from loyalty_server.keys import decode_bytes
from loyalty_server.rates import SEARCHES
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]

CARD, PHONE = "2900000000018", "+79161234567"


def search(till: Till, **wish: str) -> MemberSearchReply:
    response = till.ask("POST", "/v1/members/search", data=msgspec.json.encode(wish))
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return msgspec.json.decode(response.content, type=MemberSearchReply)


@pytest.fixture
def member(shop: Shop) -> str:
    return shop.member(CARD, 300, phone=PHONE, greeting="Анна")


def test_by_card_and_by_telephone(shop: Shop, till: Till, member: str) -> None:
    found = search(till, card=CARD).found
    assert found is not None
    assert (found.member, found.greeting) == (member, "Анна")
    assert found.idents == (ident(decode_bytes(till.me.ident_key), CARD),)
    assert found.state == MemberState(balance=300, joined="2026-12-12", as_of=shop.clock.now())
    assert search(till, phone="8 (916) 123-45-67").found == found


def test_a_card_that_no_database_can_have_is_nobody_s(till: Till) -> None:
    assert search(till, card="29\0").found is None


def test_it_is_what_the_feed_says(till: Till, member: str) -> None:
    del member
    feed = till.changes()
    said = till.ask("POST", "/v1/members/search", data=msgspec.json.encode({"card": CARD}))
    assert (msgspec.convert(said.json()["found"], MemberChange),) == feed
    assert PHONE not in said.text
    assert CARD not in said.text


def test_each_store_has_its_own_idents(shop: Shop, till: Till, member: str) -> None:
    del member
    here, there = search(till, card=CARD).found, search(shop.till("S2", "pc-2"), card=CARD).found
    assert here is not None
    assert there is not None
    assert here.idents != there.idents


def test_it_says_which_rows_are_counted_in(till: Till, member: str) -> None:
    till.sell(10000, member=member)
    known = search(till, card=CARD, epoch=till.me.epoch)
    assert (known.includes.epoch, known.includes.seq) == (till.me.epoch, 1)
    assert known.found is not None
    assert known.found.state is not None
    assert known.found.state.balance == 310
    assert search(till, card=CARD).includes == known.includes
    assert search(till, card=CARD, epoch="f" * 32).includes.seq == 0


def test_nobody_is_one_and_the_same_answer(shop: Shop, till: Till, member: str) -> None:
    shop.member("2900000000025", phone="+79160000000")
    with shop.database.writing() as tx:
        tx.execute(update(tables.members).where(tables.members.c.id != member).values(deleted_at=shop.clock.now()))
    nobody = [
        {"card": "2900000000032"}, {"card": "2900000000025"}, {"phone": "+79160000000"}, {"phone": "+79169999999"},
        {"phone": "no number"}, {"phone": "2900000000018"}, {"card": PHONE}, {"card": "x" * 5000}, {"card": "\0"},
    ]  # fmt: skip
    answers = {till.ask("POST", "/v1/members/search", data=msgspec.json.encode(wish)).content for wish in nobody}
    assert len(answers) == 1
    assert msgspec.json.decode(answers.pop())["found"] is None


@pytest.mark.parametrize("body", [{}, {"card": CARD, "phone": PHONE}, {"card": 1}, [], "x", {"card": None}])
def test_what_is_no_question(till: Till, problem_of: Read, body: object) -> None:
    assert problem_of(till.ask("POST", "/v1/members/search", data=msgspec.json.encode(body))).code == "malformed"


def test_who_asks(shop: Shop, till: Till, problem_of: Read) -> None:
    wish = msgspec.json.encode({"card": CARD})
    assert problem_of(shop.http.post(f"{shop.url}/v1/members/search", data=wish)).code == "bad_signature"
    late = shop.clock.now() + timedelta(minutes=5)
    assert problem_of(till.ask("POST", "/v1/members/search", data=wish, at=late)).code == "clock"


def test_telephones_cannot_be_tried_out(shop: Shop, till: Till, member: str, problem_of: Read) -> None:
    del member
    for _ in range(SEARCHES.burst):
        assert search(till, phone="+79169999999").found is None
    refused = till.ask("POST", "/v1/members/search", data=msgspec.json.encode({"phone": PHONE}))
    problem = problem_of(refused)
    assert (problem.status, problem.code, problem.retryable, problem.retry_after) == (429, "too_many_requests", True, 3)
    assert refused.headers["retry-after"] == "3"
    assert till.ask("GET", "/v1/programme").status_code == 200, "nothing else is held up"
    assert search(shop.till("S1", "pc-2"), phone=PHONE).found is not None, "nor is another device"
    shop.clock.advance(seconds=3)
    assert search(till, phone=PHONE).found is not None
    again = till.ask("POST", "/v1/members/search", data=msgspec.json.encode({"phone": PHONE}))
    assert problem_of(again).code == "too_many_requests"


def test_nothing_of_it_is_logged(shop: Shop, till: Till, member: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for wish in ({"card": CARD}, {"phone": PHONE}, {"phone": "+79169999999"}, {"card": "2900000000032"}):
        search(till, **wish)
    till.ask("POST", "/v1/members/search", data=msgspec.json.encode({"card": CARD, "phone": PHONE}))
    with shop.storage.held(shop.folder):
        search(till, card=CARD)
    logged = caplog.text + shop.said.getvalue()
    for secret in (CARD, PHONE, PHONE[1:], "9169999999", "2900000000032", member):
        assert secret not in logged
