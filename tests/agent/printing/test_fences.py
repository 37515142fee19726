"""Printers that answer fences late, never, or to whom many answers are owed: what is said of a job is true all the same."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from agent.printing.doubts import Doubts
from agent.printing.patience import Patience
from drivers.printers.escpos.status import FENCE

from .desk import Desk

if TYPE_CHECKING:
    from conftest import Store, Threads, Until


class Scripted:
    """A printer whose answers to fences are in the test's hands; all questions it answers at once: it is well."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.05)
        self.port = self.listener.getsockname()[1]
        self.peer: socket.socket | None = None
        self.jobs = self.fences = 0
        self.fence_answers = True

    def run(self, stop: threading.Event) -> None:
        with self.listener:
            while not stop.is_set():
                try:
                    self.peer, _ = self.listener.accept()
                except TimeoutError:
                    continue
                with self.peer:
                    self._serve(self.peer, stop)

    def _serve(self, peer: socket.socket, stop: threading.Event) -> None:
        peer.settimeout(0.05)
        while not stop.is_set():
            try:
                chunk = peer.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not chunk:
                return
            peer.sendall(b"\x12" * chunk.count(b"\x10\x04"))
            self.jobs += chunk.count(b"\x1b@\x1bt")  # ESC @ alone frees it of an earlier job
            self.fences += chunk.count(FENCE)

    def answer_fence(self) -> None:
        assert self.peer is not None
        self.peer.sendall(b"\x00")

    def hang_up(self) -> None:
        assert self.peer is not None
        self.peer.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def scripted(threads: Threads) -> Scripted:
    printer = Scripted()
    threads.start(printer.run)
    return printer


def test_answers_to_fences_that_come_late_are_let_pass(
    store: Store, threads: Threads, until: Until, scripted: Scripted
) -> None:
    desk = Desk(store, threads, until, scripted.port)
    desk.start()
    desk.add("Первый")
    until(lambda: (scripted.jobs, scripted.fences) == (1, 1))
    scripted.hang_up()
    desk.becomes(("unknown", "connection_lost"))
    desk.add("Второй")
    until(lambda: (scripted.jobs, scripted.fences) == (2, 3))
    scripted.answer_fence()  # that of the first job, or not
    threading.Event().wait(0.3)
    desk.becomes(("unknown", "connection_lost"), ("sending", ""))
    scripted.answer_fence()
    desk.becomes(("unknown", "connection_lost"), ("printed", ""))


def test_however_often_the_cable_is_pulled_the_next_receipt_is_printed(
    store: Store, threads: Threads, until: Until, scripted: Scripted
) -> None:
    desk = Desk(store, threads, until, scripted.port)
    desk.start()
    states: list[tuple[str, str]] = []
    for turn in range(8):
        before = scripted.fences
        desk.add("Первый")
        until(lambda turn=turn: scripted.jobs == 2 * turn + 1)
        scripted.hang_up()
        states.append(("unknown", "connection_lost"))
        desk.becomes(*states)
        desk.add("Второй")
        until(lambda turn=turn: scripted.jobs == 2 * turn + 2)
        states.append(("printed", ""))
        for _ in range(scripted.fences - before):
            scripted.answer_fence()
        desk.becomes(*states)
    assert scripted.fences <= 8 * 8


def test_behind_lost_jobs_alone_no_end_of_late_answers_is_known() -> None:
    doubts, end = Doubts(), 2.0
    for job in itertools.count(1):
        late = doubts.late_fences(100.0, end)
        if late > 31:
            break
        assert doubts.let_pass(100.0, end) == 0.0, "nobody can say for how long"
        doubts.add(job, b"", late + 1)
    doubts.settle(100.0)
    assert doubts.let_pass(101.5, end) == 0.5
    assert doubts.let_pass(102.0, end) == 0.0
    assert doubts.late_fences(102.0, end) == 0


def test_a_job_behind_too_many_fences_in_doubt_is_sent_and_the_next_one_is_known_again(
    store: Store, threads: Threads, until: Until, scripted: Scripted
) -> None:
    desk = Desk(store, threads, until, scripted.port)
    desk.start()
    states: list[tuple[str, str]] = []
    for turn in range(6):
        desk.add("Weg")
        until(lambda turn=turn: scripted.jobs == turn + 1)
        scripted.hang_up()
        states.append(("unknown", "connection_lost"))
        desk.becomes(*states)
    desk.add("Viele")
    states.append(("sent", "no_fence"))
    desk.becomes(*states)
    before = scripted.fences
    desk.add("Einer")
    until(lambda: scripted.fences == before + 1)
    scripted.answer_fence()
    states.append(("printed", ""))
    desk.becomes(*states)


def test_a_printer_without_fences_makes_only_the_first_receipts_wait(
    store: Store, threads: Threads, until: Until, scripted: Scripted
) -> None:
    patience = Patience(ask_every=0.1, no_fence_after=0.5, late_fences_end=0.3)
    desk = Desk(store, threads, until, scripted.port, patience)
    desk.start()
    for number in range(1, 4):
        desk.add("Чек")
        desk.becomes(*[("sent", "no_fence")] * number)
    assert (scripted.jobs, scripted.fences) == (3, 1)
