"""Points that burn: booked once at their instant, and put right when something comes that happened before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.engine import quote
from loyalty.programme import load
from loyalty.quote import Basket, Line, MemberState, Quote
from loyalty.wire import Cancellation, ReceiptId, Return
from loyalty_server import verify
from loyalty_server.expiry import WAITS, Expired, due, expire
from loyalty_server.programmes import publish
from loyalty_server.storage import tables

from .documents import BURNING, club

if TYPE_CHECKING:
    from conftest import Shop, Till

CARD = "2900000000018"
BURNS = datetime(2027, 1, 31, 21, tzinfo=UTC)  # the end of January in Moscow
PROGRAMME = club(f"[redeem]\ncap_bp = 5000{BURNING}", revision=2)


@pytest.fixture
def burning(shop: Shop) -> Shop:
    shop.programme = load(PROGRAMME, "toml")
    with shop.database.writing() as tx:
        publish(tx, shop.keys, shop.programme, shop.clock.now())
    return shop


def state_of(shop: Shop, balance: int) -> MemberState:
    return MemberState(balance=balance, as_of=shop.clock.now())


def lots_of(till: Till, member: str) -> list[tuple[int, datetime | None]]:
    """As the feed tells them."""
    with till.shop.database.reading() as tx:
        found = tx.execute(tables.members.select().where(tables.members.c.id == member)).one()
    state = msgspec.json.decode(found.state, type=MemberState)
    return [(lot.points, lot.expires_at) for lot in state.lots or ()]


def nothing_differs(shop: Shop) -> None:
    with shop.database.reading() as tx:
        assert list(verify.differences(tx, lambda _: None)) == []


def test_what_burns_is_told_and_burns_once(burning: Shop, till: Till) -> None:
    member = burning.member(CARD)
    till.sell(10000, member=member, state=state_of(burning, 0))
    assert lots_of(till, member) == [(10, BURNS)]
    assert expire(burning.database, BURNS - timedelta(seconds=1)) == Expired()
    said: list[int] = []
    assert expire(burning.database, BURNS, said.append) == Expired(members=1, points=10)
    assert said == [1]
    assert (burning.points(member), lots_of(till, member)) == (0, [])
    assert expire(burning.database, BURNS + timedelta(days=400)) == Expired()
    assert burning.all(tables.ledger, "kind", "points", "at") == [
        ("earn", 10, burning.clock.now()), ("expire", -10, BURNS),
    ]  # fmt: skip
    nothing_differs(burning)


def test_the_first_to_burn_is_spent_first(burning: Shop, till: Till) -> None:
    member = burning.member(CARD)
    till.sell(10000, member=member, state=state_of(burning, 0))
    burning.clock.advance(days=30)
    till.sell(30000, member=member, state=state_of(burning, 10), redeem=0)
    burning.clock.advance(hours=1)
    sale = till.sell(100, member=member, state=state_of(burning, 40), redeem=0)
    burning.clock.advance(hours=1)
    till.sell(5000, member=member, state=state_of(burning, 40), redeem=15)
    later = datetime(2027, 2, 28, 21, tzinfo=UTC)
    assert sale.quote.earned == 0
    assert lots_of(till, member) == [(25 + 3, later)]
    with burning.database.reading() as tx:
        assert (due(tx, BURNS), due(tx, later)) == (0, 1)
    nothing_differs(burning)


def test_a_payment_that_comes_after_the_run_is_put_in_its_place(burning: Shop, till: Till) -> None:
    """It was made while the points lived: only the rest has burnt."""
    member = burning.member(CARD)
    till.sell(10000, member=member, state=state_of(burning, 0))
    burning.clock.advance(days=1)
    late = till.row(till.sale(1000, member=member, state=state_of(burning, 10), redeem=4))
    expire(burning.database, BURNS)
    burning.clock.at = BURNS + timedelta(days=1)
    assert till.verdicts(late) == ["accepted"]
    entries = burning.all(tables.ledger, "kind", "points")
    assert [points for kind, points in entries if kind == "expire"] == [-10, 4]
    assert burning.flags() == ["late"], "nothing was short when it was made"
    assert (burning.points(member), lots_of(till, member)) == (0, [])
    nothing_differs(burning)


def test_points_that_come_back_after_their_lot_has_burnt_live_for_some_days(burning: Shop, till: Till) -> None:
    member = burning.member(CARD)
    till.sell(10000, member=member, state=state_of(burning, 0))
    burning.clock.advance(days=1)
    sale = till.sell(1000, member=member, state=state_of(burning, 10), redeem=5)
    expire(burning.database, BURNS)
    burning.clock.at = BURNS + timedelta(days=2)
    back = Return(
        receipt=ReceiptId(store="S1", till="1", business_day=BURNS.date(), shift="7", number="1"), sale=sale.receipt,
        day=BURNS.date(), refund=500, pending=True,
    )  # fmt: skip
    assert till.verdicts(till.row(back, "return")) == ["accepted"]
    assert lots_of(till, member) == [(5, burning.clock.now() + timedelta(days=14))]
    assert burning.points(member) == 5
    expire(burning.database, burning.clock.now() + timedelta(days=14))
    assert burning.points(member) == 0
    nothing_differs(burning)


def test_a_debt_is_repaid_before_anything_burns(burning: Shop, till: Till) -> None:
    member = burning.member(CARD)
    till.sell(20000, member=member, state=state_of(burning, 100), redeem=100)
    assert (burning.points(member), burning.flags()) == (-100 + 10, ["shortfall"])
    burning.clock.advance(hours=1)
    till.sell(100000, member=member, state=state_of(burning, 0))
    assert (burning.points(member), lots_of(till, member)) == (10, [(10, BURNS)])
    nothing_differs(burning)


def test_points_of_the_time_before_lots_never_burn(shop: Shop, till: Till) -> None:
    member = shop.member(CARD, 300)
    shop.programme = load(PROGRAMME, "toml")
    with shop.database.writing() as tx:
        publish(tx, shop.keys, shop.programme, shop.clock.now())
    shop.clock.advance(hours=1)
    till.sell(10000, member=member, state=state_of(shop, 300), redeem=0)
    assert lots_of(till, member) == [(10, BURNS), (300, None)]
    assert expire(shop.database, BURNS).points == 10
    nothing_differs(shop)


def test_a_run_takes_everybody_in_slices(burning: Shop, till: Till) -> None:
    people = [burning.member(f"{number}") for number in range(5)]
    till.send(*[till.row(till.sale(10000, member=who, state=state_of(burning, 0))) for who in people])
    said: list[int] = []
    assert expire(burning.database, BURNS, said.append, most=2) == Expired(members=5, points=50)
    assert said == [2, 2, 1]
    nothing_differs(burning)


def test_a_return_whose_sale_never_came_is_flagged_once(shop: Shop, till: Till) -> None:
    sale = till.sale()
    till.send(till.row(Cancellation(sale=sale.receipt), "cancellation"))
    now = shop.clock.now()
    assert expire(shop.database, now + WAITS - timedelta(seconds=1)) == Expired()
    assert expire(shop.database, now + WAITS) == Expired(waiting=1)
    assert expire(shop.database, now + WAITS) == Expired()
    assert shop.flags() == ["return_pending"]
    shop.clock.advance(days=36)
    assert till.verdicts(till.row(sale)) == ["accepted"]
    assert [each is not None for (each,) in shop.all(tables.returns, "settled_at")] == [True]


def test_the_lots_that_the_feed_tells_are_those_of_the_quote(burning: Shop, till: Till) -> None:
    member = burning.member(CARD)
    till.sell(10000, member=member, state=state_of(burning, 0))
    with burning.database.reading() as tx:
        found = tx.execute(tables.members.select()).one()
    state = msgspec.json.decode(found.state, type=MemberState)
    known = msgspec.structs.replace(state, balance=burning.points(member), as_of=burning.clock.now())
    basket = Basket((Line(sum=10000),))
    alive = quote(burning.programme, known, basket, BURNS - timedelta(seconds=1), "max", offline=False)
    burnt = quote(burning.programme, known, basket, BURNS, "max", offline=False)
    assert isinstance(alive, Quote)
    assert isinstance(burnt, Quote)
    assert (alive.redeemed, burnt.redeemed) == (10, 0)


def test_a_difference_is_named(burning: Shop, till: Till) -> None:
    """Lots, entries, receipts and chains that somebody has changed by hand."""
    member = burning.member(CARD)
    rows = [till.row(till.sale(10000, member=member, state=state_of(burning, 0))) for _ in range(3)]
    till.send(*rows)
    nothing_differs(burning)
    with burning.database.writing() as tx:
        tx.execute(tables.members.update().values(state=msgspec.json.encode(MemberState()).decode()))
        tx.execute(tables.rows.update().where(tables.rows.c.seq == 2).values(at="2026-12-12T09:00:01+00:00"))
        tx.execute(tables.ledger.update().where(tables.ledger.c.number == "3").values(points=11))
    with burning.database.reading() as tx:
        counted: list[int] = []
        kinds = [each.kind for each in verify.differences(tx, counted.append)]
        assert sum(counted) == verify.count_of(tx)
    assert kinds == ["balance", "receipt", "chain"]
    with burning.database.writing() as tx:
        tx.execute(tables.members.update().values(balance=31))
        tx.execute(tables.rows.delete().where(tables.rows.c.seq == 3))
    with burning.database.reading() as tx:
        found = list(verify.differences(tx, lambda _: None))
    assert [each.kind for each in found] == ["lots", "receipt", "chain"]


def test_what_refers_to_nobody_is_named(burning: Shop, till: Till) -> None:
    """No foreign key keeps the books of a chain together."""
    member = burning.member(CARD)
    till.send(till.row(till.sale(10000, member=member, state=state_of(burning, 0))))
    with burning.database.writing() as tx:
        tx.execute(tables.ledger.update().where(tables.ledger.c.kind == "earn").values(member="nobody"))
        tx.execute(tables.receipts.update().values(member="somebody"))
        tx.execute(tables.rows.update().values(epoch="lost"))
    with burning.database.reading() as tx:
        strays = [each.name for each in verify.differences(tx, lambda _: None) if each.kind == "stray"]
    assert strays == ["ledger/nobody", "receipts/somebody", f"rows/{till.me.device}/lost"]
