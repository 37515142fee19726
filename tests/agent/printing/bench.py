"""A printer, a print loop and a queue in one thread, in a time that passes only while the loop waits.

The printer is the mechanism of the virtual printer; between it and the loop lies a `Line` that breaks, stalls or kills at a
given byte of a job. Only the queue's writer is another thread; everything else happens in a fixed order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agent.printing.loop import PrinterSettings, PrintLoop
from agent.status import Status
from drivers.base import DeviceGone, DeviceStalled
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import Profile, load_profile
from drivers.virtual.mechanism import Mechanism
from offline_queue import NewJob, QueuePrint
from receipt_templates.document import Document, Qr, Text, to_json

if TYPE_CHECKING:
    from drivers.printers.escpos.sheet import Paper
    from tests.agent.conftest import Store

NAME = "receipt"
QUESTION = 12  # bytes of the four status questions: nothing longer goes out but jobs and what frees the printer
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PATIENCE_ENDS = 900.0


class Killed(BaseException):
    """The process is gone, between one byte and the next."""


class World:
    """The clock, and what will happen when."""

    def __init__(self) -> None:
        self.time = 0.0
        self._plans: list[tuple[float, int, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        if not event.is_set():
            self.pass_time(timeout)
        return event.is_set()

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        self._plans.append((self.time + seconds, len(self._plans), happens))

    def pass_time(self, seconds: float) -> None:
        end = self.time + seconds
        while self._plans and (plan := min(self._plans, key=lambda each: each[:2]))[0] <= end:
            self._plans.remove(plan)
            self.time = max(self.time, plan[0])
            plan[2]()
        self.time = end

    @property
    def quiet(self) -> bool:
        return not self._plans


@dataclass
class Fault:
    """Happens when `byte` bytes of a job have gone out."""

    byte: int
    happens: Callable[[], None]


class Line:
    """One connection. Used up once it is broken."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._replies = bytearray()
        self.broken = False

    def write(self, payload: bytes, timeout: float) -> None:
        self._check()
        taken = 0
        fault = self._bench.fault
        if fault is not None and len(payload) > QUESTION:
            if len(payload) < fault.byte:
                fault.byte -= len(payload)
            else:
                taken = fault.byte
                self._take(payload[:taken])
                self._bench.fault = None
                fault.happens()
                self._check(taken)
        if self._bench.stalled:
            self._bench.world.pass_time(timeout)
            raise DeviceStalled("it takes nothing", taken)
        self._take(payload[taken:])

    def read(self, timeout: float) -> bytes:
        self._check()
        self._replies += self._bench.mechanism.work()
        if not self._replies:
            self._bench.world.pass_time(timeout)
            self._check()
            self._replies += self._bench.mechanism.work()
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def close(self) -> None:
        self.broken = True

    def _take(self, payload: bytes) -> None:
        self._replies += self._bench.mechanism.receive(payload)

    def _check(self, taken: int = 0) -> None:
        if self.broken:
            raise DeviceGone(f"the line is broken; {taken} bytes were taken")


@dataclass
class Bench:
    """What a test runs, and what has come out."""

    store: Store
    profile_name: str
    world: World = field(default_factory=World)
    pieces: list[Paper] = field(default_factory=list)
    fault: Fault | None = None
    stalled: bool = False
    absent: bool = False
    line: Line | None = None
    jobs: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.profile: Profile = load_profile(self.profile_name)
        self.width = 58 if "58" in self.profile.paper and "80" not in self.profile.paper else 80
        self.mechanism = Mechanism(self.profile.size(self.width).dots, self.pieces.append, self.world.monotonic)
        self.status = Status(self.world)
        self.said: set[str] = set()
        self.status.subscribe(lambda board: self.said.update(part.text["en"] for part in board))
        self.stop = threading.Event()

    def open(self) -> Line:
        if self.absent:
            raise DeviceGone("not there")
        self.line = Line(self)
        return self.line

    def hang_up(self) -> None:
        if self.line is not None:
            self.line.broken = True

    def add(self, text: str) -> None:
        new = NewJob(NAME, to_json(receipt(text)))
        self.jobs[text] = self.store.queue.submit(QueuePrint(new)).result(10)
        self.loop.wake()

    def run(self) -> None:
        """Until every job has come to an end and nothing more will happen; a killed loop is started anew."""
        settings = PrinterSettings(NAME, self.profile, self.width)
        self.world.after(5.0, self._look)
        while not self.stop.is_set():
            self.loop = PrintLoop(settings, self.open, self.store.queue, self.store.path, self.status, self.world)
            with self._surviving():
                self.loop.run(self.stop)
        self.mechanism.tear()

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except Killed:
            self.store.reopen()

    def _look(self) -> None:
        assert self.world.time < PATIENCE_ENDS, f"it goes on and on: {self.states()}"
        waiting = [state for state, _ in self.states().values() if state in ("queued", "sending", "held")]
        if self.world.quiet and not waiting:
            self.stop.set()
        else:
            self.world.after(5.0, self._look)

    def states(self) -> dict[str, tuple[str, str]]:
        found = {text: self.store.reader.job(number) for text, number in self.jobs.items()}
        return {text: (job.state, job.note) for text, job in found.items() if job is not None}

    def copies(self, text: str) -> int:
        """How often the whole receipt has come out."""
        job = encode(receipt(text), self.profile, self.width)
        slots = {page.slot: page.codec for page in self.profile.pages}
        whole = draw(job, self.profile.size(self.width).dots, slots).text.strip()
        return sum(piece.text.count(whole) for piece in self.pieces)

    def length(self, text: str) -> int:
        """Bytes of its job, with what asks for its end."""
        return len(encode(receipt(text), self.profile, self.width)) + (11 if self.profile.job_numbers else 3)


def receipt(text: str) -> Document:
    lines = [Text(f"{text}: строка {number}") for number in range(8)]
    return Document(
        (*lines, Qr(f"HTTPS://L.EXAMPLE/E/{text.encode().hex().upper()[:24]}"), Text(f"{text}: конец")), "ru"
    )
