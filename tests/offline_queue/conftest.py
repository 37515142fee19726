"""A queue in a folder of its own, with its writer thread running, and sales to put into it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from loyalty.quote import Basket, Line, Quote
from loyalty.wire import ReceiptId, Sale
from offline_queue import BeginEpoch, CommitSale, NewJob, Queue, QueueClosed, Reader, ReserveTokens

WAIT = 20.0
AT = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)


class FixedClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = AT

    def now(self) -> datetime:
        return self.time


def quote(total: int, earned: int) -> Quote:
    return Quote(
        total=total,
        discount=0,
        line_discounts=(0,),
        max_redeem=0,
        redeemed=0,
        line_redeemed=(0,),
        pay=total,
        earned=earned,
        balance_after=earned,
        tier=None,
        tier_after=None,
        to_next_tier=None,
        stamps_after={},
        free_units={},
        gifts=(),
        slips=(),
        coupons_used=(),
        why=(),
        prompt={"ru": "Спасибо", "en": "Thank you"},
        programme_revision=1,
        engine=1,
    )


def sale(number: int, member: str | None = None, total: int = 50000) -> Sale:
    """The sale of receipt `number`."""
    return Sale(
        receipt=ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="7", number=str(number)),
        basket=Basket(lines=(Line(sku="1", name="Кофе", sum=total),)),
        quote=quote(total, total // 100),
        offline=True,
        member=member,
    )


def commit(number: int, member: str | None = None, *, printer: str | None = "receipt") -> CommitSale:
    """Commit the sale of receipt `number` under the id `sale-number`."""
    sale_id = f"sale-{number}"
    return CommitSale(
        sale_id=sale_id,
        request_hash=f"request-{number}",
        kind="sale",
        at=AT,
        body=sale(number, member),
        answer=b'{"earned":500}',
        print_job=NewJob(printer, b'{"elements":[]}', sale_id) if printer else None,
    )


@dataclass
class Running:
    """A queue whose writer runs."""

    queue: Queue
    path: Path
    reader: Reader
    stop: threading.Event
    writer: threading.Thread

    def end(self) -> None:
        self.stop.set()
        with suppress(QueueClosed):
            self.queue.submit(ReserveTokens(0))  # something to do, so that the stop is seen at once
        self.writer.join(WAIT)
        assert not self.writer.is_alive()


@contextmanager
def running(path: Path, clock: FixedClock, epoch: str | None = None, *, claim: bool = True) -> Iterator[Running]:
    queue = Queue.open(path, clock, epoch)
    stop = threading.Event()
    writer = threading.Thread(target=queue.run, args=(stop,), name="queue")
    writer.start()
    reader = Reader(path)
    run = Running(queue, path, reader, stop, writer)
    try:
        if claim:
            queue.submit(BeginEpoch("device-1", "epoch-1")).result(WAIT)
        yield run
    finally:
        reader.close()
        run.end()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def run(path: Path, clock: FixedClock) -> Iterator[Running]:
    """A claimed queue with its writer running."""
    with running(path, clock) as opened:
        yield opened


@pytest.fixture
def start() -> Callable[..., object]:
    """Open the queue at a path; `start(path, clock, epoch=None, claim=True)` is a context manager."""
    return running


@pytest.fixture
def make_commit() -> Callable[..., CommitSale]:
    return commit


@pytest.fixture
def make_sale() -> Callable[..., Sale]:
    return sale
