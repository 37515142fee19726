"""Ten receipts to a printer on a slow serial line: ten come out, whole and in order, and each answer is true.

The printer is slower than its line and has a small buffer, so it must be heard when it asks for a pause.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from agent.clock import SystemClock
from agent.printing.loop import PrinterSettings, PrintLoop
from agent.status import Status
from drivers.printers import serial_port
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from offline_queue import NewJob, QueuePrint
from receipt_templates.document import Document, Text, to_json
from receipt_templates.templates import example, render

if TYPE_CHECKING:
    from tests.agent.conftest import Store, Threads, Until, VirtualPrinter

NAME, PROFILE, WIDTH = "receipt", "default", 80
CLOCK = SystemClock()
WITHIN = 90.0

REFERENCE = render("sale", "ru", example("sale", "ru"))
LONG = Document(tuple(Text(f"Строка {number} длинного чека до края бумаги") for number in range(140)), "ru")
RECEIPTS = [REFERENCE, LONG, *(Document((Text(f"Чек {number}"), Text("Спасибо!")), "ru") for number in range(8))]


def paper_of(receipt: Document) -> str:
    profile = load_profile(PROFILE)
    return draw(encode(receipt, profile, WIDTH), profile.size(WIDTH).dots).text


class Counter:
    """The queue, the print loop and the printer on its cable."""

    def __init__(
        self, store: Store, threads: Threads, printer: VirtualPrinter, flow: Literal["xonxoff", "none"]
    ) -> None:
        self.store, self.printer = store, printer
        options = serial_port.Options(printer.host, 9600, flow=flow)
        settings = PrinterSettings(NAME, load_profile(PROFILE), WIDTH)
        self.loop = PrintLoop(
            settings, lambda: serial_port.DRIVER.open(options), store.queue, store.path, Status(CLOCK), CLOCK
        )
        threads.start(self.loop.run)

    def add(self, receipt: Document) -> None:
        self.store.queue.submit(QueuePrint(NewJob(NAME, to_json(receipt)))).result(10)
        self.loop.wake()

    @property
    def over(self) -> bool:
        return all(state not in ("queued", "sending", "held") for state, _ in self.store.states())


@pytest.fixture
def counter(
    store: Store, threads: Threads, tmp_path: Path, start_printer: Callable[..., VirtualPrinter]
) -> Callable[..., Counter]:
    def make(flow: Literal["xonxoff", "none"] = "xonxoff", **options: object) -> Counter:
        printer = start_printer(pty=str(tmp_path / "printer"), flow="xonxoff", **options)
        return Counter(store, threads, printer, flow)

    return make


@pytest.mark.parametrize(
    ("buffer", "baud", "speed"),
    [
        pytest.param(4096, 115200, 200, id="4 KB, a printer slower than its line"),
        pytest.param(45, 115200, 200, id="45 bytes, a printer slower than its line"),
        pytest.param(4096, 9600, 20, id="4 KB at 9600 baud", marks=pytest.mark.full),
        pytest.param(45, 9600, 60, id="45 bytes at 9600 baud", marks=pytest.mark.full),
    ],
)
def test_ten_of_ten_receipts_come_out_and_each_answer_is_true(
    counter: Callable[..., Counter], until: Until, buffer: int, baud: int, speed: int
) -> None:
    desk = counter(buffer=buffer, baud=baud, speed=speed)
    for receipt in RECEIPTS:
        desk.add(receipt)
    asked_for_a_pause = set[object]()

    def over() -> bool:
        asked_for_a_pause.add(desk.printer.do("state")["ready"])
        printed = sum(state == "printed" for state, _ in desk.store.states())
        assert printed <= len(desk.printer.papers)  # no answer comes before its paper
        return desk.over

    until(over, WITHIN)
    assert desk.store.states() == [("printed", "")] * 10
    assert desk.printer.papers == [paper_of(receipt) for receipt in RECEIPTS]
    assert desk.printer.do("state")["dropped"] == 0
    assert asked_for_a_pause == {True, False}


def test_a_line_that_does_not_heed_the_printer_loses_what_this_test_would_see(
    counter: Callable[..., Counter], until: Until
) -> None:
    desk = counter("none", buffer=45, baud=115200, speed=200)
    desk.add(REFERENCE)
    until(lambda: int(str(desk.printer.do("state")["dropped"])) > 0)
    assert paper_of(REFERENCE) not in desk.printer.papers
