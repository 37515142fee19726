"""Twenty tills whose rows come in any order, cut anywhere, twice: the same ledger each time."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import Connection, select

from loyalty.chain import GENESIS, row_hash
from loyalty.engine import quote
from loyalty.programme import load
from loyalty.quote import Basket, Counters, Line, MemberState, Quote, ReturnRequest
from loyalty.returns import Sold, TakenBack, event, nothing, take_back
from loyalty.wire import Cancellation, EventReply, ReceiptId, Return, Sale
from loyalty_server.changes import begin_incarnation
from loyalty_server.devices import Device, find_device
from loyalty_server.expiry import burn
from loyalty_server.ingest import Batch, ingest
from loyalty_server.ledger import differences
from loyalty_server.programmes import publish
from loyalty_server.slips import IncomingRow
from loyalty_server.storage import tables

from .documents import CAPPED, club

if TYPE_CHECKING:
    from conftest import Shop

TILLS, PEOPLE = 20, 6
BEGIN = datetime(2027, 1, 10, 9, tzinfo=UTC)
PROGRAMME = load(
    club(
        CAPPED
        + """[lots]
lives = "P3M"
until = "end_of_month"
[returns]
revived_lot_days = 14
[[tier]]
id = "basic"
earn_rate_bp = 1000
[[tier]]
id = "silver"
earn_rate_bp = 2000
any_of = [ { counter = "purchases", period = "lifetime", at_least = 6 } ]
[[stamp_card]]
id = "spa"
buy = 3
free = 1
on = { categories = ["procedure"] }
[[offer]]
id = "coupon"
when = { coupon = "TEA-1" }
give = { points = 7 }
""",
        revision=2,
    ),
    "toml",
)


@dataclass
class Queue:
    """One till's rows, in its own order."""

    device: Device
    epoch: str
    rows: list[IncomingRow]

    def add(self, kind: str, body: object, at: datetime) -> None:
        last = bytes.fromhex(self.rows[-1].hash) if self.rows else GENESIS
        text, seq = msgspec.json.encode(body).decode(), len(self.rows) + 1
        digest = row_hash(last, self.epoch, seq, kind, at.isoformat(), text.encode()).hex()
        self.rows.append(IncomingRow(seq, str(uuid.uuid4()), kind, at.isoformat(), text, 1, digest))


class World:
    """What happened in a year at twenty tills that heard nothing of each other."""

    def __init__(self, random: Random, queues: list[Queue], members: list[str], sales: int) -> None:
        self.random, self.queues, self.members = random, queues, members
        self.moment = BEGIN
        self.sold: list[tuple[Sale, datetime]] = []
        for round_ in range(sales):
            for number, queue in enumerate(queues):
                self.moment += timedelta(hours=random.randint(1, 100), seconds=number)
                self._sell(queue, f"{number}-{round_}")
                if self.sold and random.random() < 0.5:
                    self._take_back(random.choice(queues), f"r{number}-{round_}")
        self.end = self.moment + timedelta(days=1)

    def _sell(self, queue: Queue, number: str) -> None:
        random = self.random
        lines = tuple(
            Line(sum=random.randint(1, 40) * 997, quantity=random.choice([1000, 3000]), categories=("procedure",))
            for _ in range(random.randint(1, 3))
        )
        state = MemberState(
            balance=random.choice([0, 50, 400]), as_of=self.moment, joined="2025-01-01", coupons=("TEA-1",),
            stamps={"spa": random.randint(0, 2)}, counters=Counters(on=PROGRAMME.day(self.moment)),
        )  # fmt: skip
        quoted = quote(PROGRAMME, state, Basket(lines), self.moment, "max", offline=False)
        assert isinstance(quoted, Quote), quoted
        receipt = self._receipt(number)
        member = random.choice([*self.members, None])
        sale = Sale(
            receipt=receipt, basket=Basket(lines), quote=quoted, offline=True, member=member, member_state=state
        )  # fmt: skip
        self.sold.append((sale, self.moment))
        queue.add("sale", sale, self.moment)

    def _take_back(self, queue: Queue, number: str) -> None:
        """By a till that knows of no other return; some sales come back twice, some more than they were."""
        sale, at = self.random.choice(self.sold[-30:])
        self.moment += timedelta(minutes=self.random.randint(1, 90))
        if self.random.random() < 0.2:
            if sale.receipt.till == f"{self.queues.index(queue)}":
                queue.add("cancellation", Cancellation(sale=sale.receipt), self.moment)
            return
        sold = Sold(
            programme=PROGRAMME, member=sale.member_state, basket=sale.basket, at=at, quote=sale.quote, store="S1"
        )
        lines = self.random.sample(range(len(sale.basket.lines)), self.random.randint(1, len(sale.basket.lines)))
        after = take_back(sold, nothing(sold), ReturnRequest(lines=tuple(lines)))
        assert isinstance(after, TakenBack)
        back = event(sold, nothing(sold), after, receipt=self._receipt(number), sale=sale.receipt, member=sale.member)
        blind = Return(
            receipt=back.receipt, sale=back.sale, day=back.day, refund=back.refund, units=back.units, pending=True
        )
        queue.add("return", self.random.choice([back, back, blind]), self.moment)

    def _receipt(self, number: str) -> ReceiptId:
        till = number.lstrip("r").partition("-")[0]
        return ReceiptId(store="S1", till=till, business_day=PROGRAMME.day(self.moment), shift="1", number=number)


