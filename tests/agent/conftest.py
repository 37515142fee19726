"""What the agent's parts are tested against: a real queue with its writer, and the virtual printer behind real TCP."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.virtual import printer
from drivers.virtual.control import call
from offline_queue import BeginEpoch, Queue, Reader, Transaction

Until = Callable[..., None]
WITHIN = 10.0


@pytest.fixture
def until() -> Until:
    """until(condition, within=10): wait for it, and fail when it does not come."""

    def wait(condition: Callable[[], bool], within: float = WITHIN) -> None:
        end, tick = time.monotonic() + within, threading.Event()
        while not condition():
            assert time.monotonic() < end, f"it did not happen within {within} s"
            tick.wait(0.01)

    return wait


class LeapingClock(SystemClock):
    """The real time, plus what the test adds."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
def leaping_clock() -> LeapingClock:
    return LeapingClock()


@dataclass
class Threads:
    """Threads of a test, each with a stop event; all must end when they are told to."""

    running: list[tuple[threading.Thread, threading.Event]] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)

    def start(self, run: Callable[[threading.Event], None]) -> threading.Event:
        stop = threading.Event()

        def body() -> None:
            try:
                run(stop)
            except BaseException as error:  # noqa: BLE001 - shown by the test that started the thread
                self.failed.append(error)

        thread = threading.Thread(target=body, daemon=True)
        self.running.append((thread, stop))
        thread.start()
        return stop

    def end(self, stop: threading.Event) -> None:
        stop.set()
        for thread, mine in self.running:
            if mine is stop:
                thread.join(3)
                assert not thread.is_alive()

    def end_all(self) -> None:
        for _, stop in reversed(self.running):
            self.end(stop)
        assert self.failed == []


@pytest.fixture
def threads() -> Iterator[Threads]:
    running = Threads()
    yield running
    running.end_all()


class Slow:
    """An operation that keeps the queue's writer busy until the test lets go."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def apply(self, transaction: Transaction) -> None:
        assert transaction is not None
        self.begun.set()
        assert self.go_on.wait(10)


@dataclass
class Store:
    """queue.db with its writer; `reopen` is what a restart of the agent does."""

    path: Path
    threads: Threads
    queue: Queue
    reader: Reader
    stop: threading.Event

    def reopen(self) -> None:
        self.threads.end(self.stop)
        self.queue = Queue.open(self.path, SystemClock())
        self.stop = self.threads.start(self.queue.run)

    def stall(self) -> threading.Event:
        """Keep the writer busy until the event is set."""
        slow = Slow()
        self.queue.submit(slow)
        assert slow.begun.wait(5)
        return slow.go_on

    def states(self) -> list[tuple[str, str]]:
        everything = ("queued", "sending", "printed", "sent", "held", "unknown", "failed")
        return [(job.state, job.note) for job in self.reader.jobs(everything)]


@pytest.fixture
def store(tmp_path: Path, threads: Threads) -> Iterator[Store]:
    path = tmp_path / "queue.db"
    opened = Queue.open(path, SystemClock())
    stop = threads.start(opened.run)
    opened.submit(BeginEpoch("D1", "e1")).result(5)
    reader = Reader(path)
    yield Store(path, threads, opened, reader, stop)
    reader.close()


@dataclass
class VirtualPrinter:
    """Where a running virtual printer can be reached, and what has come out of it."""

    host: str
    port: int
    control: str

    def do(self, what: str, **request: object) -> dict[str, object]:
        return call(self.control, {"do": what, **request})

    @property
    def papers(self) -> list[str]:
        """The texts, without pieces of white paper."""
        pieces = [each["text"] for each in self.do("receipts")["receipts"]]  # type: ignore[index, attr-defined]
        return [text for text in pieces if text.strip()]


@pytest.fixture
def start_printer(threads: Threads) -> Callable[..., VirtualPrinter]:
    def start(**options: object) -> VirtualPrinter:
        lines: queue.Queue[str] = queue.Queue()
        chosen = printer.Options(**options)  # type: ignore[arg-type]
        threads.start(lambda stop: printer.run(chosen, stop, lines.put))
        _, device, control = lines.get(timeout=5).split(" ")
        host, _, port = device.removeprefix("device=").partition(":")  # a pty has a path instead
        return VirtualPrinter(host, int(port or 0), control.removeprefix("control="))

    return start


@pytest.fixture
def virtual_printer(start_printer: Callable[..., VirtualPrinter]) -> VirtualPrinter:
    return start_printer()
