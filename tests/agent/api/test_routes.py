"""Each call of the POS reaches its till as the right message, and each answer comes back as its struct."""

from __future__ import annotations

import threading
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import pytest

from agent.messages import CancelBasket, CommitSale, Enrol, Identify, PosCall, PutBasket
from agent.problems import problem
from agent.views import (
    Cancelled,
    Enrolled,
    Identified,
    Quoted,
    ReceiptRef,
    SaleAnswer,
    SlipData,
    Sold,
    View,
)
from loyalty.quote import Basket, Line
from loyalty.wire import Problem

from .answers import QUOTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Shop

SOLD = Sold(sale_id="s1", seq=1, earned=10, redeemed=0, balance_after=310, job=4, token=None)
SALE = {
    "quote_id": "q1",
    "redeemed": 0,
    "receipt": {"business_day": "2026-11-21", "shift": "7", "number": "42"},
    "prints": "agent",
}


def test_identify(shop: Shop) -> None:
    answer = Identified("member_card", View(till="1", state="member", greeting="Анна", balance=300))
    shop.tills["1"].answer = lambda _: answer
    reply = shop.ask("POST", "/v1/tills/1/identify", {"code": "2900000000117", "later": 1})
    assert reply.status == 200
    assert msgspec.json.decode(reply.body, type=Identified) == answer
    (event,) = shop.tills["1"].posted
    assert isinstance(event, Identify)
    assert event.code == "2900000000117"


def test_put_basket(shop: Shop) -> None:
    answer = Quoted("q1", QUOTE, QUOTE.prompt, SlipData(("+10",), "HTTPS://X/E/A"))
    shop.tills["2"].answer = lambda _: answer
    body = {"lines": [{"sku": "milk", "sum": 1000}], "redeem": "max"}
    reply = shop.ask("PUT", "/v1/tills/2/basket", body, token=shop.token("2"))
    assert reply.status == 200
    assert msgspec.json.decode(reply.body, type=Quoted) == answer
    (event,) = shop.tills["2"].posted
    assert isinstance(event, PutBasket)
    assert (event.basket, event.redeem) == (Basket((Line(sku="milk", sum=1000),)), "max")


def test_cancel_basket(shop: Shop) -> None:
    shop.tills["1"].answer = lambda _: Cancelled()
    reply = shop.ask("DELETE", "/v1/tills/1/basket")
    assert (reply.status, reply.body) == (204, b"")
    assert isinstance(shop.tills["1"].posted[0], CancelBasket)


@pytest.mark.parametrize(("created", "status"), [(True, 201), (False, 200)])
def test_commit_says_whether_it_was_stored_before(shop: Shop, created: bool, status: int) -> None:
    shop.tills["1"].answer = lambda _: SaleAnswer(created, SOLD)
    reply = shop.ask("POST", "/v1/tills/1/sales", SALE)
    assert reply.status == status
    assert msgspec.json.decode(reply.body, type=Sold) == SOLD
    (event,) = shop.tills["1"].posted
    assert isinstance(event, CommitSale)
    assert (event.quote_id, event.redeemed, event.prints, event.cashier) == ("q1", 0, "agent", None)
    assert event.receipt == ReceiptRef(business_day=date(2026, 11, 21), shift="7", number="42")


def test_the_request_hash_is_of_the_meaning(shop: Shop) -> None:
    """Another layout, another order of keys, a field from the future: the same sale. Another number: another body."""
    shop.tills["1"].answer = lambda _: SaleAnswer(True, SOLD)
    shuffled = dict(reversed(SALE.items())) | {"from_the_future": True, "cashier": None}
    other = SALE | {"redeemed": 5}
    for body in (SALE, msgspec.json.format(msgspec.json.encode(shuffled)), other):
        assert shop.ask("POST", "/v1/tills/1/sales", body).status == 201
    hashes = [event.request_hash for event in shop.tills["1"].posted if isinstance(event, CommitSale)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_enrol(shop: Shop) -> None:
    shop.tills["1"].answer = lambda _: Enrolled("T" * 32, "HTTPS://X/E/T", 9)
    reply = shop.ask("POST", "/v1/tills/1/enrolments", {})
    assert reply.status == 201
    assert msgspec.json.decode(reply.body, type=Enrolled).job == 9
    assert isinstance(shop.tills["1"].posted[0], Enrol)


@pytest.mark.parametrize("code", ["sale_conflict", "receipt_conflict", "quote_unknown", "no_programme"])
def test_a_problem_of_the_till_is_the_answer(shop: Shop, code: str) -> None:
    told = problem(code)
    shop.tills["1"].answer = lambda _: told
    reply = shop.ask("POST", "/v1/tills/1/sales", SALE)
    assert reply.status == told.status
    assert reply.headers["content-type"] == "application/problem+json"
    assert msgspec.json.decode(reply.body, type=Problem) == told


def test_a_full_inbox_is_busy(shop: Shop) -> None:
    shop.tills["1"].room = False
    reply = shop.ask("DELETE", "/v1/tills/1/basket")
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "busy", "1")


