"""Print jobs over each transport that needs no hardware: replugged elsewhere, one of several mute, a queue that refuses."""

from __future__ import annotations

import os
import queue
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.printing.loop import PrinterSettings, PrintLoop
from agent.printing.patience import Patience
from agent.status import Status
from drivers import registry
from drivers.base import AnyDriver
from drivers.printers.escpos.profile import load_profile
from drivers.virtual import printer
from drivers.virtual.control import call
from loyalty.wire import Enrolment
from offline_queue import NewJob, QueueEnrolment, SetJob
from receipt_templates.document import Document, Text, to_json

if TYPE_CHECKING:
    from conftest import Store, Threads, Until
    from rig.cups import Cups, CupsQueue

QUICK = Patience(ask_every=0.1, silent_after=0.5, no_fence_after=20.0, late_fences_end=0.3)
CLOCK = SystemClock()


class Shop:
    """A queue with a print loop for each printer."""

    def __init__(self, store: Store, threads: Threads, until: Until) -> None:
        self._store, self._threads, self._until = store, threads, until
        self._loops: dict[str, PrintLoop] = {}
        self.status = Status(CLOCK)

    def add_printer(self, name: str, driver: AnyDriver, **options: object) -> None:
        settings = PrinterSettings(name, load_profile("default"), 80, answers=driver.answers)
        made = driver.options(**options)
        store = self._store
        self._loops[name] = PrintLoop(
            settings, lambda: driver.open(made), store.queue, store.path, self.status, CLOCK, QUICK
        )
        self._threads.start(self._loops[name].run)

    def print(self, name: str, text: str) -> None:
        self.queue(name, text)
        self._loops[name].wake()

    def queue(self, name: str, text: str) -> int:
        job = NewJob(name, to_json(Document((Text(text),), "ru")))
        return self._store.queue.submit(QueueEnrolment(CLOCK.now(), Enrolment(till="1", token=text), job)).result(5)

    def break_off(self, job: int) -> None:
        """The agent was killed while it handed this job over."""
        self._store.queue.submit(SetJob(job, "sending", "")).result(5)

    def becomes(self, *states: str, within: float = 10.0) -> None:
        self._until(lambda: [state for state, _ in self._store.states()] == list(states), within)

    def says(self, name: str, word: str) -> None:
        self._until(lambda: any(part.name == name and word in part.text["en"] for part in self.status.snapshot()))


@pytest.fixture
def shop(store: Store, threads: Threads, until: Until) -> Shop:
    return Shop(store, threads, until)


class PtyPrinter:
    """A virtual printer behind a link that stays while its pty changes, as /dev/serial/by-id does."""

    def __init__(self, link: Path, threads: Threads) -> None:
        lines: queue.Queue[str] = queue.Queue()
        threads.start(lambda stop: printer.run(printer.Options(pty=str(link)), stop, lines.put))
        self.port = str(link)
        self._control = lines.get(timeout=5).split(" control=")[1]

    def do(self, what: str) -> dict[str, object]:
        return call(self._control, {"do": what})

    @property
    def papers(self) -> list[str]:
        return [each["text"].strip() for each in self.do("receipts")["receipts"]]  # type: ignore[index, attr-defined]


@pytest.fixture
def pty_printer(tmp_path: Path, threads: Threads) -> Callable[[str], PtyPrinter]:
    return lambda name: PtyPrinter(tmp_path / name, threads)


@pytest.mark.parametrize(("driver", "option"), [("serial_port", "port"), ("usblp", "path")])
def test_a_printer_comes_back_at_another_node_and_prints_what_waited_once(
    shop: Shop, pty_printer: Callable[[str], PtyPrinter], driver: str, option: str
) -> None:
    device = pty_printer("receipt")
    shop.add_printer("receipt", registry.find("printer", driver), **{option: device.port})
    shop.print("receipt", "Первый")
    shop.becomes("printed")
    before = Path(device.port).readlink()
    device.do("power_off")
    shop.says("receipt", "cannot be reached")
    another = os.openpty()  # somebody else takes the number that became free
    shop.print("receipt", "Второй")
    device.do("power_on")
    shop.becomes("printed", "printed", within=5)
    assert Path(device.port).readlink() != before
    assert device.papers == ["Первый", "Второй"]
    for end in another:
        os.close(end)


