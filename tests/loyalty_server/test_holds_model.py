"""Twenty tills and one member: holds and sales in any order, and at once, against a purse of coins.

In the model every point is a coin. A hold takes coins out of the member's purse and puts them into a bag of its own; the bag
goes back into the purse when the hold ends. A sale pays from the bag that it names, then from the purse, and borrows what is
missing. The server keeps no bags: it must come to the same answers, balances and shortfalls from its tables.

Tills quote by the engine: with a hold as online, without one by the offline policy, from what they last heard and have sold
themselves. Each transaction takes a number before it ends, so what happened at once can be told to the model in its order.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from sqlalchemy import select

from loyalty.engine import quote
from loyalty.member import apply, rolled
from loyalty.programme import load
from loyalty.quote import Basket, Line, MemberState, Quote
from loyalty.wire import EventReply, HoldRequest, ReceiptId, Sale
from loyalty_server.devices import Device, find_device
from loyalty_server.holds import LIVES, put_hold, release
from loyalty_server.ingest import Batch, ingest
from loyalty_server.members import state_of
from loyalty_server.problems import Refused
from loyalty_server.slips import IncomingRow
from loyalty_server.storage import tables
from loyalty_server.storage.statements import next_number

from .documents import club

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Shop, Till
    from sqlalchemy import Connection

TILLS, STEPS = 20, 16
RECEIPT_CAP, DAY_CAP, OPENING = 30, 50, 150
PROGRAMME = load(
    club(
        f"""[redeem]