def draw(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same orders every time


def deliver(shop: Shop, tx: Connection, queue: Queue, start: int, end: int, now: datetime) -> None:
    reply = ingest(tx, shop.keys, queue.device, Batch(queue.epoch, tuple(queue.rows[start:end])), now)
    assert isinstance(reply, EventReply)
    assert {each.verdict for each in reply.verdicts} <= {"accepted", "duplicate"}, reply


def in_random_order(shop: Shop, tx: Connection, world: World, random: Random) -> int:
    """Each till's rows in its order, in batches cut at random, with replays and expiry runs between; how many batches."""
    done, batches = dict.fromkeys(range(len(world.queues)), 0), 0
    while left := [number for number, upto in done.items() if upto < len(world.queues[number].rows)]:
        number = random.choice(left)
        start = random.randint(0, done[number]) if random.random() < 0.3 else done[number]
        end = random.randint(done[number] + 1, len(world.queues[number].rows))
        deliver(shop, tx, world.queues[number], start, end, world.end)
        done[number], batches = end, batches + 1
        if random.random() < 0.1:
            burn(tx, world.end - timedelta(days=random.randint(0, 200)))
    burn(tx, world.end)
    return batches


def books_of(tx: Connection) -> dict[str, object]:
    """All that must not depend on the order. What the server itself corrects counts in sum."""
    entries: dict[tuple[object, ...], int] = defaultdict(int)
    assert differences(tx) == []
    for row in tx.execute(select(tables.ledger)):
        if row.kind == "expire":
            entries[row.member, row.kind, row.at] += row.points
        elif row.kind == "adjust":
            entries[row.member, row.kind, row.of_row] += row.points
        else:
            entries[row.member, row.kind, row.at, row.row_id, row.number, row.points, row.expires_at] += row.points
    states = {
        row.id: (row.balance, row.burns_at, msgspec.json.decode(row.state))
        for row in tx.execute(select(tables.members))
    }
    for _, _, state in states.values():
        state.pop("no_offline_redeem", None)  # whether points were there is said when their sale arrives
        state["counters"] = {
            name: {period: count for period, count in values.items() if count} if isinstance(values, dict) else values
            for name, values in state["counters"].items()
        }  # a period that is not there is 0
        state["counters"] = {name: values for name, values in state["counters"].items() if values}
    settled = sorted((row.row_id, row.settled_at is not None) for row in tx.execute(select(tables.returns)))
    receipts = sorted((row.number, row.member) for row in tx.execute(select(tables.receipts)))
    kept = {key: points for key, points in entries.items() if points}
    return {"entries": kept, "members": states, "returns": settled, "receipts": receipts}


@pytest.mark.timeout(3600)
def test_any_order_makes_the_same_ledger(
    shop: Shop, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    with shop.database.writing() as tx:
        publish(tx, shop.keys, PROGRAMME, BEGIN)
        begin_incarnation(tx)
    members = [shop.member(f"29{number:011}", 100) for number in range(PEOPLE)]
    queues = []
    for number in range(TILLS):
        till = shop.till("S1", f"pc-{number}")
        with shop.database.reading() as tx:
            device = find_device(tx, till.me.device)
        assert device is not None
        queues.append(Queue(device, till.me.epoch, []))
    world = World(draw(8), queues, members, size(2, 4))
    orders, batches, expected = size(50, 1000), 0, None
    for number in range(orders):
        with shop.database.engine.connect() as tx, tx.begin() as all_of_it:
            batches += in_random_order(shop, tx, world, draw(number))
            found = books_of(tx)
            all_of_it.rollback()
        expected = expected or found
        for part, said in expected.items():
            assert found[part] == said, f"order {number}: {part}: {found[part]}"
    assert expected is not None
    rows = sum(len(queue.rows) for queue in queues)
    kinds = {key[1] for key in expected["entries"]}
    assert kinds == {"opening", "earn", "redeem", "return_earn", "return_redeem", "adjust", "expire"}
    proof(f"{orders} random orders of {rows} rows of {TILLS} tills in {batches} batches: the same ledger each time")
