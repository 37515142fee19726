"""Returns and cancellations: once, in any order with their sale, and never more than was sold."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.engine import quote
from loyalty.quote import Basket, Line, MemberState, Quote, ReturnRequest
from loyalty.returns import Sold, TakenBack, event, nothing, take_back
from loyalty.wire import Cancellation, EventReply, ReceiptId, Return, Row, Sale
from loyalty_server.devices import find_device
from loyalty_server.ingest import Batch, ingest
from loyalty_server.slips import IncomingRow
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Phone, Shop, Till

CARD = "2900000000018"
DAY = date(2026, 12, 13)


def known(shop: Shop, balance: int = 300) -> tuple[str, MemberState]:
    member = shop.member(CARD, balance)
    return member, MemberState(balance=balance, as_of=shop.clock.now())


def own(number: int, till: str = "1") -> ReceiptId:
    return ReceiptId(store="S1", till=till, business_day=DAY, shift="9", number=str(number))


def big_sale(till: Till, **more: object) -> Sale:
    """Three lines, one of them of three pieces, paid with points in part."""
    lines = (Line(sum=9990), Line(sum=3001, quantity=3000), Line(sum=777))
    basket, state = Basket(lines), more.get("state")
    assert state is None or isinstance(state, MemberState)
    redeem = "max" if state is not None else 0
    quoted = quote(till.shop.programme, state, basket, till.shop.clock.now(), redeem, offline=False)
    assert isinstance(quoted, Quote)
    return till.sale(**{**more, "basket": basket, "quote": quoted})


def sold_of(till: Till, sale: Sale) -> Sold:
    return Sold(
        programme=till.shop.programme, member=sale.member_state, basket=sale.basket, at=till.shop.clock.now(),
        quote=sale.quote, store="S1",
    )  # fmt: skip


def in_turn(till: Till, sale: Sale, *wishes: ReturnRequest) -> list[Return]:
    """Returns one after another, each knowing those before it."""
    sold = sold_of(till, sale)
    before, taken = nothing(sold), []
    for number, wish in enumerate(wishes):
        after = take_back(sold, before, wish)
        assert isinstance(after, TakenBack)
        taken.append(event(sold, before, after, receipt=own(number), sale=sale.receipt, member=sale.member))
        before = after
    return taken


def each_by_itself(till: Till, sale: Sale, *wishes: ReturnRequest) -> list[Return]:
    """Returns at tills that do not know of each other."""
    taken = [in_turn(till, sale, wish)[0] for wish in wishes]
    return [msgspec.structs.replace(each, receipt=own(number)) for number, each in enumerate(taken)]


PIECES = (ReturnRequest(lines=(0,)), ReturnRequest(units=((1, 1),)), ReturnRequest(units=((1, 2),), lines=(2,)))


def account(shop: Shop, member: str) -> tuple[int, MemberState]:
    with shop.database.reading() as tx:
        found = tx.execute(tables.members.select().where(tables.members.c.id == member)).one()
    return shop.points(member), msgspec.json.decode(found.state, type=MemberState)


def entries(shop: Shop) -> list[tuple[object, ...]]:
    return sorted(shop.all(tables.ledger, "kind", "points", "row_id"))


def test_a_return_takes_and_gives_back_what_was_printed(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    assert back.points_back > 0 < back.clawback
    assert till.verdicts(till.row(sale), till.row(back, "return")) == ["accepted"] * 2
    assert shop.points(member) == sale.quote.balance_after + back.points_back - back.clawback
    kinds = [kind for kind, *_ in entries(shop)]
    assert kinds == ["earn", "opening", "redeem", "return_earn", "return_redeem"]
    assert shop.flags() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_sale_and_its_returns_in_any_order_end_equal(shop: Shop, till: Till, order: tuple[int, ...]) -> None:
    """Everything has come back: points, counters and tier are as if nothing had been bought."""
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    bodies = [sale, *in_turn(till, sale, *PIECES)]
    rows = [till.row(bodies[place], "return" if place else "sale") for place in order]
    for row in rows:
        assert till.verdicts(row) == ["accepted"]
    balance, kept = account(shop, member)
    assert balance == 300
    assert {
        name: set(values.values()) for name, values in msgspec.to_builtins(kept.counters).items() if name != "on"
    } in (
        {},
        {name: {0} for name in ("purchases", "turnover", "earnings", "redemptions", "redeemed")},
    )
    assert {kind for kind, *_ in entries(shop)} == {"earn", "opening", "redeem", "return_earn", "return_redeem"}
    assert (shop.flags(), [each for (each,) in shop.all(tables.returns, "settled_at")]) == ([], [shop.clock.now()] * 3)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_tills_that_do_not_know_of_each_other_end_there_too(shop: Shop, till: Till, order: tuple[int, ...]) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    bodies = [sale, *each_by_itself(till, sale, *PIECES)]
    rows = [till.row(bodies[place], "return" if place else "sale") for place in order]
    assert till.verdicts(*rows) == ["accepted"] * 4
    balance, kept = account(shop, member)
    assert (balance, kept.counters.purchases.get("lifetime", 0), kept.counters.turnover.get("lifetime", 0)) == (
        300,
        0,
        0,
    )


def test_each_stops_a_second_booking_alone(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    sold, first = till.row(sale), till.row(back, "return")
    till.send(sold, first)
    there = shop.points(member)
    other = msgspec.structs.replace(back, refund=back.refund + 1)
    elsewhere = msgspec.structs.replace(back, receipt=own(77))
    assert till.verdicts(first, till.row(back, "return"), till.row(other, "return")) == [
        "duplicate", "duplicate", "receipt_conflict",
    ]  # fmt: skip
    assert till.verdicts(till.row(elsewhere, "return", id=first.id)) == ["row_id_reused"]
    assert (shop.points(member), shop.count(tables.returns)) == (there, 1)


def test_more_than_was_sold_is_flagged_and_gives_nothing(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    till.send(till.row(sale), till.row(back, "return"))
    there = account(shop, member)
    again = msgspec.structs.replace(back, receipt=own(77))
    assert till.verdicts(till.row(again, "return")) == ["accepted"]
    assert account(shop, member) == there
    assert shop.flags() == ["returned_too_much"]


def test_a_return_waits_for_its_sale(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    till.send(till.row(back, "return"))
    assert (shop.points(member), shop.all(tables.returns, "settled_at"), shop.flags()) == (300, [(None,)], [])
    till.send(till.row(sale))
    assert shop.points(member) == sale.quote.balance_after + back.points_back - back.clawback


@pytest.mark.parametrize("first", ["sale", "return"])
def test_a_till_that_did_not_know_the_sale_leaves_the_points_to_the_server(shop: Shop, till: Till, first: str) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    blind = Return(
        receipt=back.receipt, sale=back.sale, day=DAY, refund=back.refund, units=back.units, pending=True
    )  # fmt: skip
    rows = [(sale, "sale"), (blind, "return")]
    for body, kind in rows if first == "sale" else rows[::-1]:
        assert till.verdicts(till.row(body, kind)) == ["accepted"]
    assert shop.points(member) == sale.quote.balance_after + back.points_back - back.clawback


@pytest.mark.parametrize("first", ["sale", "cancellation"])
def test_a_cancelled_sale_leaves_nothing(shop: Shop, till: Till, first: str) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    cancel = Cancellation(sale=sale.receipt)
    rows = [(sale, "sale"), (cancel, "cancellation")]
    for body, kind in rows if first == "sale" else rows[::-1]:
        assert till.verdicts(till.row(body, kind)) == ["accepted"]
    assert till.verdicts(till.row(cancel, "cancellation")) == ["duplicate"]
    balance, kept = account(shop, member)
    assert (balance, kept.counters.purchases["lifetime"], shop.flags()) == (300, 0, [])


def test_a_return_in_another_store(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    other = shop.till("S2", "pc-2")
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    foreign = msgspec.structs.replace(back, receipt=msgspec.structs.replace(back.receipt, store="S2"))
    assert other.verdicts(other.row(back, "return")) == ["foreign_store"]
    assert other.verdicts(other.row(foreign, "return")) == ["accepted"]
    till.send(till.row(sale))
    assert shop.points(member) == sale.quote.balance_after + back.points_back - back.clawback


@pytest.mark.parametrize("order", list(itertools.permutations(("sale", "return", "enrol"))))
def test_a_receipt_that_came_back_before_its_buyer_joined(
    shop: Shop, till: Till, phone: Phone, order: tuple[str, ...]
) -> None:
    """The whole receipt has come back: the new member has nothing of it."""
    token = till.token()
    sale = big_sale(till, token=token)
    (back,) = in_turn(till, sale, ReturnRequest(lines=(0, 1, 2)))
    for step in order:
        match step:
            case "sale":
                till.send(till.row(sale))
            case "return":
                till.send(till.row(back, "return"))
            case _:
                phone.open(f"/E/{token}").submit(phone="8 916 123-45-67", personal_data="yes")
                phone.submit(code=shop.last_code())
    ((member,),) = shop.all(tables.members, "id")
    balance, kept = account(shop, str(member))
    assert (balance, kept.counters.purchases["lifetime"], sale.quote.earned > 0) == (0, 0, True)


def test_a_return_without_a_member_moves_no_points(shop: Shop, till: Till) -> None:
    sale = big_sale(till)
    (back,) = in_turn(till, sale, PIECES[0])
    assert till.verdicts(till.row(sale), till.row(back, "return")) == ["accepted"] * 2
    again = msgspec.structs.replace(back, receipt=own(5))
    till.send(till.row(again, "return"))
    assert (shop.count(tables.ledger), shop.flags()) == (0, ["returned_too_much"])


def test_a_return_that_says_what_was_never_there_gives_no_more_than_there_was(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    wild = msgspec.structs.replace(back, points_back=10**9, clawback=0, purchases=5, turnover=10**9)
    till.send(till.row(sale), till.row(wild, "return"))
    assert shop.points(member) == sale.quote.balance_after + back.points_back - back.clawback
    assert account(shop, member)[1].counters.purchases["lifetime"] == 1


@pytest.mark.parametrize("change", [{"units": (1,)}, {"units": (1, 2, 3, 4)}])
def test_units_of_another_receipt_are_flagged(shop: Shop, till: Till, change: dict[str, object]) -> None:
    member, state = known(shop)
    sale = big_sale(till, member=member, state=state)
    (back,) = in_turn(till, sale, PIECES[0])
    till.send(till.row(sale), till.row(msgspec.structs.replace(back, **change), "return"))
    assert (shop.points(member), shop.flags()) == (sale.quote.balance_after, ["returned_too_much"])


@pytest.mark.parametrize("change", [{"refund": -1}, {"points_back": 10**13}, {"units": (-1, 0, 0)}])
def test_impossible_returns_are_rejected(till: Till, change: dict[str, object]) -> None:
    sale = big_sale(till)
    (back,) = in_turn(till, sale, PIECES[0])
    assert till.verdicts(till.row(msgspec.structs.replace(back, **change), "return")) == ["row_malformed"]


def test_a_return_of_the_future_is_booked_at_its_arrival(shop: Shop, till: Till) -> None:
    sale = big_sale(till)
    (back,) = in_turn(till, sale, PIECES[0])
    ahead = (shop.clock.now() + timedelta(hours=1)).isoformat()
    till.send(till.row(back, "return", at=ahead))
    assert (shop.all(tables.returns, "at"), shop.flags()) == ([(shop.clock.now(),)], ["clock_ahead"])


def test_stamps_stay_and_a_return_to_an_unknown_sale_is_one_row(shop: Shop, till: Till) -> None:
    """Fifty returns of fifty sales in one batch, and then the sales."""
    member, state = known(shop)
    sales = [big_sale(till, member=member, state=state) for _ in range(20)]
    backs: list[Row] = []
    for number, sale in enumerate(sales):
        (back,) = in_turn(till, sale, ReturnRequest(lines=(0, 1, 2)))
        backs.append(till.row(msgspec.structs.replace(back, receipt=own(number)), "return", id=str(uuid.uuid4())))
    assert till.verdicts(*backs) == ["accepted"] * 20
    assert till.verdicts(*[till.row(sale) for sale in sales]) == ["accepted"] * 20
    assert shop.points(member) == 300


def test_a_return_and_its_sale_at_the_same_moment_find_each_other(
    shop: Shop, till: Till, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    """Two devices deliver at once; whoever comes first, the return is settled."""
    member, state = known(shop)
    other, rounds = shop.till("S1", "pc-2"), size(10, 300)
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            sale = big_sale(till, member=member, state=state)
            (back,) = in_turn(till, sale, ReturnRequest(lines=(0, 1, 2)))
            rows = till.row(sale), other.row(msgspec.structs.replace(back, receipt=own(number)), "return")
            both = [pool.submit(deliver, shop, each, row) for each, row in zip((till, other), rows, strict=True)]
            assert [each.result(20) for each in both] == [["accepted"]] * 2
    assert shop.points(member) == 300
    assert all(at is not None for (at,) in shop.all(tables.returns, "settled_at"))
    proof(f"{rounds} sales and their returns delivered at the same moment on {shop.storage.name}: all settled")


def deliver(shop: Shop, till: Till, row: Row) -> list[str]:
    with shop.database.writing() as tx:
        device = find_device(tx, till.me.device)
        assert device is not None
        sent = msgspec.convert(msgspec.to_builtins(row), IncomingRow)
        reply = ingest(tx, shop.keys, device, Batch(till.me.epoch, (sent,)), shop.clock.now())
    assert isinstance(reply, EventReply)
    return [each.verdict for each in reply.verdicts]
