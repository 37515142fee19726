"""What it takes to keep a store's replica of the members up to date: the first fill, and five thousand changes.

    python benchmarks/feed.py [--members 1000000] [--first 100000] [--changes 5000]

A private PostgreSQL, a server process as `tillmate-server run` starts it, and the sync of a till as the agent runs it, into
its members.db, all on one machine. The server has a million members, of whom a hundred thousand are regulars of the till's
store; it fetches them while it sells. The changes are sales that it delivers:
each moves a balance and the counters of a member with a past. The bytes are those of the answers as they travel. Exits 1
when a figure misses its limit, or when the replica does not hold what the server does.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import requests
from sqlalchemy import select

from agent.clock import SystemClock
from agent.identity import Identity
from agent.status import Status
from agent.sync import Claimant, Client, Drain, Listeners, Patience, Report, make_session
from agent.sync.programme import ProgrammeBook
from agent.sync.retry import Bell
from agent.sync.rounds import Rounds, Shelf
from loyalty.quote import Counters, MemberState
from loyalty.wire import ReceiptId, Sale
from loyalty_server import setup
from loyalty_server.devices import new_code
from loyalty_server.folder import DataFolder
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database
from loyalty_server.storage.statements import append, next_numbers
from offline_queue import CommitSale, Queue, Reader, Replica, ReplicaWriter, ReserveTokens

sys.path.insert(0, str(Path(__file__).parent))
server: Any = import_module("server")

FILL_LIMIT, CHANGES_LIMIT, BYTES_LIMIT = 30.0, 0.5, 150 * 1024
CHUNK, ROUNDS = 50_000, 3
SALE_EVERY = 0.1
COLUMNS = ("id", "balance", "state", "change", "cards_change", "created_at")
WAIT = 60.0


def main() -> int:
    """Print the figures; 1 when one misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1_000_000, help="that the server has")
    parser.add_argument("--first", type=int, default=100_000, help="of them that the till fetches")
    parser.add_argument("--changes", type=int, default=5_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server.database() as postgresql:
        data = DataFolder(Path(folder) / "data")
        address = postgresql.url(postgresql.database())

        def spent() -> dict[str, float]:
            return dict(server.processor_times(postgresql.pid))

        with closing(shop(data, address)) as database, server.servers(data, 1) as (url,):
            Members(database).add(wanted.members - wanted.first)
            people = Members(database, wanted.members - wanted.first, store=("S1",))
            with till(Path(folder) / "till", url, code(database)) as counter:
                people.add(wanted.first)
                server.analyse(database)
                good = first_fill(counter, people, spent)
                for _ in range(ROUNDS):
                    good &= changes(counter, people, wanted.changes, spent)
                good &= same(counter, people)
            print(f"load average {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


def shop(data: DataFolder, address: str) -> Database:
    """A server's folder with one store, one till and a programme."""
    database, keys = data.create(address)
    programme = data.path / "programme.toml"
    programme.write_text(server.PROGRAMME, encoding="utf-8")
    with database.writing() as tx:
        setup.add_stores(tx, ["S1:Store"])
        setup.add_tills(tx, ["S1:1"])
        setup.publish_file(tx, keys, programme, datetime.now(UTC))
    return database


def code(database: Database) -> str:
    """A code for a till."""
    with database.writing() as tx:
        return new_code(tx, "S1", datetime.now(UTC))


@dataclass
class Members:
    """Members with a card each and a past, made in the database: they are not what is measured."""

    database: Database
    others: int = 0
    store: tuple[str, ...] = ()
    ids: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(8))  # noqa: S311 - the same every time

    def add(self, count: int) -> None:
        now = datetime.now(UTC)
        for begin in range(0, count, CHUNK):
            fresh = [secrets.token_hex(8) for _ in range(min(CHUNK, count - begin))]
            holders = [
                (f"29{self.others + len(self.ids) + place:011}", member, now) for place, member in enumerate(fresh)
            ]
            self.ids += fresh
            with self.database.writing() as tx:
                first = next_numbers(tx, "change", len(fresh))
                lines = [
                    (member, self.chance.randrange(2000), self._past(now.date()), change, change, now)
                    for change, member in enumerate(fresh, first)
                ]
                append(tx, tables.members, COLUMNS, lines)
                append(tx, tables.cards, ("card", "member", "created_at"), holders)
                regulars = [
                    (store, *line)
                    for store in self.store
                    for line in zip(fresh, range(first, first + len(fresh)), strict=True)
                ]
                append(tx, tables.regulars, ("store", "member", "change"), regulars)

    def _past(self, today: date) -> str:
        """Some months of purchases, as the server keeps them."""
        draw = self.chance.randrange
        month, year, earlier = draw(6), draw(30), draw(3) * draw(30)
        sums = [sum(draw(5_000, 200_000) for _ in range(count)) for count in (month, year, earlier)]
        purchases = {"lifetime": month + year + earlier, "year": month + year, "month": month}
        turnover = {"lifetime": sum(sums), "year": sum(sums[:2]), "month": sums[0]}
        counted = Counters(purchases=purchases, turnover=turnover, on=today.replace(day=1))
        joined = f"{draw(2024, 2027)}-{draw(1, 13):02}-{draw(1, 28):02}"
        return msgspec.json.encode(MemberState(joined=joined, counters=counted)).decode()


@dataclass
class Counter:
    """A till: its queue with the writer's thread, its drain, and one round of news at a time."""

    queue: Queue
    reader: Reader
    replica: Replica
    writer: ReplicaWriter
    rounds: Rounds
    drain: Drain
    received: list[int] = field(default_factory=list)
    sold: int = 0

    def refresh(self) -> None:
        """A round of news, as the agent asks for it every few seconds."""
        self.rounds.go(threading.Event())

    def sell(self, member: str) -> float:
        """Commit a sale; how long that took, in seconds."""
        self.sold += 1
        now = datetime.now(UTC)
        receipt = ReceiptId(store="S1", till="1", business_day=now.date(), shift="1", number=str(self.sold))
        sale: Sale = msgspec.structs.replace(SALES[self.sold % len(SALES)], receipt=receipt, member=member)
        begun = time.perf_counter()
        commit = CommitSale(str(self.sold), str(self.sold), "sale", now, sale, b"{}")
        self.queue.submit(commit).result(WAIT)
        return time.perf_counter() - begun

    def deliver(self) -> None:
        """Wait until everything is booked."""
        end, pause = time.monotonic() + WAIT, threading.Event()
        while self.reader.depth().pending:
            assert time.monotonic() < end, self.reader.depth()
            pause.wait(0.02)


SALES: list[Sale] = [server.sale(total) for total in range(20)]


@contextmanager
def till(folder: Path, url: str, claim_code: str) -> Iterator[Counter]:
    """A till of the store, claimed, with its threads running."""
    folder.mkdir()
    clock = SystemClock()
    received: list[int] = []
    queue, status = Queue.open(folder / "queue.db", clock), Status(clock)
    report = Report(status, clock)

    def count(response: requests.Response, *_: object, **__: object) -> None:
        if "/members/changes" in str(response.request.url):
            received.append(int(response.headers["Content-Length"]))

    def connect(who: Identity | None) -> Client:
        session = make_session()
        session.hooks["response"].append(count)
        return Client(url, clock, session, who)

    with (
        threads(queue.run, last=lambda: queue.submit(ReserveTokens(0))),
        closing(Reader(folder / "queue.db")) as reader,
    ):
        who = Claimant(folder=folder, code=claim_code, server=connect(None), writer=queue).claim()
        drain = Drain(
            writer=queue,
            open_reader=lambda: Reader(folder / "queue.db"),
            connect=connect,
            report=report,
            clock=clock,
            patience=Patience(Bell(clock)),
            identity=who,
        )
        queue.subscribe(lambda _: drain.nudge())
        replica = Replica(folder / "members.db")
        with closing(ReplicaWriter(replica, clock.now)) as writer, threads(drain.run, last=drain.nudge):
            shelf = Shelf(book=ProgrammeBook(folder, who.programme_key), members=writer, queue=reader)
            deaf = Listeners(lambda _: None, lambda _: None, lambda: None, lambda *_: None, dict)
            rounds = Rounds(who, connect(who), shelf, deaf, report, clock)
            rounds.begin()
            yield Counter(queue, reader, replica, writer, rounds, drain, received)


@contextmanager
def threads(run: Callable[[threading.Event], object], last: Callable[[], object]) -> Iterator[None]:
    """`run(stop)` in a thread; `last` gives it something to do, so that the stop is seen at once."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        last()
        thread.join(WAIT)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds, and what came of it."""
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


def first_fill(counter: Counter, people: Members, spent: Callable[[], dict[str, float]]) -> bool:
    """Fetch everybody while the till sells."""
    slowest: list[float] = []

    def sell(stop: threading.Event) -> None:
        while not stop.wait(SALE_EVERY):
            slowest.append(counter.sell(people.chance.choice(people.ids)))

    before = spent()
    with threads(sell, last=lambda: None):
        took, _ = timed(counter.refresh)
    after = spent()
    counter.deliver()
    print(
        f"first fill of {len(people.ids):,} members: {took:.1f} s (limit {FILL_LIMIT:.0f}), "
        f"{sum(counter.received) / 1e6:.1f} MB; {len(slowest)} sales meanwhile, the slowest {max(slowest) * 1000:.0f} ms; "
        f"processor time in s: {cost(before, after)}",
        flush=True,
    )
    return took <= FILL_LIMIT and counter.writer.age.complete


def cost(before: dict[str, float], after: dict[str, float]) -> str:
    """What each part has spent meanwhile."""
    return ", ".join(f"{name} {after[name] - before[name]:.2f}" for name in after)


def changes(counter: Counter, people: Members, count: int, spent: Callable[[], dict[str, float]]) -> bool:
    """Sell to so many members, deliver, and fetch what has changed."""
    counter.refresh()
    for member in people.chance.sample(people.ids, count):
        counter.sell(member)
    counter.deliver()
    counter.received.clear()
    before = spent()
    took, _ = timed(counter.refresh)
    after = spent()
    packed = sum(counter.received)
    print(
        f"{count:,} changes among {people.others + len(people.ids):,} members: {packed / 1024:.0f} KiB in {len(counter.received)} pages "
        f"(limit {BYTES_LIMIT / 1024:.0f}), {took:.2f} s until they stand in members.db "
        f"(limit {CHANGES_LIMIT}); processor time in s: {cost(before, after)}",
        flush=True,
    )
    return took <= CHANGES_LIMIT and packed <= BYTES_LIMIT


def same(counter: Counter, people: Members) -> bool:
    """Tell whether the replica holds every member as the server does."""
    counter.refresh()
    with people.database.reading() as tx:
        found = tx.execute(select(tables.members.c.id, tables.members.c.balance)).all()
        balances = {str(name): int(balance) for name, balance in found}
    there = {name: balances[name] for name in people.ids}
    with closing(sqlite3.connect(counter.replica.path)) as file:
        kept = file.execute("SELECT member, state FROM members")
        here = {name: msgspec.json.decode(state, type=MemberState).balance for name, state in kept}
    print(
        f"members.db: {len(here):,} members of {len(there):,}, {sum(here.get(m) != b for m, b in there.items())} differ"
    )
    return bool(here == there)


if __name__ == "__main__":
    sys.exit(main())
