"""Print jobs against the virtual printer: printed, held, sent, unknown; late at worst, and never twice by our doing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.printing import IN_PRINTER, Patience, PrinterSettings, PrintLoop
from agent.status import Status
from drivers.printers import tcp
from drivers.printers.escpos.profile import load_profile
from offline_queue import AddJob, NewJob, SetJob
from receipt_templates.document import Document, Text, to_json

if TYPE_CHECKING:
    from conftest import Store, Threads, Until, VirtualPrinter

QUICK = Patience(ask_every=0.1, silent_after=0.5, no_fence_after=20.0)
NAME = "receipt"


class Desk:
    """A queue, a print loop and its printer."""

    def __init__(self, store: Store, threads: Threads, until: Until, port: int, host: str = "127.0.0.1") -> None:
        self.store, self.threads, self.until = store, threads, until
        self.options = tcp.Options(host, port)
        self.status = Status(SystemClock())
        self.stop: threading.Event | None = None

    def start(self) -> None:
        settings = PrinterSettings(NAME, load_profile("default"), 80)
        self.loop = PrintLoop(
            settings, lambda: tcp.DRIVER.open(self.options), self.store.queue, self.store.path, self.status,
            SystemClock(), QUICK,
        )  # fmt: skip
        self.stop = self.threads.start(self.loop.run)

    def end(self) -> None:
        assert self.stop is not None
        self.threads.end(self.stop)

    def add(self, text: str, lines: int = 1) -> int:
        document = Document(tuple(Text(f"{text} {number}") for number in range(lines)), "ru")
        return self.add_raw(to_json(document))

    def add_raw(self, document: bytes) -> int:
        job = self.store.queue.submit(AddJob(NewJob(NAME, document))).result(5)
        self.loop.wake()
        return job

    def becomes(self, *states: tuple[str, str]) -> None:
        self.until(lambda: self.store.states() == list(states))

    def says(self, word: str) -> None:
        self.until(lambda: any(part.part == "printer" and word in part.text["en"] for part in self.status.snapshot()))


@pytest.fixture
def desk(store: Store, threads: Threads, until: Until, virtual_printer: VirtualPrinter) -> Desk:
    desk = Desk(store, threads, until, virtual_printer.port)
    desk.start()
    desk.says("ready")
    return desk


def test_jobs_are_printed_in_order_and_said_to_be(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    desk.add("Первый")
    desk.add("Второй")
    desk.becomes(("printed", ""), ("printed", ""))
    assert [text.split()[0] for text in virtual_printer.papers] == ["Первый", "Второй"]


@pytest.mark.parametrize(
    ("fault", "cure", "note", "word"),
    [("paper_out", "paper_in", "paper_out", "paper is out"), ("cover_open", "cover_close", "cover_open", "cover")],
)
def test_a_printer_that_cannot_print_gets_nothing_and_prints_once_when_it_can(
    desk: Desk, virtual_printer: VirtualPrinter, fault: str, cure: str, note: str, word: str
) -> None:
    virtual_printer.do(fault)
    desk.add("Чек", lines=40)
    desk.becomes(("held", note))
    desk.says(word)
    assert virtual_printer.do("state")["held"] < 200  # a few questions, and no job
    virtual_printer.do(cure)
    desk.becomes(("printed", ""))
    desk.says("ready")
    assert len(virtual_printer.papers) == 1


def test_paper_that_ends_in_the_middle_holds_the_receipt_in_the_printer(
    desk: Desk, virtual_printer: VirtualPrinter
) -> None:
    virtual_printer.do("paper_out_after", bytes=60)
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    desk.says("paper is out")
    virtual_printer.do("paper_in")
    desk.becomes(("printed", ""))
    (paper,) = virtual_printer.papers
    assert [f"Строка {number}" in paper for number in range(30)] == [True] * 30


def test_a_job_behind_a_held_one_waits_its_turn(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("paper_out")
    desk.add("Первый")
    desk.add("Второй")
    desk.becomes(("held", "paper_out"), ("queued", ""))
    virtual_printer.do("paper_in")
    desk.becomes(("printed", ""), ("printed", ""))
    assert [text.split()[0] for text in virtual_printer.papers] == ["Первый", "Второй"]


def test_a_printer_that_never_answers_gets_the_job_and_nothing_is_claimed(
    store: Store, threads: Threads, until: Until, virtual_printer: VirtualPrinter
) -> None:
    virtual_printer.do("mute")
    desk = Desk(store, threads, until, virtual_printer.port)
    desk.start()
    desk.says("cannot say")
    desk.add("Чек")
    desk.becomes(("sent", "no_answers"))
    until(lambda: len(virtual_printer.papers) == 1)


def test_a_printer_that_falls_silent_with_the_job_leaves_a_doubt(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("paper_out_after", bytes=60)
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    virtual_printer.do("mute")
    desk.becomes(("unknown", "silent"))


def test_a_printer_that_falls_silent_between_jobs_is_opened_anew(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("mute")
    desk.add("Чек")
    desk.becomes(("sent", "no_answers"))
    desk.until(lambda: len(virtual_printer.papers) == 1)


def test_a_broken_connection_is_never_followed_by_a_second_copy(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("paper_out_after", bytes=60)
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    virtual_printer.do("reset")
    desk.becomes(("unknown", "connection_lost"))
    virtual_printer.do("paper_in")
    desk.add("Следующий")
    desk.becomes(("unknown", "connection_lost"), ("printed", ""))
    papers = virtual_printer.papers
    assert sum("Строка 29" in paper for paper in papers) <= 1
    assert "Следующий" in papers[-1]


def test_a_power_cut_in_the_middle_leaves_a_doubt_and_the_next_receipt_is_whole(
    desk: Desk, virtual_printer: VirtualPrinter
) -> None:
    virtual_printer.do("paper_out_after", bytes=60)
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    virtual_printer.do("power_off")
    desk.becomes(("unknown", "connection_lost"))
    virtual_printer.do("power_on")
    virtual_printer.do("paper_in")
    desk.add("Следующий")
    desk.becomes(("unknown", "connection_lost"), ("printed", ""))
    assert "Следующий" in virtual_printer.papers[-1]


@pytest.mark.parametrize(("state", "note"), [("sending", ""), ("held", IN_PRINTER)])
def test_after_a_kill_what_was_under_way_is_in_doubt_and_what_was_not_is_printed(
    store: Store, threads: Threads, until: Until, virtual_printer: VirtualPrinter, state: str, note: str
) -> None:
    desk = Desk(store, threads, until, virtual_printer.port)
    desk.start()
    desk.end()
    first = desk.add("Первый")
    desk.add("Второй")
    store.queue.submit(SetJob(first, state, note)).result(5)
    store.reopen()
    desk.start()
    until(lambda: [each for each, _ in store.states()] == ["unknown", "printed"])
    assert [text.split()[0] for text in virtual_printer.papers] == ["Второй"]


def test_a_stop_in_the_middle_is_quick_and_leaves_a_doubt(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("paper_out_after", bytes=60)
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    desk.end()
    assert desk.store.states() == [("unknown", "agent_ended")]


def test_a_printer_that_comes_later_prints_what_has_waited(
    store: Store, threads: Threads, until: Until, start_printer: Callable[..., VirtualPrinter]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    desk = Desk(store, threads, until, port)
    desk.start()
    desk.add("Чек")
    desk.says("cannot be reached")
    assert store.states() == [("queued", "")]
    late = start_printer(listen=f"127.0.0.1:{port}")
    desk.becomes(("printed", ""))
    assert len(late.papers) == 1


def test_a_job_that_is_no_document_fails_and_blocks_nobody(desk: Desk) -> None:
    desk.add_raw(b"{}")
    desk.add("Чек")
    desk.becomes(("failed", "document"), ("printed", ""))