def test_a_silent_till_leaves_its_asker_but_its_future_is_not_cancelled(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(answer_seconds=0.05)
    shop.tills["1"].answer = lambda _: None
    reply = shop.ask("POST", "/v1/tills/1/sales", SALE)
    assert (reply.status, reply.code) == (504, "timeout")
    (event,) = shop.tills["1"].posted
    assert event.reply.set_running_or_notify_cancel()
    event.reply.set_result(SaleAnswer(True, SOLD))


def test_an_answer_from_another_thread_arrives(shop: Shop) -> None:
    def later(event: PosCall) -> None:
        threading.Thread(target=event.reply.set_result, args=(Cancelled(),)).start()

    shop.tills["1"].answer = later
    assert shop.ask("DELETE", "/v1/tills/1/basket").status == 204


def test_a_wrong_kind_of_answer_is_our_mistake_and_says_nothing(shop: Shop) -> None:
    shop.tills["1"].answer = lambda _: Cancelled()
    reply = shop.ask("POST", "/v1/tills/1/identify", {"code": "1"})
    assert (reply.status, reply.code) == (500, "unforeseen")
    assert b"Cancelled" not in reply.body


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b'{"code": "\xff"}', 400, "bad_json"),
        (b"[]", 422, "bad_body"),
        (b"{}", 422, "bad_body"),
        (b'{"code": 5}', 422, "bad_body"),
        (b'{"code": ""}', 422, "bad_body"),
        (b'{"code": "' + b"9" * 513 + b'"}', 422, "bad_body"),
        (b'{"later": ' + b"[" * 30000, 400, "bad_json"),
    ],
)
def test_a_bad_body_never_reaches_the_till(shop: Shop, body: bytes, status: int, code: str) -> None:
    reply = shop.ask("POST", "/v1/tills/1/identify", body)
    assert (reply.status, reply.code) == (status, code)
    assert shop.tills["1"].posted == []


def test_a_bad_body_is_named_by_its_place_not_by_its_value(shop: Shop) -> None:
    reply = shop.ask("POST", "/v1/tills/1/sales", SALE | {"redeemed": "+79161234567"})
    assert b"$.redeemed" in reply.body
    assert b"9161234567" not in reply.body


@pytest.mark.parametrize("number", ["", " " * 65, "1\n2", "\u200b", 7, None])
def test_a_receipt_number_that_the_server_would_not_book_is_refused_at_the_till(shop: Shop, number: object) -> None:
    receipt = {"business_day": "2026-11-21", "shift": "1", "number": number}
    reply = shop.ask("POST", "/v1/tills/1/sales", SALE | {"receipt": receipt})
    assert (reply.status, reply.code) == (422, "bad_body")
    assert shop.tills["1"].posted == []


@pytest.mark.parametrize("redeem", [-1, 2**60, "all", 1.5, None])
def test_points_to_pay_with_are_a_bounded_whole_number_or_max(shop: Shop, redeem: object) -> None:
    assert shop.ask("PUT", "/v1/tills/1/basket", {"lines": [], "redeem": redeem}).status == 422


def test_a_till_that_left_the_configuration_is_unknown(shop: Shop) -> None:
    reply = shop.ask("POST", "/v1/tills/9/identify", {"code": "1"}, token=shop.token("9"))
    assert (reply.status, reply.code) == (404, "till_unknown")


def test_status_tells_how_the_agent_is(shop: Shop) -> None:
    reply = shop.ask("GET", "/v1/status")
    assert reply.status == 200
    assert msgspec.json.decode(reply.body, type=type(shop.report())) == shop.report()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_names_what_fails(shop: Shop, path: str) -> None:
    assert shop.ask("GET", path, token=None).status == 200
    shop.failing.append("queue")
    reply = shop.ask("GET", path, token=None)
    assert reply.status == 503
    assert msgspec.json.decode(reply.body) == {"failing": ["queue"]}
