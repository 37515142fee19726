"""Points: append-only, once for each receipt and row, and a balance that is their sum."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from loyalty.wire import Cancellation, ReceiptId, Return
from loyalty_server.ledger import COLUMNS, Entry, book, differences, write_csv
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Shop, Till

DAY = date(2026, 12, 12)
RECEIPT = (DAY, "S1", "1", "1", "7")


def entry(shop: Shop, member: str, **more: object) -> Entry:
    plain = Entry("earn", member, 10, shop.clock.now(), "row-1", DAY, RECEIPT)
    return plain._replace(**more)


def test_entries_move_the_balance(shop: Shop) -> None:
    one, two = shop.member("1", 100), shop.member("2")
    with shop.database.writing() as tx:
        book(tx, [entry(shop, one), entry(shop, one, kind="redeem", points=-30)], shop.clock.now())
        book(tx, [entry(shop, two, row_id="row-2", receipt=None)], shop.clock.now())
    assert (shop.points(one), shop.points(two)) == (80, 10)


@pytest.mark.parametrize("again", [{"row_id": "row-2"}, {"receipt": (*RECEIPT[:4], "8")}])
def test_receipt_and_row_each_stop_a_second_booking(shop: Shop, again: dict[str, object]) -> None:
    member = shop.member("1")
    with shop.database.writing() as tx:
        book(tx, [entry(shop, member)], shop.clock.now())
    with pytest.raises(IntegrityError), shop.database.writing() as tx:
        book(tx, [entry(shop, member, **again)], shop.clock.now())
    assert shop.points(member) == 10


def test_half_a_booking_is_none(shop: Shop) -> None:
    member = shop.member("1")
    good, bad = entry(shop, member), entry(shop, "nobody", row_id="row-2", kind="redeem")
    with pytest.raises(LookupError), shop.database.writing() as tx:
        book(tx, [good, bad], shop.clock.now())
    assert (shop.points(member), shop.count(tables.ledger)) == (0, 0)


def test_a_balance_that_differs_is_found(shop: Shop) -> None:
    member, _ = shop.member("1", 100), shop.member("2")
    with shop.database.writing() as tx:
        tx.execute(update(tables.members).where(tables.members.c.id == member).values(balance=101))
    with shop.database.reading() as tx:
        assert differences(tx) == [(member, 101, 100)]


def written(shop: Shop) -> list[dict[str, str]]:
    out = StringIO()
    with shop.database.reading() as tx:
        count = write_csv(tx, out)
    lines = list(csv.DictReader(StringIO(out.getvalue())))
    assert len(lines) == count
    assert all(set(line) == set(COLUMNS) for line in lines)
    return lines


def test_the_csv_holds_every_entry_and_every_receipt(shop: Shop, till: Till) -> None:
    member = shop.member("2900000000018", 300, phone="+79161234567")
    till.sell(10000, member=member)
    till.sell(5000)
    token = till.token()
    till.sell(700, token=token)
    lines = written(shop)
    assert [(line["kind"], line["points"], line["number"], line["total"]) for line in lines] == [
        ("opening", "300", "", ""),
        ("earn", "10", "1", "10000"),
        ("", "0", "2", "5000"),
        ("", "0", "3", "700"),
    ]
    assert [line["seq"] for line in lines] == ["", "1", "2", "3"]
    assert {line["device"] for line in lines[1:]} == {till.me.device}
    assert sum(int(line["points"]) for line in lines if line["member"] == member) == shop.points(member)
    text = str(lines)
    for secret in ("2900000000018", "9161234567", token):
        assert secret not in text


def test_the_csv_of_points_that_came_after_their_receipt(shop: Shop, till: Till) -> None:
    till.sell(10000, member=shop.member("1"), state=None, redeem=0)
    assert [line["at"] for line in written(shop)] == [shop.clock.now().isoformat()]


def test_the_csv_of_returns(shop: Shop, till: Till) -> None:
    """One that took points, one without a member, and a cancellation under the identity of its sale."""
    member = shop.member("1")
    first, second, third = till.sell(10000, member=member), till.sell(5000), till.sell(10000, member=member)
    for number, sale in enumerate((first, second)):
        receipt = ReceiptId(store="S1", till="1", business_day=DAY, shift="9", number=f"r{number}")
        taken = Return(receipt=receipt, sale=sale.receipt, day=DAY, refund=300, pending=True)
        assert till.verdicts(till.row(taken, "return")) == ["accepted"]
    assert till.verdicts(till.row(Cancellation(sale=third.receipt), "cancellation")) == ["accepted"]
    lines = written(shop)
    assert sorted((line["number"], line["kind"], line["points"], line["pay"]) for line in lines) == [
        ("1", "earn", "10", "10000"),
        ("2", "", "0", "5000"),
        ("3", "earn", "10", "10000"),
        ("3", "return_earn", "-10", "0"),
        ("r0", "return_earn", "-10", "-300"),
        ("r1", "", "0", "-300"),
    ]
    assert sum(int(line["points"]) for line in lines) == shop.points(member) == 0


def test_no_cell_is_a_formula(shop: Shop, till: Till) -> None:
    """A till chooses the names of shifts and receipts, and its rows' ids."""
    names = ("=1+1", "+1", "-1", "@x")
    for name in names:
        sale = till.sale()
        receipt = msgspec.structs.replace(sale.receipt, shift=name, number=name)
        row = till.row(msgspec.structs.replace(sale, receipt=receipt), id=f"{name}id")
        assert till.verdicts(row) == ["accepted"]
    member = shop.member("1")
    with shop.database.writing() as tx:
        book(tx, [entry(shop, member, kind="redeem", points=-30, receipt=None, row_id="\tid")], shop.clock.now())
    out = StringIO()
    with shop.database.reading() as tx:
        write_csv(tx, out)
    lines = list(csv.DictReader(StringIO(out.getvalue())))
    assert [(line["kind"], line["points"], line["row_id"]) for line in lines[:1]] == [("redeem", "-30", "'\tid")]
    assert sorted((line["shift"], line["number"], line["row_id"]) for line in lines[1:]) == sorted(
        (f"'{name}", f"'{name}", f"'{name}id") for name in names
    )
