"""The central server of `central.py`, and the queue of a store PC to feed it from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.identity import Identity, new_key
from agent.status import Board, Status
from agent.sync import Client, Drain, Patience, Report, make_session
from agent.sync.retry import Bell
from loyalty.quote import Basket, Line
from loyalty.wire import (
    ChangesPage,
    Included,
    Named,
    ReceiptId,
    Sale,
)
from offline_queue import BeginEpoch, CommitSale, Queue, QueueClosed, Reader, ReserveTokens

from .central import PROGRAMME_KEY, QUOTE, WAIT, Central, programme, public, serving


@pytest.fixture
def central() -> Central:
    return Central()


@pytest.fixture
def address(central: Central) -> Iterator[str]:
    with serving(central) as url:
        yield url


@pytest.fixture
def identity(central: Central) -> Identity:
    """A device that has been claimed already."""
    key = new_key()
    central.device_key = public(key)
    return Identity(
        device="D1",
        device_number=1,
        store=Named("S1", "Store"),
        tills=(Named("1", "Till"),),
        epoch="epoch-1",
        enrolment_url="http://127.0.0.1",
        machine="m",
        token_generation=1,
        private_key=key,
        programme_key=public(PROGRAMME_KEY),
        token_key=b"t" * 32,
        ident_key=b"i" * 32,
    )


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def client(address: str, identity: Identity, clock: SystemClock) -> Iterator[Client]:
    with closing(Client(address, clock, make_session(), identity)) as opened:
        yield opened


@pytest.fixture
def status(clock: SystemClock) -> Status:
    return Status(clock)


class Watch:
    """Hears what the board says, in English."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._changed = threading.Condition()
        self.heard: list[tuple[str, str]] = []
        status.subscribe(self._hear)

    def _hear(self, board: Board) -> None:
        with self._changed:
            self.heard += [(each.part, each.text["en"]) for each in board]
            self._changed.notify_all()

    def now(self, part: str) -> tuple[str, str]:
        """State and words of a part."""
        return next((each.state, each.text["en"]) for each in self._status.snapshot() if each.part == part)

    def until(self, part: str, beginning: str) -> None:
        """Wait until these are the part's last words."""

        def said() -> bool:
            words = [text for name, text in self.heard if name == part]
            return bool(words) and words[-1].startswith(beginning)

        with self._changed:
            assert self._changed.wait_for(said, WAIT), self.heard


@pytest.fixture
def watch(status: Status) -> Watch:
    return Watch(status)


@pytest.fixture
def report(status: Status, clock: SystemClock) -> Report:
    return Report(status, clock)


@pytest.fixture
def patience(clock: SystemClock) -> Patience:
    """Short of it, so that the tests are quick."""
    return Patience(Bell(clock), first=0.005, longest=0.02)


@contextmanager
def thread(run: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """`run(stop)` in a thread while the block lasts."""
    stop = threading.Event()
    worker = threading.Thread(target=run, args=(stop,))
    worker.start()
    try:
        yield stop
    finally:
        stop.set()
        worker.join(WAIT)
        assert not worker.is_alive()


@dataclass
class Store:
    """The queue of a store PC with its writer running."""

    queue: Queue
    path: Path
    reader: Reader
    sold: int = 0

    def sell(self, count: int) -> None:
        """Commit so many receipts."""
        commits = [self.queue.submit(self.commit()) for _ in range(count)]
        for commit in commits:
            commit.result(WAIT)

    def commit(self) -> CommitSale:
        self.sold += 1
        number = str(self.sold)
        receipt = ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="1", number=number)
        sale = Sale(receipt=receipt, basket=Basket(lines=(Line(sum=50000),)), quote=QUOTE, offline=True)
        return CommitSale(f"sale-{number}", f"r-{number}", "sale", datetime.now(UTC), sale, b"{}")

    def settle(self) -> None:
        """Wait until nothing waits any more."""
        deadline, pause = SystemClock().monotonic() + WAIT, threading.Event()
        while self.reader.depth().pending and SystemClock().monotonic() < deadline:
            pause.wait(0.01)
        assert self.reader.depth().pending == 0


@contextmanager
def opened(path: Path, *, claimed: bool = True) -> Iterator[Store]:
    queue = Queue.open(path, SystemClock())
    stop = threading.Event()
    writer = threading.Thread(target=queue.run, args=(stop,))
    writer.start()
    with closing(Reader(path)) as reader:
        if claimed:
            queue.submit(BeginEpoch("D1", "epoch-1")).result(WAIT)
        store = Store(queue, path, reader)
        try:
            yield store
        finally:
            stop.set()
            with suppress(QueueClosed):
                queue.submit(ReserveTokens(0))  # something to do, so that the stop is seen at once
            writer.join(WAIT)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "queue.db") as running:
        yield running


@pytest.fixture
def drain(
    store: Store, client: Client, report: Report, clock: SystemClock, patience: Patience, identity: Identity
) -> Drain:
    made = Drain(
        writer=store.queue,
        open_reader=lambda: Reader(store.path),
        connect=lambda _: client,
        report=report,
        clock=clock,
        patience=patience,
        identity=identity,
    )
    store.queue.subscribe(report.queue_changed)
    store.queue.subscribe(lambda _: made.nudge())
    return made


@pytest.fixture
def during() -> Callable[..., Any]:
    """`with during(thing.run) as stop:` runs it in a thread."""
    return thread


@pytest.fixture
def signed() -> Callable[..., str]:
    """A signed programme of some revision."""
    return programme


@pytest.fixture
def page() -> Callable[..., ChangesPage]:
    """A page of the members' feed."""
    return lambda *changes, next="c", complete=True, seq=0: ChangesPage(  # noqa: A006 - the wire's own word
        changes=changes, next=next, complete=complete, includes=Included(epoch="epoch-1", seq=seq)
    )
