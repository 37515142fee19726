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
from offline_queue import (
    BeginEpoch,
    Care,
    CommitSale,
    Keyring,
    NewJob,
    Queue,
    QueueClosed,
    QueueFile,
    Reader,
    ReserveTokens,
    Room,
)
from offline_queue.salvage import Standing
from offline_queue.sealing import NO_KEYS

WAIT = 20.0
KEYS = Keyring([b"k" * 32])
AT = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)


class FixedClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = AT

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


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

    def sell(self, first: int, last: int, member: str | None = None) -> None:
        """Commit the sales of the receipts from `first` to `last`."""
        for commit_ in [self.queue.submit(commit(number, member)) for number in range(first, last + 1)]:
            commit_.result(WAIT)

    def end(self) -> None:
        self.stop.set()
        with suppress(QueueClosed):
            self.queue.submit(ReserveTokens(0))  # something to do, so that the stop is seen at once
        self.writer.join(WAIT)
        assert not self.writer.is_alive()


@contextmanager
def running(
    path: Path,
    clock: FixedClock,
    epoch: str | None = None,
    *,
    claim: bool = True,
    keys: Keyring = NO_KEYS,
    ballast: int = 0,
    opened: Queue | None = None,
) -> Iterator[Running]:
    queue = opened or Queue.open(path, clock, epoch, keys=keys, ballast=ballast)
    stop = threading.Event()
    writer = threading.Thread(target=queue.run, args=(stop,), name="queue")
    writer.start()
    reader = Reader(QueueFile(path, keys))
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


@pytest.fixture(params=[NO_KEYS, KEYS], ids=["plain", "sealed"])
def run(path: Path, clock: FixedClock, request: pytest.FixtureRequest) -> Iterator[Running]:
    """A claimed queue with its writer running."""
    with running(path, clock, keys=request.param) as opened:
        yield opened


@pytest.fixture
def start() -> Callable[..., object]:
    """Open the queue at a path; `start(path, clock, epoch=None, claim=True, keys=..., ballast=0)` is a context manager."""
    return running


@pytest.fixture
def make_commit() -> Callable[..., CommitSale]:
    return commit


@pytest.fixture
def make_sale() -> Callable[..., Sale]:
    return sale


@pytest.fixture
def keys() -> Keyring:
    return KEYS


class Told:
    """What `Care` had to tell."""

    def __init__(self) -> None:
        self.rooms: list[Room] = []
        self.salvages: list[tuple[str, int, int, Standing]] = []
        self.refused: list[tuple[str, str]] = []
        self.rotten = 0
        self.epochs: list[str] = []

    def room(self, room: Room) -> None:
        self.rooms.append(room)

    def new_epoch(self, reason: str) -> None:
        self.epochs.append(reason)

    def salvaging(self, file: str, seen: int, whole: int, now: Standing) -> None:
        self.salvages.append((file, seen, whole, now))

    def unsalvaged(self, file: str, why: str) -> None:
        self.refused.append((file, why))

    def damaged(self, rows: int) -> None:
        self.rotten = rows


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def look_after(clock: FixedClock, told: Told) -> Callable[[Running, Keyring], None]:
    """Do all that `Care` has to do now."""

    def look_after(run: Running, keys: Keyring = NO_KEYS) -> None:
        care = Care(run.queue, QueueFile(run.path, keys), clock, told)
        while care.step():
            pass

    return look_after
