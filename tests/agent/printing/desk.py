"""A queue, a print loop and its printer, as the tests of print jobs use them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.printing.loop import PrinterSettings, PrintLoop
from agent.printing.patience import Patience
from agent.status import Status
from drivers.base import Printer
from drivers.printers import tcp
from drivers.printers.escpos.profile import load_profile
from loyalty.wire import Enrolment
from offline_queue import NewJob, QueueEnrolment
from receipt_templates.document import Document, Text, to_json

if TYPE_CHECKING:
    from conftest import Store, Threads, Until

QUICK = Patience(ask_every=0.1, silent_after=0.5, no_fence_after=20.0, late_fences_end=0.3)
NAME = "receipt"
CLOCK = SystemClock()
ENROLMENT = Enrolment(till="1", token="T")


class Desk:
    """A queue, a print loop and its printer."""

    def __init__(self, store: Store, threads: Threads, until: Until, port: int, patience: Patience = QUICK) -> None:
        self.store, self.threads, self.until, self.patience = store, threads, until, patience
        self.options = tcp.Options("127.0.0.1", port)
        self.status, self.heard = Status(CLOCK), list[str]()
        self.status.subscribe(lambda board: self.heard.extend(part.text["en"] for part in board))
        self.stop: threading.Event | None = None

    def make_loop(self, opener: Callable[[], Printer]) -> PrintLoop:
        settings, store = PrinterSettings(NAME, load_profile("default"), 80), self.store
        self.loop = PrintLoop(settings, opener, store.queue, store.path, self.status, CLOCK, self.patience)
        return self.loop

    def start(self) -> None:
        self.stop = self.threads.start(self.make_loop(lambda: tcp.DRIVER.open(self.options)).run)

    def end(self) -> None:
        assert self.stop is not None
        self.threads.end(self.stop)

    def add(self, text: str, lines: int = 1) -> int:
        document = Document(tuple(Text(f"{text} {number}") for number in range(lines)), "ru")
        return self.add_raw(to_json(document))

    def add_raw(self, document: bytes) -> int:
        job = self.store.queue.submit(QueueEnrolment(CLOCK.now(), ENROLMENT, NewJob(NAME, document))).result(5)
        self.loop.wake()
        return job

    def becomes(self, *states: tuple[str, str]) -> None:
        self.until(lambda: self.store.states() == list(states))

    def says(self, word: str) -> None:
        self.until(lambda: any(part.part == "printer" and word in part.text["en"] for part in self.status.snapshot()))
