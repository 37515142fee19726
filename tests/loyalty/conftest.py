"""A small programme to change, and one way to ask the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pytest

from loyalty.engine import quote
from loyalty.programme import Programme, load
from loyalty.quote import Basket, Counters, Line, MemberState, Quote, Refusal

HEAD = """
[programme]
id = "club"
revision = 7
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
"""

NOON = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)  # 12:00 in Moscow


@dataclass
class Asking:
    """`asking(programme, ...)` is one call of the engine, with what most tests do not care about filled in."""

    at: datetime = NOON
    answers: list[Quote | Refusal] = field(default_factory=list)

    def __call__(
        self,
        programme: Programme,
        *sums: int | Line,
        member: MemberState | None = None,
        at: datetime | None = None,
        redeem: int | Literal["max"] = 0,
        offline: bool = False,
    ) -> Quote:
        answer = self.any(programme, *sums, member=member, at=at, redeem=redeem, offline=offline)
        assert isinstance(answer, Quote), answer
        return answer

    def any(
        self,
        programme: Programme,
        *sums: int | Line,
        member: MemberState | None = None,
        at: datetime | None = None,
        redeem: int | Literal["max"] = 0,
        offline: bool = False,
    ) -> Quote | Refusal:
        lines = tuple(each if isinstance(each, Line) else Line(sum=each, categories=("food",)) for each in sums)
        return quote(programme, member, Basket(lines), at or self.at, redeem, offline)


@pytest.fixture
def club() -> Callable[[str], Programme]:
    """`club("[earn] ...")`: a programme with that text behind its head; `law` and such go into the head as they are."""

    def make(text: str = "", head: str = "") -> Programme:
        return load(HEAD + head + "\n" + text, "toml")

    return make


@pytest.fixture
def ask() -> Asking:
    return Asking()


@pytest.fixture
def known() -> Callable[..., MemberState]:
    """A member from a fresh replica; counters as keywords: `known(balance=300, purchases={"lifetime": 4})`."""

    def make(
        balance: int = 0, *, as_of: datetime = NOON, consent: str = "given", **counters: dict[str, int]
    ) -> MemberState:
        membership = counters.pop("membership", None)
        return MemberState(
            balance=balance,
            as_of=as_of,
            consent=consent,  # type: ignore[arg-type]
            membership=membership,  # type: ignore[arg-type]
            counters=Counters(**counters),
        )

    return make
