"""A queue that cannot go on as it was goes on under a new epoch, and nothing of it is booked twice or left out."""

from __future__ import annotations

import uuid
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import event

from loyalty.chain import GENESIS
from loyalty.wire import EpochReply, EpochRequest, Heartbeat, Origin, Row
from loyalty_server import verify
from loyalty_server.devices import find_device, new_code_for, revoke
from loyalty_server.epochs import open_epoch
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def ask(till: Till, epoch: str, /, **more: object) -> requests.Response:
    wish = {
        "epoch": epoch,
        "old_epoch": till.me.epoch,
        "last_seq": till.seq,
        "last_hash": till.last.hex(),
        "reason": "damaged",
        "machine": till.machine,
        **more,
    }
    return till.ask("POST", "/v1/devices/epochs", data=msgspec.json.encode(wish))


def turn(till: Till, **more: object) -> EpochReply:
    """Go on under a new epoch."""
    epoch = uuid.uuid4().hex
    response = ask(till, epoch, **more)
    assert response.status_code == 200, response.text
    till.me = msgspec.structs.replace(till.me, epoch=epoch)
    till.seq, till.last = 0, GENESIS
    return msgspec.json.decode(response.content, type=EpochReply)


def beat(till: Till, instance: str = "") -> None:
    message = Heartbeat(
        epoch=till.me.epoch,
        last_seq=till.seq,
        last_hash=till.last.hex(),
        pending=0,
        oldest_pending_at=None,
        version="1",
        programme_revision=1,
        devices={},
        at=till.shop.clock.now(),
        instance=instance,
    )
    assert till.ask("POST", "/v1/heartbeat", data=msgspec.json.encode(message)).status_code == 200


def carried(till: Till, old: Row, epoch: str) -> Row:
    """The same row in the present epoch."""
    return till.row(old.body, id=old.id, at=old.at, origin=Origin(epoch, old.seq))


def test_a_new_epoch_counts_from_one_and_closes_the_old_one(shop: Shop, till: Till, problem_of: Read) -> None:
    old = till.me.epoch
    till.sell()
    late = till.row(till.sale())
    assert turn(till, last_seq=1).old_watermark == 1
    assert till.verdicts(till.row(till.sale())) == ["accepted"]
    assert problem_of(till.post(late, epoch=old)).code == "fork"
    assert shop.flags() == ["epoch", "fork"]


def test_the_rest_of_a_closed_epoch_may_still_come(till: Till) -> None:
    old = till.me.epoch
    first, second = (till.row(till.sale()) for _ in range(2))
    till.send(first)
    assert turn(till, last_seq=2).old_watermark == 1
    assert till.post(second, epoch=old).status_code == 200
    assert till.verdicts(till.row(till.sale())) == ["accepted"]


def test_a_wish_whose_answer_was_lost_is_granted_again(till: Till) -> None:
    epoch = uuid.uuid4().hex
    assert ask(till, epoch).content == ask(till, epoch).content


def test_two_wishes_at_once_leave_one_epoch_open(shop: Shop, till: Till) -> None:
    """Both asked while the first epoch stood; the one that comes second must see what the first has done."""
    with shop.database.reading() as tx:
        asked = find_device(tx, till.me.device)
    assert asked is not None
    for epoch in ("one", "one", "two"):
        wish = EpochRequest(
            epoch=epoch, old_epoch=till.me.epoch, last_seq=0, last_hash="", reason="fork", machine=till.machine
        )
        with shop.database.writing() as tx:
            assert isinstance(open_epoch(tx, asked, wish, shop.clock.now()), EpochReply)
    still_open = [epoch for epoch, closed in shop.all(tables.epochs, "epoch", "closed_at") if closed is None]
    assert still_open == ["two"]
    assert shop.all(tables.devices, "epoch") == [("two",)]