@pytest.fixture
def mute() -> Iterator[str]:
    """A port whose printer takes nothing and says nothing: the handshake holds it from the first byte.

    To be asked for before the shop: its number is free again when it ends, and the shop would go on with whoever gets it.
    """
    ours, slave = os.openpty()
    tty.setraw(slave)
    hold = threading.Event()
    keeper = threading.Thread(target=lambda: [os.write(ours, b"\x13") for _ in iter(lambda: hold.wait(0.05), True)])
    keeper.start()
    yield os.ttyname(slave)
    hold.set()
    keeper.join()
    for end in (ours, slave):
        os.close(end)


def test_one_printer_that_takes_nothing_stops_no_other(
    mute: str, shop: Shop, pty_printer: Callable[[str], PtyPrinter]
) -> None:
    serial = registry.find("printer", "serial_port")
    bar, counter = pty_printer("bar"), pty_printer("counter")
    shop.add_printer("kitchen", serial, port=mute)
    shop.add_printer("bar", serial, port=bar.port)
    shop.add_printer("counter", serial, port=counter.port)
    shop.print("kitchen", "Кухня")
    for _ in range(3):
        shop.print("bar", "Бар")
        shop.print("counter", "Касса")
    shop.becomes("queued", *["printed"] * 6, within=8)
    assert (bar.papers, counter.papers) == (["Бар"] * 3, ["Касса"] * 3)


@pytest.fixture
def spooler(cups: Cups) -> Iterator[CupsQueue]:
    made = cups.queue("transports")
    yield made
    made.remove()


def names_in(papers: list[bytes], *names: str) -> list[str]:
    told = [paper.decode("cp866", errors="replace") for paper in papers]
    return [name for paper in told for name in names if name in paper]


@pytest.mark.parametrize(
    ("refuse", "take"), [("cupsreject", "cupsaccept"), ("cupsdisable", "cupsenable")], ids=["rejecting", "stopped"]
)
def test_a_queue_that_refuses_gets_the_job_once_when_it_is_back(
    shop: Shop, spooler: CupsQueue, until: Until, refuse: str, take: str
) -> None:
    papers = len(spooler.papers)
    shop.add_printer("receipt", registry.find("printer", "os_queue"), queue=spooler.name)
    shop.print("receipt", "First")
    shop.becomes("sent")
    until(lambda: len(spooler.papers) == papers + 1)
    spooler.do(refuse)
    shop.print("receipt", "Second")
    shop.says("receipt", "store IT")
    assert spooler.waiting == 0
    spooler.do(take)
    shop.becomes("sent", "sent", within=20)
    until(lambda: len(spooler.papers) == papers + 2)
    assert names_in(spooler.papers[papers:], "First", "Second") == ["First", "Second"]
    assert spooler.waiting == 0


def test_a_queue_gets_nothing_but_whole_jobs_also_after_a_doubt(shop: Shop, spooler: CupsQueue, until: Until) -> None:
    papers = len(spooler.papers)
    shop.break_off(shop.queue("receipt", "First"))
    shop.add_printer("receipt", registry.find("printer", "os_queue"), queue=spooler.name)
    shop.becomes("unknown")
    shop.print("receipt", "Second")
    shop.becomes("unknown", "sent")
    until(lambda: spooler.waiting == 0 and len(spooler.papers) > papers)
    assert names_in(spooler.papers[papers:], "First", "Second") == ["Second"]
    assert len(spooler.papers) == papers + 1
