"""The offline queue beside plain SQLite and other people's queues, in one run: ratios, because disks differ.

    python -P benchmarks/queue_speed.py [--rows 1000000]

Each figure is the median of rounds in which all take turns, on the disk of the temporary folder. `raw` is a bare sqlite3
connection, WAL with synchronous=FULL, that writes the very rows that the queue writes; `one lock` is the same under 16 threads.
Rows of the queue are sealed, chained and, when they are read, checked. Exits 1 when a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from itertools import chain, cycle, islice, permutations
from pathlib import Path

import msgspec
import requests
from rich.console import Console
from rich.table import Table

from agent.clock import SystemClock
from agent.identity import Identity, new_key
from agent.sync.client import Client
from agent.sync.delivery import Delivery
from agent.sync.session import make_session
from loyalty.quote import Basket, Line, Quote
from loyalty.wire import Named, ReceiptId, Sale
from offline_queue import CommitSale, NewJob, Transaction

sys.path.insert(0, str(Path(__file__).parent))
backend, rivals = import_module("queue_backend"), import_module("queue_rivals")
BACKLOG, BODY, PAYLOAD = rivals.BACKLOG, rivals.BODY, rivals.PAYLOAD

ROUNDS, THREADS, BATCH = 5, 16, 500
PAUSE = 0.3
QUOTE = msgspec.json.decode(
    b'{"total":50000,"discount":0,"line_discounts":[0],"max_redeem":0,"redeemed":0,"line_redeemed":[0],"pay":50000,'
    b'"earned":500,"balance_after":500,"tier":null,"tier_after":null,"to_next_tier":null,"stamps_after":{},'
    b'"free_units":{},"gifts":[],"slips":[],"coupons_used":[],"why":[],"prompt":{},"programme_revision":1,"engine":1}',
    type=Quote,
)
SYNC = re.compile(r"\b(fsync|fdatasync)\(\d|<\.\.\. (fsync|fdatasync) resumed")

Action = Callable[[], object]


def main() -> int:
    """Print the table; 1 when one of our figures is beyond its limit."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--do", choices=("crash", "sell"), help="what a process of this program does for itself")
    arguments.add_argument("--folder", type=Path)
    chosen = arguments.parse_args()
    if chosen.do:
        {"crash": crash, "sell": sell}[chosen.do](chosen.folder)
        return 0
    results = Results()
    with tempfile.TemporaryDirectory(prefix="queue-speed-") as name:
        folder = Path(name)
        enqueueing(results, folder)
        threads(results, folder)
        draining(results, folder)
        delivering(results, folder)
        syncs(results, folder)
        depth(results, folder, chosen.rows)
    results.show()
    return int(results.missed)


class Results:
    """The table, and whether a limit was missed."""

    def __init__(self) -> None:
        self.missed = False
        self._table = Table(title=f"the offline queue, {sqlite3.sqlite_version=}, Python {sys.version.split()[0]}")
        for head in ("", "found", "limit", "of"):
            self._table.add_column(head, justify="right" if head in ("found", "limit") else "left")

    def most(self, what: str, found: float, limit: float, of: str = "") -> None:
        """One figure that must not be over its limit."""
        self._add(what, found, f"<= {limit:g}", found <= limit, of)

    def least(self, what: str, found: float, limit: float, of: str = "") -> None:
        """One figure that must not be under its limit."""
        self._add(what, found, f">= {limit:g}", found >= limit, of)

    def say(self, what: str, found: float) -> None:
        """One figure without a limit."""
        self._table.add_row(what, f"{found:,.2f}", "", "")

    def _add(self, what: str, found: float, limit: str, good: bool, of: str) -> None:
        self.missed |= not good
        self._table.add_row(what, f"{found:,.2f}{'' if good else ' MISSED'}", limit, of)

    def show(self) -> None:
        """Print it, in full width whatever the terminal is."""
        Console(width=140).print(self._table)


# One at a time


def enqueueing(results: Results, folder: Path) -> None:
    """One row and the counters, one promise."""
    with (
        opened(folder / "enqueue") as queue,
        closing(rivals.Raw(folder / "raw")) as raw,
        closing(rivals.AsItComes(folder / "sqlite-utils.db")) as plain,
    ):
        actions = (lambda: queue.enqueue(PAYLOAD), raw.enqueue, plain.enqueue)
        ours, bare, utils = in_rounds(400, *actions)
        turn = interleaved(402, *actions)
    us = f"p50 us: ours {ours * 1e6:,.0f}, raw {bare * 1e6:,.0f}, sqlite-utils {utils * 1e6:,.0f}"
    results.most("enqueue, p50 against raw WAL FULL", ours / bare, 1.6, us)
    results.say("enqueue, the same where each call is followed by one of the others", turn[0] / turn[1])
    results.least("enqueue, how much faster than sqlite-utils as it comes", utils / ours, 4)