def test_what_is_booked_under_its_old_number_is_not_booked_again(shop: Shop, till: Till) -> None:
    member = shop.member("2900000000018")
    old = till.me.epoch
    rows = [till.row(till.sale(member=member)) for _ in range(3)]
    till.send(*rows[:2])
    turn(till)
    again = [carried(till, row, old) for row in rows]
    assert till.verdicts(*again) == ["duplicate", "duplicate", "accepted"]
    assert till.verdicts(*again) == ["duplicate"] * 3
    assert shop.points(member) == 30


def test_what_was_carried_over_twice_is_booked_once(shop: Shop, till: Till) -> None:
    old, sale = till.me.epoch, till.row(till.sale())
    turn(till)
    till.send(carried(till, sale, old))
    turn(till)
    assert till.verdicts(carried(till, sale, old)) == ["duplicate"]
    assert shop.count(tables.receipts) == 1


def test_a_row_that_shared_its_number_with_another_one_is_booked(shop: Shop, till: Till) -> None:
    """A copied disk: both sold under number 1. A bare watermark would take the second one for a repetition."""
    old = till.me.epoch
    till.sell()
    till.seq, till.last = 0, GENESIS
    mine = till.row(till.sale())
    turn(till)
    assert till.verdicts(carried(till, mine, old)) == ["accepted"]
    assert shop.count(tables.receipts) == 2


def test_rows_carried_over_from_another_store_are_refused(shop: Shop, till: Till) -> None:
    other = shop.till("S2", "pc-2")
    row = till.row(till.sale())
    assert other.verdicts(carried(other, row, till.me.epoch)) == ["foreign_epoch"]
    assert shop.count(tables.receipts) == 0


def test_a_damaged_row_keeps_its_place_and_is_kept_for_people(shop: Shop, till: Till) -> None:
    rows = [till.row(till.sale()) for _ in range(3)]
    rows[1] = msgspec.structs.replace(rows[1], kind="damaged", body="{}")
    assert till.verdicts(*rows) == ["accepted", "row_damaged", "accepted"]
    assert till.verdicts(*rows) == ["duplicate", "row_damaged", "duplicate"]
    assert (shop.flags(), shop.count(tables.receipts)) == (["rejected"], 2)


def test_a_row_that_was_booked_and_is_damaged_since_is_a_duplicate(till: Till) -> None:
    row = till.row(till.sale())
    till.send(row)
    assert till.verdicts(msgspec.structs.replace(row, kind="damaged", body="{}")) == ["duplicate"]


def test_two_queues_of_one_device_need_an_operator(shop: Shop, till: Till, problem_of: Read) -> None:
    first = till.me.epoch
    turn(till)
    beat(till, "one")
    said = problem_of(ask(till, uuid.uuid4().hex, old_epoch=first, instance="two"))
    assert (said.code, said.status) == ("epoch_code", 403)
    assert ask(till, uuid.uuid4().hex, old_epoch=first, instance="one").status_code == 200, (
        "the same queue, not another"
    )
    assert shop.flags() == ["epoch", "epoch", "epoch_refused"]


def test_a_queue_that_fell_silent_is_replaced_without_one(shop: Shop, till: Till) -> None:
    first = till.me.epoch
    turn(till)
    beat(till, "one")
    shop.clock.advance(minutes=15)
    assert ask(till, uuid.uuid4().hex, old_epoch=first, instance="two").status_code == 200


def test_a_queue_on_another_machine_needs_an_operator(shop: Shop, till: Till, problem_of: Read) -> None:
    assert problem_of(ask(till, uuid.uuid4().hex, machine="pc-2")).code == "epoch_code"
    assert shop.flags() == ["epoch_refused"]


def test_an_epoch_of_somebody_else_is_nobodys(shop: Shop, till: Till, problem_of: Read) -> None:
    other = shop.till("S1", "pc-2")
    first = till.me.epoch
    turn(till)
    assert problem_of(ask(till, other.me.epoch)).code == "epoch_taken"
    assert problem_of(ask(till, first)).code == "epoch_taken"


@pytest.mark.parametrize(
    "wrong", [{"epoch": ""}, {"epoch": "x" * 65}, {"epoch": "a b"}, {"last_seq": -1}, {"reason": "boredom"}]
)
def test_a_wish_that_is_none_is_refused(till: Till, problem_of: Read, wrong: dict[str, object]) -> None:
    assert problem_of(ask(till, uuid.uuid4().hex, **wrong)).code == "malformed"