cap_bp = 5000
[redeem.offline]
policy = "capped"
max_points_per_receipt = {RECEIPT_CAP}
max_points_per_day = {DAY_CAP}
""",
        rate_bp=500,
    ),
    "toml",
)
NOON = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)
numbers = itertools.count(1)
Key = tuple[str, str]


@dataclass
class Coins:
    """The model. A purse below nothing is a debt."""

    purse: int = OPENING
    bags: dict[Key, tuple[int, datetime]] = field(default_factory=dict)
    granted: set[Key] = field(default_factory=set)
    over: set[Key] = field(default_factory=set)
    borrowed: int = 0

    @property
    def balance(self) -> int:
        return self.purse + sum(coins for coins, _ in self.bags.values())

    def pass_time(self, now: datetime) -> None:
        for key in [key for key, (_, until) in self.bags.items() if until <= now]:
            self._open(key)

    def hold(self, key: Key, points: int, now: datetime) -> str:
        if key in self.over:
            return "hold_over"
        coins, until = self.bags.get(key, (None, now))
        if coins == points:
            self.bags[key] = (coins, now + LIVES)
            return "held"
        self._open(key)
        if points > max(0, self.purse):
            most = max(0, self.purse)
            if coins is not None:
                self._fill(key, coins, until)
            return f"points_short {most}"
        self._fill(key, points, now + LIVES)
        return "held"

    def release(self, key: Key) -> None:
        self._open(key)
        self.over.add(key)

    def sell(self, key: Key | None, paid: int, earned: int) -> int:
        """Return how many coins were borrowed."""
        bag = 0
        if key in self.granted:
            bag = self._open(key)
            self.over.add(key)
        others = self.purse - bag
        from_bag = min(bag, paid)
        from_purse = min(paid - from_bag, max(0, others))
        self.purse += earned - paid
        self.borrowed += paid - from_bag - from_purse
        return paid - from_bag - from_purse

    def _fill(self, key: Key, coins: int, until: datetime) -> None:
        self.purse -= coins
        self.bags[key] = (coins, until)
        self.granted.add(key)

    def _open(self, key: Key) -> int:
        coins, _ = self.bags.pop(key, (0, None))
        self.purse += coins
        return coins


class Done(NamedTuple):
    """One transaction, and what the server said to it; `rows` of a delivery are those that were new to it."""

    order: int
    now: datetime
    device: str
    hold: str = ""
    points: int | None = None  # None: released
    said: str = ""
    rows: tuple[tuple[str, Sale], ...] = ()


@dataclass
class Story:
    """What tills do to one member, and what becomes of it. Without `apart` they always have the server."""

    shop: Shop
    member: str
    apart: bool
    transaction: Callable[[], AbstractContextManager[Connection]]
    done: list[Done] = field(default_factory=list)

    def state(self) -> MemberState:
        with self.transaction() as tx:
            row = tx.execute(select(tables.members).where(tables.members.c.id == self.member)).one()
        return state_of(row, as_of=self.shop.clock.now())

    def answers(self) -> Counter[str]:
        return Counter(done.said.split()[0] for done in self.done if done.points is not None)

    def check(self) -> Coins:
        """Tell the model all of it in its order and compare."""
        coins, short = Coins(), {}
        for done in sorted(self.done):
            coins.pass_time(done.now)
            key = (done.device, done.hold)
            if done.rows:
                for row_id, sale in done.rows:
                    short[row_id] = coins.sell((done.device, sale.hold or ""), sale.quote.redeemed, sale.quote.earned)
            elif done.points is None:
                coins.release(key)
            else:
                assert coins.hold(key, done.points, done.now) == done.said, done
        coins.pass_time(self.shop.clock.now())
        assert self._flagged() == {row_id: points for row_id, points in short.items() if points}
        assert coins.balance == self.shop.points(self.member)
        assert self._lowest() >= -coins.borrowed
        if not self.apart:
            assert (coins.borrowed, self._lowest() >= 0) == (0, True)
        return coins

    def _flagged(self) -> dict[str, int]:
        of_member = select(tables.flags).where(tables.flags.c.member == self.member, tables.flags.c.kind == "shortfall")
        with self.shop.database.reading() as tx:
            return {row.row_id: int(row.detail.split()[0].removeprefix("points=")) for row in tx.execute(of_member)}

    def _lowest(self) -> int:
        """The lowest that the balance has been after any entry."""
        moves = select(tables.ledger.c.points).where(tables.ledger.c.member == self.member)
        with self.shop.database.reading() as tx:
            return min(itertools.accumulate(tx.execute(moves.order_by(tables.ledger.c.id)).scalars()))


@dataclass
class Seller:
    """One till, for one story."""

    till: Till
    device: Device
    story: Story
    chance: random.Random
    heard: MemberState
    held: tuple[str, int, datetime] | None = None
    ended: str = ""
    queue: list[tuple[IncomingRow, Sale]] = field(default_factory=list)
    delivered: int = 0
    offline_points: int = 0
    sales: Counter[str] = field(default_factory=Counter)

    def step(self) -> None:
        """Do something."""
        doings: dict[Callable[[], object], int] = {self.hold: 5, self.sell_held: 5, self.release: 1, self.earn: 1}
        if self.story.apart:
            doings |= {self.sell_offline: 4, self.deliver: 2, self.listen: 1}
        self.chance.choices(list(doings), list(doings.values()))[0]()

    def hold(self) -> None:
        """Ask for a hold: a new one, the same again because the reply was lost, another amount, or one that has ended."""
        new = self.ended if self.ended and self.chance.random() < 0.3 else f"h-{next(numbers)}"
        name, points, _ = self.held or (new, self.chance.randint(1, 30), None)
        if self.chance.random() < 0.3:
            points = self.chance.randint(1, 30)
        now = self.story.shop.clock.now()
        with self.story.transaction() as tx:
            wish = HoldRequest(member=self.story.member, till="1", points=points)
            try:
                until, said = put_hold(tx, self.device, name, wish, now).expires_at, "held"
            except Refused as refused:
                until, said = None, refused.problem.code
                said += f" {refused.problem.most}" if refused.problem.most is not None else ""
            order = next_number(tx, "order")
        self.story.done.append(Done(order, now, self.device.id, name, points, said))
        if until is not None:
            self.held = (name, points, until)
        elif said == "hold_over":
            self.held = None

    def release(self) -> None:
        """Let a hold go, also one that was never granted."""
        self.ended = name = self.held[0] if self.held else f"h-{next(numbers)}"
        self.held, now = None, self.story.shop.clock.now()
        with self.story.transaction() as tx:
            release(tx, self.device, name, now)
            order = next_number(tx, "order")
        self.story.done.append(Done(order, now, self.device.id, name))

    def sell_held(self) -> None:
        """Sell with the hold. A till that is apart may lose the network now, and deliver when the hold has run out."""
        if self.held is None or self.held[2] <= self.story.shop.clock.now():
            return self.hold()
        (name, held, _), self.held = self.held, None
        self.ended = name
        points = held if self.chance.random() < 0.7 else self.chance.randint(1, held)
        state = msgspec.structs.replace(self.heard, balance=max(self.heard.balance, points))
        self._sell(state, points, 200 * points + self.chance.randint(0, 5000), name)
        return None

    def sell_offline(self) -> None:
        """Sell without a hold, as the policy allows."""
        total = self.chance.randint(1000, 20000)
        self._sell(self.heard, "max", total, None)

    def earn(self) -> None:
        """A sale that is paid with money alone."""
        self._sell(self.heard, 0, self.chance.randint(1000, 60000), None)

    def listen(self) -> None:
        """Fetch the member as he is, and count what is not delivered."""
        self.heard = self.story.state()
        for _, sale in self.queue[self.delivered :]:
            self.heard = apply(self.heard, sale)

    def deliver(self, again: int = 0) -> None:
        """Send what is in the queue, and some of what was sent before."""
        if self.delivered == len(self.queue):
            return
        first = max(0, self.delivered - again)
        now, keys = self.story.shop.clock.now(), self.story.shop.keys
        with self.story.transaction() as tx:
            batch = Batch(self.till.me.epoch, tuple(row for row, _ in self.queue[first:]))
            reply = ingest(tx, keys, self.device, batch, now)
            order = next_number(tx, "order")
        assert isinstance(reply, EventReply)
        new = self.queue[self.delivered :]
        assert [each.verdict for each in reply.verdicts] == ["duplicate"] * (self.delivered - first) + [
            "accepted"
        ] * len(new)
        self.story.done.append(Done(order, now, self.device.id, rows=tuple((row.id, sale) for row, sale in new)))
        self.delivered = len(self.queue)

    def _sell(self, state: MemberState, redeem: object, total: int, hold: str | None) -> None:
        now, offline = self.story.shop.clock.now(), hold is None
        basket = Basket((Line(sum=total, categories=("food",)),))
        state = rolled(state, PROGRAMME.day(now))
        quoted = quote(PROGRAMME, state, basket, now, redeem, offline=offline)
        assert isinstance(quoted, Quote), quoted
        if offline and quoted.redeemed:
            assert quoted.redeemed <= RECEIPT_CAP
            self.offline_points += quoted.redeemed
            assert self.offline_points <= DAY_CAP
        receipt = ReceiptId(
            store=self.device.store, till="1", business_day=PROGRAMME.day(now), shift="1", number=str(next(numbers))
        )
        sale = Sale(
            receipt=receipt, basket=basket, quote=quoted, offline=offline, member=self.story.member, member_state=state,
            hold=hold,
        )  # fmt: skip
        self.queue.append((msgspec.convert(msgspec.to_builtins(self.till.row(sale)), IncomingRow), sale))
        self.heard = apply(state, sale)
        self.sales["held" if hold else "offline" if quoted.redeemed else "earning"] += 1
        if not self.story.apart or self.chance.random() < 0.6:
            self.deliver(self.chance.randint(0, 3))


@pytest.fixture
def tills(shop: Shop) -> list[tuple[Till, Device]]:
    claimed = [shop.till(("S1", "S2")[number % 2], f"pc-{number}") for number in range(TILLS)]
    with shop.database.reading() as tx:
        found = [(till, find_device(tx, till.me.device)) for till in claimed]
    return [(till, device) for till, device in found if device is not None]


def begin(story: Story, tills: list[tuple[Till, Device]], seed: int) -> list[Seller]:
    heard = story.state()
    return [
        Seller(till, device, story, random.Random(f"{seed} {device.id}"), heard)  # noqa: S311 - schedules, no secrets
        for till, device in tills
    ]


@pytest.mark.timeout(7200)
def test_in_any_order(
    shop: Shop, tills: list[tuple[Till, Device]], size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    """A schedule is one transaction, so that ten thousand need no day; those below are many."""
    schedules = size(200, 10_000) if shop.storage.name == "sqlite" else size(40, 1000)
    sales, said, borrowed = Counter[str](), Counter[str](), 0
    for seed in range(schedules):
        chance = random.Random(seed)  # noqa: S311 - schedules, no secrets
        shop.clock.at = NOON
        member = shop.member(str(next(numbers)), OPENING)
        with shop.database.writing() as tx:
            story = Story(shop, member, seed % 4 > 0, lambda tx=tx: nullcontext(tx))
            sellers = begin(story, tills, seed)
            often = chance.sample(sellers, 3)
            for _ in range(STEPS):
                if chance.random() < 0.2:
                    shop.clock.advance(minutes=chance.randint(1, 16))
                chance.choice(chance.choice((often, sellers))).step()
            for seller in chance.sample(sellers, TILLS):
                seller.deliver()
                sales += seller.sales
        coins = story.check()
        said += story.answers()
        borrowed += coins.borrowed
    assert min(sales["held"], sales["offline"], said["held"], said["points_short"], said["hold_over"], borrowed) > 0
    proof(
        f"holds on {shop.storage.name}: {schedules} schedules of {TILLS} tills and one member, {sales['held']} sales with a "
        f"hold and {sales['offline']} without, {borrowed} points borrowed, each flagged; always as the model says"
    )


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("apart", [False, True])
def test_at_once(
    shop: Shop,
    tills: list[tuple[Till, Device]],
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
    *,
    apart: bool,
) -> None:
    """Each till is a thread, each doing a transaction of its own."""
    steps, sales, holds = size(10, 100), Counter[str](), Counter[str]()
    for seed in range(size(1, 10)):
        story = Story(shop, shop.member(str(next(numbers)), OPENING), apart, shop.database.writing)
        sellers = begin(story, tills, seed)
        together = threading.Barrier(TILLS)

        def work(seller: Seller, together: threading.Barrier = together) -> None:
            together.wait(30)
            for _ in range(steps):
                seller.step()
            seller.deliver()

        with ThreadPoolExecutor(TILLS) as pool:
            for outcome in [pool.submit(work, seller) for seller in sellers]:
                outcome.result(300)
        story.check()
        sales += sum((seller.sales for seller in sellers), Counter())
        holds += story.answers()
    assert min(sales["held"], holds["held"], holds["points_short"]) > 0
    proof(
        f"holds on {shop.storage.name}, {TILLS} threads{' that may be offline' if apart else ''}: {holds['held']} granted, "
        f"{holds['points_short']} refused, {sales['held']} sales with a hold, {sales['offline']} without; as the model says"
    )
