"""What stands on the slip: numbers as finished text, a debt in words, how old the balance is, what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from agent.checkout import Attached, Known
from agent.checkout.slip import sale_slip
from loyalty.quote import Counters, MemberState
from receipt_templates.document import Progress
from receipt_templates.layout import slip_lines

if TYPE_CHECKING:
    from conftest import Desk


def lines(desk: Desk, state: MemberState | None, number: str | None = "7") -> str:
    known = Known("m1", "Анна", state) if state else None
    desk.state = replace(desk.state, attached=Attached("2900000000117", known))
    desk.basket(50000)
    assert desk.state.offer is not None
    text = "\n".join(slip_lines(sale_slip(desk.state.offer, desk.context, number), 42))
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture
def member(desk: Desk) -> MemberState:
    counters = Counters(purchases={"lifetime": 2})
    return MemberState(balance=300, as_of=desk.context.now, counters=counters)


def test_a_member_sees_balance_tier_and_what_is_missing(desk: Desk, member: MemberState) -> None:
    slip = lines(desk, member)
    assert "Ромашка" in slip
    assert "Чек № 7" in slip
    assert "20.11.2026 12:00" in slip  # the shop's own time
    assert "305 бонусов" in slip
    assert "Базовый" in slip
    assert "До уровня «Серебряный»: 2 покупки" in slip
    assert "по данным" not in slip


def test_in_english_too(desk: Desk, member: MemberState) -> None:
    desk.context = replace(desk.context, language="en")
    slip = lines(desk, member)
    assert "305 points" in slip
    assert "To level Silver: 2 purchases" in slip
    assert "2026-11-20 12:00" in slip


def test_an_old_balance_says_how_old_it_is(desk: Desk, member: MemberState) -> None:
    old = msgspec.structs.replace(member, as_of=desk.context.now - timedelta(hours=2))
    assert "по данным на 20.11.2026 10:00" in lines(desk, old)


def test_a_debt_is_told_as_what_it_means(desk: Desk, member: MemberState) -> None:
    slip = lines(desk, msgspec.structs.replace(member, balance=-25))
    assert "-20" not in slip
    assert "0, следующие 20 бонусов" in slip.replace("\n", " ").replace("  ", " ")


def test_a_card_without_a_known_member_promises_no_balance(desk: Desk) -> None:
    slip = lines(desk, None)
    assert "305" not in slip
    assert "+5 бонусов" in slip
    assert "Базовый" not in slip  # he may hold a better one
    assert "Баланс покажем" in slip


def test_before_the_receipt_is_closed_it_has_no_number(desk: Desk, member: MemberState) -> None:
    assert "Чек №" not in lines(desk, member, None)


def test_turnover_and_purchases_are_both_named(desk: Desk, member: MemberState) -> None:
    programme = desk.context.programme
    assert programme is not None
    silver = programme.tiers[1]
    turnover = replace(silver.any_of[0], counter="turnover", at_least=1000000)
    both = replace(programme, tiers=(programme.tiers[0], replace(silver, any_of=(silver.any_of[0], turnover))))
    desk.context = replace(desk.context, programme=both)
    assert "2 покупки или 9 500,00 руб." in lines(desk, member).replace("\n", " ").replace("  ", " ")


def test_the_bar_shows_the_way_that_has_been_gone(desk: Desk, member: MemberState) -> None:
    lines(desk, member)
    assert desk.state.offer is not None
    document = sale_slip(desk.state.offer, desk.context, "7")
    assert [element.share_bp for element in document.elements if isinstance(element, Progress)] == [6000]  # 3 of 5
