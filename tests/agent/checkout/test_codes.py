"""Every kind of code at the checkout: members are looked up, goods pass in silence, the rest is named to the cashier."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from agent.checkout import Announce, FindMember, Woke
from agent.messages import CancelBasket
from loyalty.codes import CodeRules, Rule, totp
from loyalty.i18n import texts

if TYPE_CHECKING:
    from conftest import Desk

CARD = "2900000000117"
KEY = b"12345678901234567890"
RULES = CodeRules(
    member_card=(Rule(pattern="29xxxxxxxxxxC"),),
    cashier=(Rule(regex="STAFF-[0-9]+"),),
    coupon=(Rule(regex="SALE-[0-9]+"),),
    certificate=(Rule(regex="GC[0-9]+"),),
    wallet_template="W:{id}:{totp_timestamp_seconds}:{totp_value_0}",
    key_hex=KEY.hex(),
)


@pytest.fixture
def till(desk: Desk) -> Desk:
    desk.context = dataclasses.replace(desk.context, rules=RULES)
    return desk


def shown_on_the_phone(desk: Desk, seconds: int = 0, card: str = CARD) -> str:
    at = int(desk.context.now.timestamp()) + seconds
    return f"W:{card}:{at}:{totp.hotp(KEY, at // 30, 6)}"


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("STAFF-7", "code_cashier"),
        ("SALE-7", "code_coupon"),
        ("9900000000011", "code_coupon"),
        ("GC0001", "code_certificate"),
        ("9800000000007", "code_refund"),
        ("t=20200923T0940&s=911.00&fn=9289000100597234&i=57908&fp=1791342888&n=1", "code_receipt"),
        ("t=20200923T0940&s=911.00&fn=9289000100597234&i=57908&fp=1791342888", "code_receipt"),
        ("tel:+79123456789", "phone_not_asked"),
        ("2900000000118", "code_misread"),
        ("4111111111111111", "code_payment_card"),
        ("W:1:59:000000", "code_wrong"),
        ("https://example.org", "not_loyalty"),
        ("hello", "not_loyalty"),
        ("12345", "not_loyalty"),
    ],
)
def test_the_cashier_is_told_what_it_is(till: Desk, code: str, key: str) -> None:
    till.scan(CARD)
    till.scan(code)
    assert till.view.notice == texts(f"till.{key}")
    assert till.view.state == "member"
    assert till.of(Announce) == [Announce("counter", "not_loyalty")]


@pytest.mark.parametrize(
    "code",
    [
        "4006381333931",
        "2000000058177",
        "00000046198488X?io+qCABm8wAYa",
        "0107032069804988",
        "376130321109103420",
        "https://id.gs1.org/01/09520123456788",
    ],
)
def test_goods_pass_in_silence(till: Desk, code: str) -> None:
    till.scan(CARD)
    before = till.state
    assert till.scan(code) == []
    assert till.state == before


def test_the_number_of_gs1_is_looked_up_as_a_card(till: Desk) -> None:
    till.scan("]C18018123456789012345675")
    assert till.of(FindMember) == [FindMember("123456789012345675")]
    assert till.view.state == "card_only"


def test_a_fresh_code_of_the_phone_is_its_member(till: Desk) -> None:
    till.scan(shown_on_the_phone(till))
    assert till.view.state == "member"
    assert till.state.attached.card == CARD


@pytest.mark.parametrize("seconds", [-61, 61])
def test_a_stale_code_of_the_phone_is_told(till: Desk, seconds: int) -> None:
    till.scan(shown_on_the_phone(till, seconds))
    assert till.view.notice == texts("till.code_stale")


def test_the_same_code_again_is_the_same_customer_and_not_the_next_one(till: Desk) -> None:
    code = shown_on_the_phone(till)
    till.scan(code)
    till.scan(code)
    assert till.view.state == "member"
    till.tell(CancelBasket(Future()))
    till.scan(code)
    assert till.view.notice == texts("till.code_replayed")
    assert till.of(FindMember) == []
    assert till.identify(code).kind == "not_loyalty"


@pytest.mark.parametrize("seconds", [-1, 1])
def test_another_second_of_the_same_password_is_the_same_code(till: Desk, seconds: int) -> None:
    """Whoever has seen the code can change the second in it, but cannot make another password."""
    period = till.context.rules.period_s
    till.later(period / 2 - till.context.now.timestamp() % period)
    till.scan(shown_on_the_phone(till))
    till.tell(CancelBasket(Future()))
    till.scan(shown_on_the_phone(till, seconds))
    assert till.view.notice == texts("till.code_replayed")


def test_another_card_between_does_not_free_the_code(till: Desk) -> None:
    code = shown_on_the_phone(till)
    till.scan(code)
    till.scan("2900000000216")
    till.scan(code)
    assert till.view.notice == texts("till.code_replayed")


def test_a_used_code_is_remembered_over_idleness_and_forgotten_when_it_is_stale(till: Desk) -> None:
    code = shown_on_the_phone(till, 60)
    till.scan(code)
    till.basket()
    till.tell(CancelBasket(Future()))
    till.later(50)
    till.tell(Woke())
    till.scan(code)
    assert till.view.notice == texts("till.code_replayed")
    till.later(3600)
    till.scan(shown_on_the_phone(till))
    assert len(till.state.used) == 1


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("8 (912) 345-67-89", "phone_not_asked"),
        ("79123456789", "phone_not_asked"),
        ("375291234567", "phone_not_asked"),
        ("hello", "not_loyalty"),
    ],
)
def test_a_telephone_number_that_the_cashier_typed(till: Desk, typed: str, key: str) -> None:
    assert till.identify(typed).view.notice == texts(f"till.{key}")


def test_what_the_registers_keyboard_scanner_typed_under_the_russian_layout(till: Desk) -> None:
    till.context = dataclasses.replace(till.context, rules=CodeRules(member_card=(Rule(regex="CLUB-[0-9]+"),)))
    till.identify("СДГИ-42")
    assert till.state.attached.card == "CLUB-42"