# Many at a time


def threads(results: Results, folder: Path) -> None:
    """16 threads that all want their promise."""
    ours: list[float] = []
    locked: list[float] = []
    with opened(folder / "threads") as queue, closing(rivals.Raw(folder / "lock")) as raw:
        for _ in range(ROUNDS):
            ours.append(rate(lambda: queue.enqueue(PAYLOAD)))
            locked.append(rate(raw.enqueue_locked))
    found, theirs = statistics.median(ours), statistics.median(locked)
    results.least(
        "16 threads, against one lock", found / theirs, 2, f"rows/s: ours {found:,.0f}, one lock {theirs:,.0f}"
    )


def rate(enqueue: Action, each: int = 60) -> float:
    """Rows a second from all threads together."""

    def work() -> None:
        for _ in range(each):
            enqueue()

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return THREADS * each / (time.perf_counter() - began)


# Draining


def draining(results: Results, folder: Path) -> None:
    """From the disk and done, without a server: a till that was alone for months has much to give."""
    ack_queue, lite = (
        rivals.full_persist_queue(folder / "persist-queue"),
        rivals.full_litequeue(folder / "litequeue.db"),
    )
    ours, persist, little = [], [], []
    with opened(folder / "drain") as queue:
        fill(queue, BACKLOG)
        for _ in range(ROUNDS):
            ours.append(10_000 / timed(lambda: drain(queue, 10_000)))
            persist.append(200 / timed(lambda: [ack_queue.ack(ack_queue.get()) for _ in range(200)]))
            little.append(5 / timed(lambda: [lite.done(lite.pop().message_id) for _ in range(5)]))
    ack_queue.close()
    lite.close()
    found, first, second = (statistics.median(rates) for rates in (ours, persist, little))
    rates = f"rows/s: ours {found:,.0f}, persist-queue {first:,.0f}, litequeue {second:,.0f}"
    results.least(f"local drain of {BACKLOG:,} rows, against persist-queue", found / first, 50, rates)
    results.least(f"local drain of {BACKLOG:,} rows, against litequeue", found / second, 50)


def drain(queue: backend.Backend, rows: int) -> None:
    """Batch by batch."""
    for _ in range(0, rows, BATCH):
        queue.ack([number for number, _ in queue.peek(BATCH)])


def delivering(results: Results, folder: Path) -> None:
    """The agent's own delivery, to a server in another process that books nothing; one by one for comparison."""
    ours: list[float] = []
    single: list[float] = []
    with receiver() as address, opened(folder / "deliver") as queue, requests.Session() as session:
        client = Client(address, SystemClock(), make_session(), identity())
        delivery = Delivery(identity(), client, queue.reader, queue.writer)
        for _ in range(ROUNDS):
            fill(queue, 10_000)
            ours.append(10_000 / timed(lambda: until_delivered(delivery)))
            single.append(200 / timed(lambda: [session.post(f"{address}/row", data=BODY) for _ in range(200)]))
        client.close()
    found, theirs = statistics.median(ours), statistics.median(single)
    results.least(
        "drain by HTTP, against one by one",
        found / theirs,
        30,
        f"rows/s: ours {found:,.0f}, requests.Session {theirs:,.0f}",
    )


def until_delivered(delivery: Delivery) -> None:
    """Batch by batch."""
    while delivery.step():
        pass


def identity() -> Identity:
    """Somebody."""
    shop = Named("S1", "Shop")
    return Identity(
        device=backend.DEVICE, device_number=1, store=shop, tills=(shop,), epoch=backend.EPOCH, enrolment_url="",
        machine="m", token_generation=1, private_key=new_key(), programme_key=b"p" * 32, token_key=b"t" * 32, ident_key=b"i" * 32,
    )  # fmt: skip


