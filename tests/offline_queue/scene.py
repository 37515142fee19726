"""A process for the power-loss tests: works with a real queue and says on standard output what it has promised.

    scene.py SCENE FOLDER SYNCHRONOUS

Each line is one promise, in JSON: {"sold": [seq, number]}, {"settled": watermark}, {"job": [id, state]}. It is said when
the queue has answered, by one call, so that strace sees it between the calls to the disk. SYNCHRONOUS is FULL, which is
how the queue opens its file; NORMAL is the control that has to lose.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from loyalty.quote import Basket, Line, Quote
from loyalty.wire import Problem, ReceiptId, Sale, Verdict
from offline_queue import BeginEpoch, CommitSale, NewJob, Operation, Queue, Reader, SetJob, SettleRows, Transaction
from offline_queue.retention import DeleteJobs, DeleteSettled, GiveBackPages, NoteDay

DEVICE, EPOCH = "device-1", "epoch-1"
WAIT = 60.0
REFUSED = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)
QUOTE = msgspec.json.decode(
    b'{"total":50000,"discount":0,"line_discounts":[0],"max_redeem":0,"redeemed":0,"line_redeemed":[0],"pay":50000,'
    b'"earned":500,"balance_after":500,"tier":null,"tier_after":null,"to_next_tier":null,"stamps_after":{},'
    b'"free_units":{},"gifts":[],"slips":[],"coupons_used":[],"why":[],"prompt":{},"programme_revision":1,"engine":1}',
    type=Quote,
)


Say = Callable[..., object]
"""Says one promise."""


class Clock:
    """The system's."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def commit(number: int) -> CommitSale:
    """Sale `number`, under the id `sale-number`, answered with its number."""
    receipt = ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="1", number=str(number))
    sale = Sale(receipt=receipt, basket=Basket(lines=(Line(sum=50000),)), quote=QUOTE, offline=True)
    job = NewJob("receipt", b"{}", f"sale-{number}")
    return CommitSale(f"sale-{number}", f"r-{number}", "sale", datetime.now(UTC), sale, str(number).encode(), job)


class Nothing:
    """An operation that is a commit and no more."""

    def apply(self, _: Transaction) -> None:
        """Leave everything as it is."""


class Shop:
    """A till that promises."""

    def __init__(self, queue: Queue, path: Path, say: Say) -> None:
        self.queue, self.path, self.say = queue, path, say
        with closing(Reader(path)) as reader:
            self.number = reader.depth().last_seq
        self.job = 0

    def sell(self, count: int) -> None:
        """So many sales at the same moment: one commit, or a few."""
        numbers = range(self.number + 1, self.number + 1 + count)
        self.number += count
        futures = [(number, self.queue.submit(commit(number))) for number in numbers]
        for number, future in futures:
            sold = future.result(WAIT)
            assert not isinstance(sold, str)
            self.say(sold=[sold.seq, number])

    def settle(self, watermark: int) -> None:
        """The server has decided up to there; each seventh row it does not want."""
        verdicts = tuple(
            Verdict(seq=seq, verdict="rejected", problem=REFUSED)
            if seq % 7 == 0
            else Verdict(seq=seq, verdict="accepted")
            for seq in range(1, watermark + 1)
        )
        self.do(SettleRows(EPOCH, watermark, verdicts))
        self.say(settled=watermark)

    def print(self) -> None:
        """The oldest receipt that is not printed yet comes out."""
        self.job += 1
        for state in ("sending", "printed"):
            self.do(SetJob(self.job, state))
            self.say(job=[self.job, state])

    def rest(self) -> None:
        """Let so much happen that the queue moves its log into the file, and wait until it has."""
        before, tick = self.path.stat().st_mtime_ns, threading.Event()
        for _ in range(64):
            self.do(Nothing())
        while self.path.stat().st_mtime_ns == before:
            tick.wait(0.02)

    def do(self, operation: Operation[Any]) -> object:
        return self.queue.submit(operation).result(WAIT)


def say(**promise: object) -> None:
    """One promise, by one call."""
    os.write(1, json.dumps(promise).encode() + b"\n")


def sell(shop: Shop) -> None:
    """Sales one by one, then several at once, receipts that come out, a quiet moment, and sales again."""
    for number in range(8):
        shop.sell(1 + number % 3)
        shop.print()
    shop.rest()
    for _ in range(4):
        shop.sell(1)


def drain(shop: Shop) -> None:
    """A backlog that the server takes in batches, while the till sells on."""
    shop.sell(20)
    for watermark in range(5, 21, 5):
        shop.settle(watermark)
        shop.sell(1)
    shop.rest()
    shop.settle(24)
    shop.sell(1)


def upgrade(shop: Shop) -> None:
    """The file of an older release: its schema has just been brought up; now sell and drain."""
    shop.sell(2)
    shop.settle(10)
    shop.sell(1)


def retention(shop: Shop) -> None:
    """What was settled long ago goes, a slice at a time, while the till sells on."""
    shop.do(NoteDay())
    while shop.do(DeleteSettled()) or shop.do(DeleteJobs()) or shop.do(GiveBackPages()):
        shop.sell(1)
    shop.rest()
    shop.sell(1)


def long_day(shop: Shop) -> None:
    """So many sales that SQLite itself moves the log into the file, in the middle of them."""
    for _ in range(150):
        shop.sell(1)


SCENES: dict[str, Callable[[Shop], None]] = {
    each.__name__: each for each in (sell, drain, upgrade, retention, long_day)
}


def main() -> None:
    """Open, play the scene, close."""
    scene, path, synchronous = SCENES[sys.argv[1]], Path(sys.argv[2]) / "queue.db", sys.argv[3]
    queue = Queue.open(path, Clock())
    if synchronous != "FULL":
        queue._connection.execute(f"PRAGMA synchronous = {synchronous}")
    stop = threading.Event()
    writer = threading.Thread(target=queue.run, args=(stop,), daemon=True)
    writer.start()
    queue.submit(BeginEpoch(DEVICE, EPOCH)).result(WAIT)
    say(claimed=EPOCH)
    scene(Shop(queue, path, say))
    stop.set()
    writer.join(WAIT)


if __name__ == "__main__":
    main()
