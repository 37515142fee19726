"""Print jobs against the virtual printer: printed, held, sent, unknown; late at worst, and never twice by our doing."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.printing.doubts import Doubts, number_of
from agent.threads import Worker, end
from agent.watch import HANGS_AFTER, LONGEST, Watch, WatchedPrinter
from drivers.base import DeviceRefused, Printer
from drivers.printers import tcp
from offline_queue import SetJob
from offline_queue.print_jobs import IN_PRINTER

from .desk import CLOCK, NAME, QUICK, Desk

if TYPE_CHECKING:
    from conftest import LeapingClock, Store, Threads, Until, VirtualPrinter


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
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
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
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    virtual_printer.do("mute")
    desk.becomes(("unknown", "silent"))


def test_a_printer_that_falls_silent_between_jobs_is_opened_anew(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("mute")
    desk.add("Чек")
    desk.becomes(("unknown", "silent"))
    desk.says("has stopped answering")
    desk.until(lambda: len(virtual_printer.papers) == 1)
    virtual_printer.do("unmute")
    virtual_printer.do("reset")
    desk.says("not known")


def test_a_broken_connection_is_never_followed_by_a_second_copy(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
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
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    virtual_printer.do("power_off")
    desk.becomes(("unknown", "connection_lost"))
    virtual_printer.do("power_on")
    virtual_printer.do("paper_in")
    desk.add("Следующий")
    desk.becomes(("unknown", "connection_lost"), ("printed", ""))
    assert "Следующий" in virtual_printer.papers[-1]


@pytest.mark.parametrize("fault", ["mid_job", "restart"])
def test_an_earlier_job_that_prints_on_does_not_speak_for_the_next_one(
    desk: Desk, virtual_printer: VirtualPrinter, fault: str
) -> None:
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    desk.add("Первый", lines=30)
    desk.becomes(("held", IN_PRINTER))
    if fault == "restart":
        desk.end()
        desk.start()
    else:
        virtual_printer.do("reset")
    desk.becomes(("unknown", "connection_lost" if fault == "mid_job" else "interrupted"))
    asked = virtual_printer.do("state")["bytes"]
    desk.until(lambda: virtual_printer.do("state")["bytes"] > asked)  # the new connection stands
    virtual_printer.do("paper_in")
    desk.until(lambda: len(virtual_printer.papers) == 1)  # and its fence has been answered on the new connection
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    desk.add("Второй", lines=30)
    desk.until(lambda: desk.store.states()[1] == ("held", IN_PRINTER))
    virtual_printer.do("paper_in")
    desk.until(lambda: desk.store.states()[1] == ("printed", ""))
    assert [text.split()[0] for text in virtual_printer.papers] == ["Первый", "Второй"]


def test_a_job_whose_end_could_not_be_stored_is_not_sent_again(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    desk.end()
    job = desk.add("Первый")
    desk.store.queue.submit(SetJob(job, "printed")).result(5)
    desk.start()
    desk.says("ready")
    desk.store.queue.submit(SetJob(job, "held", IN_PRINTER)).result(5)  # as if the queue had not taken its end
    desk.loop.wake()
    desk.becomes(("unknown", "interrupted"))
    assert virtual_printer.papers == []


def test_a_disk_that_stalls_delays_a_receipt_and_loses_none(
    store: Store, threads: Threads, until: Until, virtual_printer: VirtualPrinter, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, threads, until, virtual_printer.port, replace(QUICK, stored_within=0.2))
    desk.start()
    desk.end()
    desk.add("Чек")
    slow = store.stall()
    desk.start()
    until(lambda: "state=sending not_stored" in caplog.text)
    slow.set()
    desk.becomes(("printed", ""))
    assert len(virtual_printer.papers) == 1


def test_a_driver_that_hangs_with_a_job_leaves_a_doubt_and_the_next_is_printed(
    store: Store, threads: Threads, until: Until, virtual_printer: VirtualPrinter, leaping_clock: LeapingClock
) -> None:
    hanging, release = threading.Event(), threading.Event()

    class Hanging(tcp.TcpPrinter):
        def write(self, payload: bytes, timeout: float) -> None:
            if len(payload) > 20 and not hanging.is_set():
                hanging.set()
                release.wait()
            super().write(payload, timeout)

    watch = Watch(leaping_clock)
    desk = Desk(store, threads, until, virtual_printer.port)

    def opener() -> Printer:
        return Hanging(socket.create_connection(("127.0.0.1", virtual_printer.port)), NAME)

    worker = Worker("printer", desk.make_loop(lambda: WatchedPrinter(watch, opener)).run, hangs=watch.hangs)
    worker.start()
    desk.says("ready")
    desk.add("Первый")
    assert hanging.wait(5)
    desk.becomes(("sending", ""))
    leaping_clock.ahead += LONGEST + HANGS_AFTER
    assert worker.replace_if_hung()
    desk.becomes(("unknown", "interrupted"))
    virtual_printer.do("reset")  # it serves one client at a time, so the new thread waits for that
    desk.says("not known")
    desk.add("Второй")
    desk.becomes(("unknown", "interrupted"), ("printed", ""))
    release.set()
    until(lambda: worker.join(1) or end([worker], CLOCK, CLOCK.monotonic() + 2) == [])
    assert store.states() == [("unknown", "interrupted"), ("printed", "")]
    assert [text.split()[0] for text in virtual_printer.papers] == ["Второй"]


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
    until(lambda: any("not known whether the last receipt" in text for text in desk.heard))
    until(lambda: [each for each, _ in store.states()] == ["unknown", "printed"])
    desk.says("ready")
    assert [text.split()[0] for text in virtual_printer.papers] == ["Второй"]


def test_a_stop_in_the_middle_is_quick_and_leaves_a_doubt(desk: Desk, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    desk.add("Строка", lines=30)
    desk.becomes(("held", IN_PRINTER))
    desk.end()
    assert desk.store.states() == [("unknown", "interrupted")]


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


class Refusing(tcp.TcpPrinter):
    """Takes no job; as a queue does that stopped behind our back."""

    def write(self, payload: bytes, timeout: float) -> None:
        if len(payload) > 20:
            raise DeviceRefused("it takes no jobs")
        super().write(payload, timeout)


def test_a_job_that_is_refused_again_and_again_waits_and_is_printed_once(
    store: Store, threads: Threads, until: Until, virtual_printer: VirtualPrinter
) -> None:
    kinds = [Refusing, Refusing, tcp.TcpPrinter]
    desk = Desk(store, threads, until, virtual_printer.port)

    def opener() -> Printer:
        kind = kinds.pop(0) if len(kinds) > 1 else kinds[0]
        return kind(socket.create_connection(("127.0.0.1", virtual_printer.port)), NAME)

    threads.start(desk.make_loop(opener).run)
    desk.add("Чек")
    desk.becomes(("printed", ""))
    assert len(virtual_printer.papers) == 1


def test_a_job_whose_end_was_not_stored_while_it_was_sent_is_in_doubt(desk: Desk) -> None:
    job = desk.add("Первый")
    desk.becomes(("printed", ""))
    with closing(sqlite3.connect(desk.store.path)) as file, file:
        file.execute(
            "UPDATE print_jobs SET state = 'sending' WHERE id = ?", (job,)
        )  # as if the queue had not taken its end
    desk.loop.wake()
    desk.becomes(("unknown", "interrupted"))


def test_nothing_can_be_withdrawn_once_the_job_is_over(desk: Desk) -> None:
    job = desk.add("Чек")
    desk.becomes(("printed", ""))
    assert desk.loop.withdraw(job).result(5) is False


def test_a_decision_about_an_older_receipt_leaves_the_question_about_the_last() -> None:
    doubts = Doubts()
    doubts.add(1, b"", 0)
    doubts.add(2, b"", 0)
    doubts.decided(1)
    assert doubts.open
    doubts.decided(2)
    assert not doubts.open


def test_a_number_that_comes_late_ends_the_question() -> None:
    doubts = Doubts()
    doubts.add(1, b"", 0)
    assert (doubts.settled_by([number_of(7)]), doubts.open) == ([], True)
    assert (doubts.settled_by([number_of(1)]), doubts.open) == ([1], False)


def test_a_receipt_that_was_decided_about_is_in_doubt_no_more_after_a_restart(desk: Desk) -> None:
    desk.end()
    job = desk.add("Чек")
    desk.store.queue.submit(SetJob(job, "unknown", "dropped")).result(5)
    desk.heard.clear()
    desk.start()
    desk.add("Следующий")
    desk.becomes(("unknown", "dropped"), ("printed", ""))
    assert not any("not known" in text for text in desk.heard)