@contextmanager
def receiver() -> Iterator[str]:
    """The address of a server that says yes."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("queue_receiver.py")), backend.DEVICE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


# What a promise costs


def syncs(results: Results, folder: Path, sales: int = 50) -> None:
    """Calls of fsync and fdatasync between the first and the last of so many sales, as strace sees them."""
    trace = folder / "trace"
    tracer = ["strace", "-f", "-qq", "-e", "signal=none", "-e", "trace=write,fsync,fdatasync", "-o", str(trace)]
    subprocess.run([*tracer, *myself("sell", folder / "sell")], check=True, stdout=subprocess.DEVNULL)
    _, between, _ = trace.read_text().split("mark of the bench")
    found = len(SYNC.findall(between)) / sales
    results.most("syncs of a sale with its print job", found, 1, f"{sales} sales under strace, {PAUSE} s between them")


def sell(folder: Path, sales: int = 50) -> None:
    """Whole sales, between two marks, each long enough after the last one for the queue to tidy up."""
    pause = threading.Event()
    with opened(folder) as queue:
        first = make_sale(0)
        queue.writer.submit(first).result()
        for mark in range(2):
            os.write(1, b"mark of the bench\n")
            for number in range(sales if mark == 0 else 0):
                queue.writer.submit(make_sale(number + 1)).result()
                pause.wait(PAUSE)


def make_sale(number: int) -> CommitSale:
    """A sale as the till commits it."""
    receipt = ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="1", number=str(number))
    sale = Sale(receipt=receipt, basket=Basket(lines=(Line(sum=50000),)), quote=QUOTE, offline=True, member="m-1")
    job = NewJob("receipt", b"{}", f"sale-{number}")
    return CommitSale(f"sale-{number}", "hash", "sale", SystemClock().now(), sale, b"{}", job)


# Depth


def depth(results: Results, folder: Path, rows: int) -> None:
    """A thousand rows beside a million."""
    with opened(folder / "shallow") as shallow, opened(folder / "deep") as deep:
        fill(shallow, 1000)
        fill(deep, rows)
        small, large = interleaved(200, lambda: shallow.enqueue(PAYLOAD), lambda: deep.enqueue(PAYLOAD))
        results.most(f"enqueue behind {rows:,} rows, against 1,000", large / small, 1.5)
        small, large = interleaved(50, lambda: shallow.peek(100), lambda: deep.peek(100))
        results.most(f"peek at the head of {rows:,} rows, against 1,000", large / small, 1.5)
        deep.ack(range(1, rows - 1000))
        small, large = interleaved(50, lambda: shallow.peek(100), lambda: deep.peek(100))
        results.most(f"peek at the end of {rows:,} rows, against 1,000", large / small, 1.5)
    ready = statistics.median(until_ready(folder / "deep") for _ in range(ROUNDS))
    results.most(f"ready with {rows:,} rows, ms", ready * 1000, 50, "open, begin the epoch, read 100 rows")
    crashed = []
    for _ in range(3):
        subprocess.run(myself("crash", folder / "deep"), check=False, stdout=subprocess.DEVNULL)
        log = (folder / "deep" / "queue.db-wal").stat().st_size
        crashed.append(until_ready(folder / "deep"))
    results.most("ready after kill -9, ms", max(crashed) * 1000, 500, f"with a log of {log / 2**20:.1f} MiB")


def until_ready(folder: Path) -> float:
    """Seconds until the first rows are there."""
    began = time.perf_counter()
    with closing(backend.open_queue(folder)) as queue:
        assert len(queue.peek(100)) == 100
        return time.perf_counter() - began


def crash(folder: Path) -> None:
    """Die with much in the log."""
    queue = backend.open_queue(folder)
    for _ in range(30):
        fill(queue, 100)
    os.kill(os.getpid(), signal.SIGKILL)


# What all use


@dataclass(frozen=True)
class Fill:
    """Many rows in one transaction, each by the same statements as a single one."""

    rows: int

    def apply(self, transaction: Transaction) -> None:
        for _ in range(self.rows):
            backend.Enqueue(BODY).apply(transaction)


def fill(queue: backend.Backend, rows: int) -> None:
    """So many rows more."""
    for begun in range(0, rows, 10_000):
        queue.writer.submit(Fill(min(10_000, rows - begun))).result()


@contextmanager
def opened(folder: Path) -> Iterator[backend.Backend]:
    """The queue in this folder."""
    folder.mkdir(exist_ok=True)
    with closing(backend.open_queue(folder)) as queue:
        yield queue


def myself(what: str, folder: Path) -> list[str]:
    """The command for another process of this program."""
    return [sys.executable, "-P", __file__, "--do", what, "--folder", str(folder)]


def timed(action: Action) -> float:
    """Seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_rounds(times: int, *actions: Action) -> list[float]:
    """For each action the median of its medians; in a round each has so many calls, and another one begins."""
    found: list[list[float]] = [[] for _ in actions]
    for first in range(ROUNDS):
        for turn in range(len(actions)):
            number = (first + turn) % len(actions)
            found[number].append(statistics.median(timed(actions[number]) for _ in range(times)))
    return [statistics.median(each) for each in found]


def interleaved(times: int, *actions: Action) -> list[float]:
    """For each action the median seconds in the quietest of the rounds. They take turns call by call, in each order as
    often as in any other: what comes behind sqlite-utils finds the processor's caches full of that.
    """
    rounds, orders = [], cycle(permutations(range(len(actions))))
    for _ in range(ROUNDS):
        taken: list[list[float]] = [[] for _ in actions]
        for number in chain.from_iterable(islice(orders, times)):
            taken[number].append(timed(actions[number]))
        rounds.append([statistics.median(each) for each in taken])
    return min(rounds, key=sum)


if __name__ == "__main__":
    sys.exit(main())
