"""A till on paper: a state, a context whose clock is moved by hand, and the effects of the last step."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import pytest

from agent.checkout import Context, Effect, Event, FindMember, Known, MemberFound, Refreshed, Respond, State, step
from agent.checkout.model import Redeem
from agent.messages import Answer, CommitSale, Identify, PutBasket, Reply, Scanned
from agent.views import Prints, ReceiptRef, View
from loyalty import programme
from loyalty.codes import CodeRules, Rule
from loyalty.quote import Basket, Counters, Line, MemberState

PROGRAMME = """
[programme]
id = "club"
revision = 7
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 100
[redeem]
cap_bp = 5000
offline = { policy = "capped", max_points_per_receipt = 200, max_points_per_day = 400 }
[[tier]]
id = "basic"
name = { ru = "Базовый", en = "Basic" }
[[tier]]
id = "silver"
name = { ru = "Серебряный", en = "Silver" }
earn_rate_bp = 300
discount_bp = 500
any_of = [ { counter = "purchases", period = "lifetime", at_least = 5 } ]
[[offer]]
id = "latte"
when = { coupon = "LATTE-7" }
give = { discount = 100 }
"""

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CARD, OTHER_CARD, SILVER_CARD = "2900000000117", "2900000000216", "2900000000315"
PRODUCT = "4006381333931"

EffectT = TypeVar("EffectT")


MakeKnown = Callable[..., Known]


def known(member: str, balance: int, purchases: int = 0) -> Known:
    state = MemberState(balance=balance, as_of=NOW, counters=Counters(purchases={"lifetime": purchases}))
    return Known(member, "Анна", state)


MEMBERS = {CARD: known("m1", 300), OTHER_CARD: known("m2", 50), SILVER_CARD: known("m3", 0, purchases=9)}


@dataclass
class Desk:
    """Drives the pure step and answers FindMember from MEMBERS, as a till would."""

    context: Context
    state: State = field(default_factory=State)
    effects: list[Effect] = field(default_factory=list)
    steps: int = 0

    def take(self, event: Event) -> list[Effect]:
        """One step and nothing else."""
        self.steps += 1
        context = replace(self.context, new_id=f"quote-{self.steps}")
        self.state, effects = step(self.state, event, context)
        self.effects = list(effects)
        return self.effects

    def tell(self, event: Event) -> list[Effect]:
        """One step, and the look-up that it may ask for."""
        effects = self.take(event)
        for effect in effects:
            if isinstance(effect, FindMember):
                effects = [*effects, *self.take(MemberFound(effect.card, MEMBERS.get(effect.card)))]
        self.effects = effects
        return effects

    def scan(self, code: str) -> list[Effect]:
        return self.tell(Scanned("counter", code.encode(), self.context.now))

    def fresher(self, card: str, known: Known | None) -> list[Effect]:
        """News of the replica, which knows that of the card now."""
        asked = self.take(Refreshed())
        assert [each for each in asked if isinstance(each, FindMember)] == [FindMember(card)]
        return self.take(MemberFound(card, known))

    def identify(self, code: str) -> Answer | None:
        reply: Reply = Future()
        self.tell(Identify(code, reply))
        return self.answer(reply)

    def basket(self, total: int = 50000, redeem: Redeem = 0) -> Answer | None:
        reply: Reply = Future()
        self.tell(PutBasket(Basket((Line(sku="1", name="Кофе", sum=total),)), redeem, reply))
        return self.answer(reply)

    def answer(self, reply: Reply) -> Answer | None:
        return next((each.answer for each in self.of(Respond) if each.reply is reply), None)

    def of(self, kind: type[EffectT]) -> list[EffectT]:
        return [each for each in self.effects if isinstance(each, kind)]

    def later(self, seconds: float) -> None:
        moved = timedelta(seconds=seconds)
        self.context = replace(self.context, tick=self.context.tick + seconds, now=self.context.now + moved)

    @property
    def view(self) -> View:
        assert self.state.shown is not None
        return self.state.shown


@pytest.fixture
def context() -> Context:
    return Context(
        till="1",
        store="S1",
        now=NOW,
        tick=1000.0,
        new_id="quote-0",
        next_token="A" * 32,
        enrolment_url="https://example.org",
        programme=programme.load(PROGRAMME, "toml"),
        rules=CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"),)),
        language="ru",
        shop="Ромашка",
        valid_days=14,
        columns=42,
        prints=True,
    )


@pytest.fixture
def desk(context: Context) -> Desk:
    return Desk(context)


@pytest.fixture
def make_known() -> MakeKnown:
    """make_known(member, balance, purchases=0)"""
    return known


@pytest.fixture
def commit() -> Callable[..., CommitSale]:
    """commit(quote_id, redeemed=0, number="7", prints="agent", body="h") -> a CommitSale with a future of its own."""

    def make(
        quote_id: str, redeemed: int = 0, number: str = "7", prints: Prints = "agent", body: str = "h"
    ) -> CommitSale:
        receipt = ReceiptRef(business_day=date(2026, 11, 20), shift="3", number=number)
        return CommitSale(quote_id, redeemed, receipt, prints, body, Future())

    return make
