from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.quote import Line, MemberState, Refusal

Club = Callable[..., Programme]
Ask = Any  # the Asking of conftest.py

NAIVE = datetime(2026, 12, 12)  # noqa: DTZ001 - what is refused


def refused(answer: object) -> tuple[str, str]:
    assert isinstance(answer, Refusal)
    assert set(answer.text) == {"ru", "en"}
    return answer.code, answer.at


@pytest.mark.parametrize("at", [NAIVE, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_time_that_cannot_be(club: Club, ask: Ask, at: datetime) -> None:
    assert refused(ask.any(club(), 1, at=at)) == ("bad_time", "at")


@pytest.mark.parametrize("redeem", [-1, -(10**30), "all", "", None, "5"])
def test_points_that_cannot_be(club: Club, ask: Ask, redeem: object) -> None:
    assert refused(ask.any(club(), 1, redeem=redeem)) == ("bad_redeem", "redeem")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (Line(sum=-1), "sum"),
        (Line(sum=10**12 + 1), "sum"),
        (Line(sum=1, quantity=-1), "quantity"),
        (Line(sum=1, quantity=0), "quantity"),
        (Line(sum=1, quantity=10**12 + 1), "quantity"),
        (Line(sum=1, minimum=-1), "minimum"),
        (Line(sum=1, minimum=10**12 + 1), "minimum"),
    ],
)
def test_a_line_that_cannot_be(club: Club, ask: Ask, line: Line, place: str) -> None:
    assert refused(ask.any(club(), 1, line, 1)) == ("bad_line", f"basket.lines[1].{place}")


@pytest.mark.parametrize("line", [Line(sum=0, quantity=1), Line(sum=10**12, quantity=10**12, minimum=10**12)])
def test_the_ends_of_what_can_be(club: Club, ask: Ask, line: Line) -> None:
    assert ask(club(), line).pay == line.sum


def test_a_receipt_that_is_too_long(club: Club, ask: Ask) -> None:
    assert ask(club(), *[1] * 1000).total == 1000
    answer = ask.any(club(), *[1] * 1001)
    assert refused(answer) == ("too_many_lines", "basket.lines")
    assert "1000" in answer.text["en"]


@pytest.mark.parametrize(
    ("member", "place"),
    [
        (MemberState(as_of=NAIVE), "as_of"),
        (MemberState(balance=10**12 + 1), "balance"),
        (MemberState(balance=-(10**12) - 1), "balance"),
        (MemberState(membership="soon"), "membership"),
        (MemberState(membership=""), "membership"),
    ],
)
def test_a_member_that_cannot_be(club: Club, ask: Ask, member: MemberState, place: str) -> None:
    assert refused(ask.any(club(), 1, member=member)) == ("bad_member", f"member.{place}")


def test_a_debt_is_no_mistake(club: Club, ask: Ask) -> None:
    quote = ask(club("[earn]\nrate_bp = 10000"), 1_000, member=MemberState(balance=-50, as_of=ask.at))
    assert quote.balance_after == -40
