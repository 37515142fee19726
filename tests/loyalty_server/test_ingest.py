"""What batches book: once, in order, with a verdict for each row, whatever gets lost on the way."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import select

from loyalty.chain import GENESIS
from loyalty.member import apply
from loyalty.quote import MemberState
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem, ReceiptId

    Read = Callable[[requests.Response], Problem]

CARD = "2900000000018"


def known(shop: Shop, balance: int = 0) -> tuple[str, MemberState]:
    """A member, as the till knows him."""
    member = shop.member(CARD, balance)
    return member, MemberState(balance=balance, as_of=shop.clock.now())


def test_a_sale_is_booked_as_it_was_printed(shop: Shop, till: Till) -> None:
    member, state = known(shop, balance=300)
    sale = till.sell(10000, member=member, state=state, redeem=50)
    assert (sale.quote.redeemed, sale.quote.earned) == (50, 5)
    assert shop.points(member) == 300 - 50 + 5
    assert shop.all(tables.ledger, "points", "kind") == [(-50, "redeem"), (5, "earn"), (300, "opening")]


def test_the_printed_number_stands_even_when_the_programme_says_another(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = till.sale(10000, member=member, state=state)
    printed = msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, earned=77))
    assert till.verdicts(till.row(printed)) == ["accepted"]
    assert shop.points(member) == 77


def test_the_member_moves_by_the_same_function_as_on_the_till(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    sale = till.sell(10000, member=member, state=state)
    kept = till.changes()[0].state
    assert kept is not None
    before = msgspec.structs.replace(state, joined="2026-12-12")
    assert kept == msgspec.structs.replace(apply(before, sale), as_of=shop.clock.now())
    assert kept.counters.purchases["lifetime"] == 1


def test_a_lost_reply_doubles_nothing(shop: Shop, till: Till) -> None:
    member, state = known(shop)
    rows = [till.row(till.sale(member=member, state=state)) for _ in range(3)]
    assert till.verdicts(*rows) == ["accepted"] * 3
    assert till.verdicts(*rows) == ["duplicate"] * 3
    assert till.send(*rows).watermark == 3
    assert shop.points(member) == 30
    assert (shop.count(tables.receipts), shop.count(tables.rows)) == (3, 3)


def test_a_batch_may_overlap_what_is_booked(shop: Shop, till: Till) -> None:
    rows = [till.row(till.sale()) for _ in range(4)]
    till.send(*rows[:2])
    reply = till.send(*rows[1:])
    assert [each.verdict for each in reply.verdicts] == ["duplicate", "accepted", "accepted"]
    assert (reply.watermark, shop.count(tables.receipts)) == (4, 4)


def test_an_old_part_alone_keeps_the_watermark(till: Till) -> None:
    rows = [till.row(till.sale()) for _ in range(4)]
    till.send(*rows)
    assert till.send(*rows[:2]).watermark == 4


def test_a_rejection_is_told_again(till: Till) -> None:
    row = till.row("{")
    assert till.verdicts(row) == ["row_malformed"]
    again = till.send(row).verdicts[0]
    assert (again.verdict, again.problem is not None and again.problem.code) == ("rejected", "row_malformed")


def test_an_empty_batch_tells_the_watermark(till: Till) -> None:
    till.send(till.row(till.sale()))
    reply = till.send()
    assert (reply.watermark, reply.verdicts, reply.epoch, reply.device) == (1, (), till.me.epoch, till.me.device)


def test_a_gap_names_the_row_that_is_missing(shop: Shop, till: Till, problem_of: Read) -> None:
    rows = [till.row(till.sale()) for _ in range(3)]
    till.send(rows[0])
    response = till.post(rows[2])
    problem = problem_of(response)
    assert (response.status_code, problem.code, problem.expect, problem.retryable) == (409, "gap", 2, True)
    assert shop.count(tables.receipts) == 1


def test_another_past_is_a_fork_and_is_put_aside(shop: Shop, till: Till, problem_of: Read) -> None:
    till.send(till.row(till.sale()), till.row(till.sale()))
    till.seq, till.last = 1, bytes.fromhex(str(shop.all(tables.rows, "seq", "hash")[0][1]))
    other = [till.row(till.sale(555)), till.row(till.sale(666))]
    response = till.post(*other)
    assert (response.status_code, problem_of(response).code) == (409, "fork")
    assert problem_of(till.post(*other)).code == "fork"
    assert shop.all(tables.quarantine, "seq", "reason", "body") == [(row.seq, "fork", row.body) for row in other]
    assert (shop.count(tables.receipts), shop.flags()) == (2, ["fork"])


def test_rows_behind_another_settled_row_are_a_fork_from_that_row_on(shop: Shop, till: Till, problem_of: Read) -> None:
    first = till.row(till.sale())
    till.send(first)
    second = till.row(till.sale())
    problem = problem_of(till.post(second, after="0" * 64))
    assert (problem.code, problem.expect) == ("fork", 1)
    assert (shop.count(tables.receipts), shop.flags()) == (1, ["fork"])
    assert till.post(second, after=first.hash).status_code == 200


def test_a_fork_in_the_middle_books_nothing_of_the_batch(shop: Shop, till: Till, problem_of: Read) -> None:
    first = till.row(till.sale())
    till.send(first, till.row(till.sale()))
    till.seq, till.last = 1, bytes.fromhex(first.hash)
    assert problem_of(till.post(first, till.row(till.sale()), till.row(till.sale()))).code == "fork"
    assert [seq for seq, *_ in shop.all(tables.quarantine, "seq")] == [2, 3]
    assert shop.count(tables.receipts) == 2


def test_rows_of_an_epoch_that_is_not_open_are_not_booked(shop: Shop, till: Till, problem_of: Read) -> None:
    assert problem_of(till.post(till.row(till.sale()), epoch="0" * 32)).code == "epoch_unknown"
    with shop.database.writing() as tx:
        tx.execute(tables.epochs.update().values(closed_at=shop.clock.now()))
    assert problem_of(till.post(till.row(till.sale()))).code == "fork"
    assert (shop.count(tables.quarantine), shop.count(tables.receipts)) == (1, 0)


def test_another_devices_rows_are_not_booked_as_mine(shop: Shop, till: Till, problem_of: Read) -> None:
    other = shop.till("S1", "pc-2")
    rows = [till.row(till.sale())]
    assert problem_of(other.post(*rows, epoch=till.me.epoch)).code == "epoch_unknown"
    assert other.verdicts(*rows) == ["row_hash"]
    assert shop.count(tables.receipts) == 0


def test_a_damaged_row_is_rejected_alone(shop: Shop, till: Till) -> None:
    rows = [till.row(till.sale()) for _ in range(3)]
    rows[1] = msgspec.structs.replace(rows[1], body=rows[1].body.replace("food", "fool"))
    assert till.verdicts(*rows) == ["accepted", "row_hash", "accepted"]
    assert till.verdicts(till.row(till.sale())) == ["accepted"]
    assert shop.all(tables.quarantine, "seq", "reason") == [(2, "row_hash")]
    assert shop.flags() == ["rejected"]


@pytest.mark.parametrize("wrong", ["", "zz", "0" * 63, "A" * 64, "0" * 65])
def test_a_hash_that_is_none_is_rejected_and_known_again(till: Till, wrong: str) -> None:
    row = msgspec.structs.replace(till.row(till.sale()), hash=wrong)
    follower = till.row(till.sale())
    assert till.verdicts(row, follower) == ["row_hash", "accepted"]
    assert till.verdicts(row, follower) == ["row_hash", "duplicate"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "row_malformed"),
        ("null", "row_malformed"),
        ("[" * 5000, "row_malformed"),
        ('{"receipt":{}}', "row_malformed"),
        ("\0", "row_malformed"),
        ('"\\ud800', "row_malformed"),
    ],
)
def test_a_poison_row_never_blocks_its_neighbours(shop: Shop, till: Till, body: str, code: str) -> None:
    rows = [till.row(till.sale()), till.row(body), till.row(till.sale())]
    assert till.verdicts(*rows) == ["accepted", code, "accepted"]
    assert (till.send().watermark, shop.count(tables.receipts)) == (3, 2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("quote.earned", -1),
        ("quote.earned", 10**30),
        ("quote.redeemed", -5),
        ("quote.redeemed", 1.5),
        ("quote.pay", -1),
        ("receipt.number", ""),
        ("receipt.number", "x" * 65),
        ("receipt.shift", "\x00"),
        ("receipt.business_day", "2026-02-30"),
        ("receipt.till", 1),
    ],
)
def test_impossible_values_are_rejected(shop: Shop, till: Till, path: str, value: object) -> None:
    sale = json.loads(msgspec.json.encode(till.sale(member=shop.member(CARD))))
    part, name = path.split(".")
    sale[part][name] = value
    assert till.verdicts(till.row(json.dumps(sale))) == ["row_malformed"]
    assert shop.count(tables.receipts) == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"schema": 2}, "row_schema"),
        ({"kind": "unheard-of"}, "row_kind"),
        ({"at": "yesterday"}, "row_malformed"),
        ({"at": "2026-12-12T12:00:00"}, "row_malformed"),
        ({"id": ""}, "row_malformed"),
        ({"id": "x" * 65}, "row_malformed"),
    ],
)
def test_rows_of_another_make_are_rejected(till: Till, more: dict[str, object], code: str) -> None:
    assert till.verdicts(till.row(till.sale(), **more)) == [code]


def test_a_time_at_the_edge_of_the_calendar_is_no_reason_to_fail(till: Till) -> None:
    assert till.verdicts(till.row(till.sale(), at="0001-01-01T00:00:00+14:00")) == ["row_malformed"]
    assert till.verdicts(till.row(till.sale())) == ["accepted"]


def test_the_same_receipt_by_another_road_is_a_duplicate(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    sale = till.sell(member=member)
    assert till.verdicts(till.row(sale)) == ["duplicate"]
    assert (shop.points(member), shop.count(tables.receipts)) == (sale.quote.earned, 1)


def test_another_sale_under_the_same_receipt_is_a_conflict(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    sale = till.sell(member=member)
    other = msgspec.structs.replace(till.sale(99000, member=member), receipt=sale.receipt)
    assert till.verdicts(till.row(other)) == ["receipt_conflict"]
    assert shop.points(member) == sale.quote.earned


def test_any_part_of_the_identity_makes_another_receipt(shop: Shop, till: Till) -> None:
    sale = till.sell()
    for change in ({"till": "2"}, {"shift": "2"}, {"number": "99"}, {"business_day": date(2026, 12, 13)}):
        receipt: ReceiptId = msgspec.structs.replace(sale.receipt, **change)
        assert till.verdicts(till.row(msgspec.structs.replace(sale, receipt=receipt))) == ["accepted"]
    assert shop.count(tables.receipts) == 5


def test_a_row_id_books_one_row_only(shop: Shop, till: Till) -> None:
    first = till.row(till.sale())
    assert till.verdicts(first, till.row(till.sale(), id=first.id)) == ["accepted", "row_id_reused"]
    assert shop.count(tables.receipts) == 1


def test_a_receipt_of_another_store_is_rejected(till: Till) -> None:
    sale = till.sale()
    foreign = msgspec.structs.replace(sale, receipt=msgspec.structs.replace(sale.receipt, store="S2"))
    assert till.verdicts(till.row(foreign)) == ["foreign_store"]


def test_an_unknown_card_is_booked_and_flagged(shop: Shop, till: Till) -> None:
    till.sell(card="2999999999999", state=MemberState())
    assert (shop.flags(), shop.count(tables.receipts), shop.count(tables.ledger)) == (["unknown_card"], 1, 0)


def test_a_card_that_the_replica_did_not_hold_earns_for_its_member(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    sale = till.sell(card=CARD, state=MemberState())
    assert (shop.points(member), shop.flags()) == (sale.quote.earned, [])


def test_an_unknown_member_is_booked_and_flagged(shop: Shop, till: Till) -> None:
    till.sell(member="nobody")
    assert (shop.flags(), shop.count(tables.ledger)) == (["unknown_member"], 0)


def test_points_that_were_not_there_make_a_debt_and_a_flag(shop: Shop, till: Till) -> None:
    member = shop.member(CARD, 10)
    believed = MemberState(balance=500, as_of=shop.clock.now())
    sale = till.sell(100000, member=member, state=believed, redeem=500, cashier="7")
    assert shop.points(member) == 10 - 500 + sale.quote.earned < 0
    (kind, till_id, who, detail), *_ = shop.all(tables.flags, "kind", "till", "member", "detail")
    assert (kind, till_id, who) == ("shortfall", "1", member)
    assert "cashier=7" in str(detail)


def test_sums_that_do_not_add_up_are_flagged(shop: Shop, till: Till) -> None:
    sale = till.sale()
    wrong = msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, pay=sale.quote.pay - 1))
    assert till.verdicts(till.row(wrong)) == ["accepted"]
    assert shop.flags() == ["sums"]


def test_a_till_that_the_store_does_not_have_is_flagged(shop: Shop, till: Till) -> None:
    sale = till.sale()
    odd = msgspec.structs.replace(sale, receipt=msgspec.structs.replace(sale.receipt, till="99"))
    assert till.verdicts(till.row(odd)) == ["accepted"]
    assert shop.flags() == ["unknown_till"]


def test_a_receipt_from_the_future_is_booked_at_its_arrival(shop: Shop, till: Till) -> None:
    ahead = (shop.clock.now() + timedelta(minutes=6)).isoformat()
    near = (shop.clock.now() + timedelta(minutes=5)).isoformat()
    assert till.verdicts(till.row(till.sale(), at=ahead), till.row(till.sale(), at=near)) == ["accepted"] * 2
    at = [each for _, each in shop.all(tables.receipts, "seq", "at")]
    assert at == [shop.clock.now(), shop.clock.now() + timedelta(minutes=5)]
    assert shop.flags() == ["clock_ahead"]


def test_a_business_day_from_the_future_stops_no_counters(shop: Shop, till: Till) -> None:
    """A cash register with a wrong year: the member's limits a day, month and year must go on to count."""
    member = shop.member(CARD)
    sale = till.sale(member=member)
    odd = msgspec.structs.replace(sale, receipt=msgspec.structs.replace(sale.receipt, business_day=date(2028, 1, 1)))
    assert till.verdicts(till.row(odd), till.row(till.sale(member=member))) == ["accepted"] * 2
    (change,) = till.changes()
    assert change.state is not None
    assert change.state.counters.purchases == {"lifetime": 2, "year": 2, "month": 2, "day": 2}
    assert change.state.counters.on == date(2026, 12, 12)
    assert shop.flags() == ["clock_ahead"]


def test_a_coupon_that_stands_twice_on_a_receipt_is_used_once(shop: Shop, till: Till) -> None:
    sale = till.sale(member=shop.member(CARD))
    twice = msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, coupons_used=("A", "A")))
    assert till.verdicts(till.row(twice)) == ["accepted"]
    assert (shop.all(tables.coupon_uses, "code"), shop.flags()) == ([("A",)], [])


def test_what_is_booked_survives_a_restart(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    rows = [till.row(till.sale(member=member)) for _ in range(2)]
    till.send(*rows)
    shop.restart()
    assert till.verdicts(*rows, till.row(till.sale(member=member))) == ["duplicate", "duplicate", "accepted"]
    assert shop.points(member) == 30


def test_the_chain_is_kept_for_the_next_batch(shop: Shop, till: Till) -> None:
    row = till.row(till.sale())
    till.send(row)
    with shop.database.reading() as tx:
        (last,) = tx.execute(select(tables.epochs.c.last_hash)).scalars()
    assert last == row.hash == till.last.hex() != GENESIS.hex()