def test_a_device_goes_on_with_a_new_key(shop: Shop, till: Till, problem_of: Read) -> None:
    sold, waits, old = till.row(till.sale()), till.row(till.sale()), till.me.epoch
    till.send(sold)
    with shop.database.writing() as tx:
        revoke(tx, till.me.device, shop.clock.now())
        code = new_code_for(tx, till.me.device, shop.clock.now())
    assert problem_of(till.post(waits)).code == "device_revoked"

    again = type(till)(shop, "pc-2")
    me = again.claim(code)
    assert (me.device, me.store) == (till.me.device, till.me.store)
    assert me.epoch != old
    assert again.verdicts(carried(again, sold, old), carried(again, waits, old)) == ["duplicate", "accepted"]
    assert problem_of(till.post(waits)).code == "bad_signature"


def test_a_claim_may_bring_its_epoch(shop: Shop, till: Till, problem_of: Read) -> None:
    response = ask_claim(shop, "one", shop.code())
    assert response.json()["epoch"] == "one"
    assert problem_of(ask_claim(shop, till.me.epoch, shop.code())).code == "epoch_taken"
    assert problem_of(ask_claim(shop, "no epoch", shop.code())).code == "malformed"


def ask_claim(shop: Shop, epoch: str, code: str) -> requests.Response:
    stranger = shop.till("S2", "pc-9")  # only for a key that is nobody's yet
    stranger.key = uuid.uuid4().bytes + uuid.uuid4().bytes
    wish = {"code": code, "public_key": stranger.public_key, "machine": "m", "version": "1", "epoch": epoch}
    return shop.http.post(f"{shop.url}/v1/devices", data=msgspec.json.encode(wish))


def test_a_code_for_nobody_is_not_made(shop: Shop) -> None:
    with pytest.raises(LookupError), shop.database.writing() as tx:
        new_code_for(tx, "D99", shop.clock.now())


def test_the_past_of_a_whole_batch_is_asked_for_at_once(shop: Shop, till: Till) -> None:
    old, rows = till.me.epoch, [till.row(till.sale()) for _ in range(60)]
    till.send(*rows[:40])
    turn(till, last_seq=0)
    asked: list[str] = []
    event.listen(shop.served.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    moved = [carried(till, row, old) for row in rows]
    assert till.verdicts(*moved, carried(till, rows[50], old)) == ["duplicate"] * 40 + ["accepted"] * 20 + ["duplicate"]
    assert len(asked) < 40
    assert till.verdicts(*[carried(till, row, old) for row in rows]) == ["duplicate"] * 60


def test_a_row_id_on_two_business_days_doubles_nothing(shop: Shop, till: Till) -> None:
    """The days are partitions, so an id is unique in each; what may stand once is the receipt, and the row by its number."""
    member, old, same = shop.member("2900000000018"), till.me.epoch, str(uuid.uuid4())
    sales = [till.sale(10000, member=member), till.sale(20000, member=member)]
    receipt = msgspec.structs.replace(sales[1].receipt, business_day=date(2026, 12, 11))
    sales[1] = msgspec.structs.replace(sales[1], receipt=receipt)
    rows = [till.row(sale, id=same) for sale in sales]
    assert till.verdicts(*rows) == ["accepted"] * 2
    assert till.verdicts(*rows) == ["duplicate"] * 2
    assert till.verdicts(*[till.row(sale, id=same) for sale in sales]) == ["duplicate"] * 2
    assert till.verdicts(*[till.row(sale) for sale in sales]) == ["duplicate"] * 2
    turn(till, last_seq=till.seq)
    assert till.verdicts(*[carried(till, row, old) for row in rows]) == ["duplicate"] * 2
    assert (shop.points(member), shop.count(tables.receipts)) == (10 + 20, 2)
    with shop.database.reading() as tx:
        assert list(verify.differences(tx, lambda _: None)) == []
